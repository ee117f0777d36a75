-- Cancels what a session runs if it is still that statement of that session; no row where it is not. Servers: 13 and later.
-- Rights: pg_signal_backend, or the role of the session; a superuser's session takes a superuser.
-- Parameters: pid, begun_at (of the session), statement_at (of the statement), both to the microsecond: a process id comes again.
-- Cost: one session, below 1 ms. The signal is sent where the row was compared, in one statement.
SELECT /* signalbox */ pg_cancel_backend(a.pid) AS told
FROM pg_stat_get_activity(%(pid)s) a
WHERE a.backend_start = %(begun_at)s AND a.query_start = %(statement_at)s AND a.state IN ('active', 'fastpath function call')
