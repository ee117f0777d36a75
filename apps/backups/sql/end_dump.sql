-- End what a dump that was stopped left on the server: its sessions, by the name that they have of their run.
-- Servers: 13 and newer. Rights: none, sessions of one's own role. Parameters: name (text). Columns: ended (bool).
-- Cost: one look at the sessions.
SELECT pg_terminate_backend(pid) AS ended
  FROM pg_stat_activity
 WHERE application_name = %(name)s AND usename = current_user AND pid <> pg_backend_pid()
