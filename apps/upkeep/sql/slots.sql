-- Replication slots, and the WAL that each keeps from being removed.
-- Versions: 13 to 16. Rights: none. Parameters: none.
-- Columns: name, type (physical, logical), database, is_active, wal_status (reserved, extended, unreserved, lost),
--   retained_bytes, safe_bytes (until it is lost; NULL without a limit), inactive_since (NULL before 17).
-- Cost: one row a slot.
SELECT slot_name::text AS name, slot_type AS type, database::text, active AS is_active, wal_status,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::bigint
         AS retained_bytes,
       safe_wal_size AS safe_bytes, NULL::timestamptz AS inactive_since
  FROM pg_replication_slots
 ORDER BY retained_bytes DESC NULLS LAST
 LIMIT 200
