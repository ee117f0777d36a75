-- Connections by who holds them, the largest group first. Servers: 13 and later.
-- Rights: pg_read_all_stats (pg_monitor) for the state of others; it is null (told as hidden) without it.
-- Parameters: most (rows). Units: counts. *_in_all count every client's connection, this one included.
-- Cost: one pass over the sessions, below 1 ms at 200 sessions.
SELECT /* signalbox */
  usename::text AS account, datname::text AS database, application_name AS application, host(client_addr) AS client,
  count(*) AS connections_count,
  count(*) FILTER (WHERE state IN ('active', 'fastpath function call')) AS active_count,
  count(*) FILTER (WHERE state LIKE 'idle in transaction%%') AS idle_in_transaction_count,
  count(*) FILTER (WHERE state = 'idle') AS idle_count,
  count(*) FILTER (WHERE state IS NULL OR state = 'disabled') AS hidden_count,
  extract(epoch FROM max(clock_timestamp() - state_change) FILTER (WHERE state LIKE 'idle in transaction%%'))::float8
    AS longest_idle_in_transaction_s,
  sum(count(*)) OVER ()::bigint AS connections_in_all,
  sum(count(*) FILTER (WHERE state IN ('active', 'fastpath function call'))) OVER ()::bigint AS active_in_all,
  sum(count(*) FILTER (WHERE state LIKE 'idle in transaction%%')) OVER ()::bigint AS idle_in_transaction_in_all,
  sum(count(*) FILTER (WHERE state = 'idle')) OVER ()::bigint AS idle_in_all,
  sum(count(*) FILTER (WHERE state IS NULL OR state = 'disabled')) OVER ()::bigint AS hidden_in_all,
  current_setting('max_connections')::int AS most_connections_count,
  pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
  current_user::text AS own_account
FROM pg_stat_activity
WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)
GROUP BY 1, 2, 3, 4
ORDER BY connections_count DESC, account, database, application, client
LIMIT %(most)s
