-- Who waits for a lock, for which, and who stands in the way. Servers: 13, which does not tell since when.
-- Rights: none (pg_locks and pg_blocking_pids tell everybody).
-- Parameters: most (waiting sessions, the longest waiting first where that is known). Units: wait_s seconds, null where unknown.
-- blockers may name a session twice and 0 for a prepared transaction; it holds those queued before it as well.
-- Cost: one look at the lock table and one more for each waiting session, under the lock manager's own locks: 6 ms at 14 waits.
WITH waits AS (
  SELECT DISTINCT ON (pid) pid, locktype, mode, database, relation, NULL::timestamptz AS since_at
  FROM pg_locks WHERE NOT granted ORDER BY pid, since_at
), chosen AS (
  SELECT * FROM waits ORDER BY since_at NULLS LAST, pid LIMIT %(most)s
)
SELECT /* signalbox */
  w.pid, pg_blocking_pids(w.pid) AS blockers, w.locktype AS lock_type, w.mode,
  coalesce(own.name, other.name) AS relation,
  CASE WHEN w.since_at IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - w.since_at), 0)::float8 END AS wait_s,
  (SELECT count(*) FROM waits) AS waits_in_all
FROM chosen w
LEFT JOIN LATERAL (
  SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.oid = w.relation AND w.database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
) own ON true
LEFT JOIN LATERAL (
  SELECT n.nspname || '.' || c.relname AS name
  FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE l.pid = w.pid AND l.granted AND l.locktype = 'tuple' AND w.locktype = 'transactionid'
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  LIMIT 1
) other ON true
ORDER BY w.since_at NULLS LAST, w.pid
