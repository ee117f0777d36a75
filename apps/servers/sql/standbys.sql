-- Who follows this primary, and how far behind?
-- Versions: 13 and newer. Rights: pg_read_all_stats, else all columns but the name are null. Parameters: none.
-- Columns: name text, address text, state text, sync_state text, behind_bytes numeric, lag_s double precision.
-- Cost: one row a standby, at most 50.
SELECT
    application_name AS name,
    coalesce(host(client_addr), '') AS address,
    coalesce(state, '') AS state,
    coalesce(sync_state, '') AS sync_state,
    CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END AS behind_bytes,
    extract(epoch FROM replay_lag)::double precision AS lag_s
FROM pg_catalog.pg_stat_replication
ORDER BY replay_lag DESC NULLS LAST, application_name
LIMIT 50
