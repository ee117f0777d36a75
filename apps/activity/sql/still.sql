-- Whether a session is still there, and whether it still runs that statement. Servers: 13 and later.
-- Rights: pg_read_all_stats (pg_monitor) for the sessions of others.
-- Parameters: pid, begun_at (of the session), statement_at (of the statement, null for none). Cost: one session, far below 1 ms.
SELECT /* signalbox */
  coalesce(a.query_start = %(statement_at)s::timestamptz AND a.state IN ('active', 'fastpath function call'), false) AS runs,
  a.state
FROM pg_stat_get_activity(%(pid)s) a
WHERE a.backend_start = %(begun_at)s
