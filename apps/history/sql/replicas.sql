-- How far each standby is behind. Versions: 13 and later. Parameters: none. Cost: one row a standby, at most 50.
-- Rights: pg_read_all_stats, else there is no row.
-- Columns: label (its application_name, and its address where it has one), replica_behind_bytes (WAL not applied there yet),
--   replica_behind_s (NULL while nothing is written).
SELECT application_name || coalesce(' at ' || host(client_addr), '') AS label,
       max(pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn))::float8
         AS replica_behind_bytes,
       max(extract(epoch FROM replay_lag))::float8 AS replica_behind_s
FROM pg_stat_replication
WHERE state IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC NULLS LAST
LIMIT 50
