-- Who holds a lock on a table that a vacuum, an analyze or a rebuild has to wait for.
-- Versions: 13 and later. Rights: what other roles do is NULL without pg_read_all_stats. Parameters: oid (of the table).
-- Columns: pid (NULL for a prepared transaction), name (role), state, begun_at (of the transaction), mode, is_automatic (autovacuum,
--   which steps aside by itself after a second).
-- Cost: one look at the locks, below 1 ms.
SELECT l.pid, a.usename::text AS name, a.state, a.xact_start AS begun_at, l.mode,
       coalesce(a.backend_type = 'autovacuum worker', false) AS is_automatic
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.relation = %(oid)s::oid AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
 ORDER BY a.xact_start
 LIMIT 5
