-- Cancel the statement of one session, and of no other that has its process number by now.
-- Versions: 13 and later. Rights: the session's own role, or pg_signal_backend. Parameters: pid, began_at, application.
-- Columns: cancelled (whether the signal was sent; no row where that session is not at work any more).
-- Cost: one signal.
SELECT pg_cancel_backend(pid) AS cancelled
  FROM pg_stat_activity
 WHERE pid = %(pid)s AND backend_start = %(began_at)s AND application_name = %(application)s AND state = 'active'
