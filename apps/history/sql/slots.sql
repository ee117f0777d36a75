-- Replication slots, and the WAL that each keeps from being removed. Versions: 13 and later. Rights: none. Parameters: none.
-- Columns: label (the slot; NULL: the counts of all), slots_count, slots_inactive_count, slot_retained_bytes
--   (of all: the most; 0 without slots).
-- Cost: one row a slot, at most 50 and the counts.
WITH slots AS MATERIALIZED (
       SELECT slot_name::text AS name, active,
              pg_wal_lsn_diff(
                CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)::float8
                AS retained_bytes
       FROM pg_replication_slots
     )
SELECT NULL AS label, count(*)::int AS slots_count, (count(*) FILTER (WHERE NOT active))::int AS slots_inactive_count,
       coalesce(max(retained_bytes), 0) AS slot_retained_bytes
FROM slots
UNION ALL
(SELECT name, NULL, NULL, retained_bytes FROM slots ORDER BY retained_bytes DESC NULLS LAST, name LIMIT 50)
