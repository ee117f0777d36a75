-- Ends a session if it is still the one that was chosen; no row where it is not. Servers: 13 and later.
-- Rights: pg_signal_backend, or the role of the session; a superuser's session takes a superuser.
-- Parameters: pid, begun_at (of the session, to the microsecond): a process id comes again.
-- Cost: one session, below 1 ms. The signal is sent where the row was compared, in one statement.
SELECT /* signalbox */ pg_terminate_backend(a.pid) AS told
FROM pg_stat_get_activity(%(pid)s) a
WHERE a.backend_start = %(begun_at)s AND a.backend_type = 'client backend'
