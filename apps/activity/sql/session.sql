-- One session as it is now, before it is cancelled or ended. Servers: 13 and later.
-- Rights: pg_read_all_stats (pg_monitor) for state and times of others, which are null without it; the locks tell everybody.
-- Parameters: pid. Units: *_s seconds, never negative, null where nothing of the kind was begun.
-- is_written: it has changed something in this transaction. may_signal: whether this account may cancel and end it.
-- Cost: one session and one look at the lock table, below 1 ms.
SELECT /* signalbox */
  a.pid, r.rolname::text AS account, d.datname::text AS database, a.application_name AS application,
  CASE WHEN a.client_addr IS NOT NULL THEN host(a.client_addr) END AS client,
  a.backend_type, a.state, a.wait_event_type, a.wait_event,
  a.backend_start AS begun_at, a.query_start AS statement_at, a.xact_start AS transaction_at,
  CASE WHEN a.query_start IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.query_start), 0)::float8 END AS statement_s,
  CASE WHEN a.xact_start IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 END AS transaction_s,
  CASE WHEN a.state_change IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8 END AS state_s,
  a.backend_xid IS NOT NULL AS is_written,
  (SELECT count(*) FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation') AS locks_count,
  left(a.query, 1000) AS text,
  coalesce(r.rolsuper, false) AS is_superuser,
  current_user::text AS own_account,
  a.pid = pg_backend_pid() AS is_this,
  (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
    OR (r.oid IS NOT NULL AND NOT r.rolsuper AND (pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_signal_backend', 'USAGE')))
    OR (a.backend_type = 'autovacuum worker'
        AND EXISTS (SELECT FROM pg_roles WHERE rolname = 'pg_signal_autovacuum_worker' AND pg_has_role(oid, 'USAGE'))) AS may_signal
FROM pg_stat_get_activity(%(pid)s) a
LEFT JOIN pg_roles r ON r.oid = a.usesysid
LEFT JOIN pg_database d ON d.oid = a.datid
