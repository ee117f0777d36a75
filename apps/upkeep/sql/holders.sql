-- Who keeps old rows from being removed here, and makes a concurrent rebuild wait: the oldest snapshots and transactions.
-- Versions: 13 and later. Rights: state and begin of other roles are NULL without pg_read_all_stats. Parameters: none.
-- Columns: kind (session, standby, prepared, slot), pid (NULL for what is no session), name (role, slot or prepared transaction),
--   state, begun_at (of the transaction), age_count (transactions that began since its snapshot).
-- Cost: one row a session.
SELECT kind, pid, name, state, begun_at, age_count
  FROM (
    SELECT CASE WHEN a.backend_type = 'walsender' THEN 'standby' ELSE 'session' END AS kind, a.pid, a.usename::text AS name,
           a.state, a.xact_start AS begun_at,
           greatest(age(a.backend_xmin), age(a.backend_xid))::bigint AS age_count
      FROM pg_stat_activity a
     WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL) AND a.pid <> pg_backend_pid()
       AND (a.datname = current_database() OR a.backend_type = 'walsender')
       AND NOT EXISTS (SELECT FROM pg_stat_progress_vacuum v WHERE v.pid = a.pid)
    UNION ALL
    SELECT 'prepared', NULL, p.gid, NULL, p.prepared, age(p.transaction)::bigint
      FROM pg_prepared_xacts p WHERE p.database = current_database()
    UNION ALL
    SELECT 'slot', NULL, s.slot_name::text, NULL, NULL, greatest(age(s.xmin), age(s.catalog_xmin))::bigint
      FROM pg_replication_slots s WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
  ) held
 ORDER BY age_count DESC, begun_at
 LIMIT 5
