-- Sessions, those that do something first. Servers: 13 and later.
-- Rights: pg_read_all_stats (pg_monitor) for the state and the statements of others, which are null without it.
-- Parameters: most (rows), idle (show idle sessions as well), needed (process ids that are told first, idle or not).
-- Units: *_s seconds, never negative, null where nothing of the kind was begun or the state is hidden.
-- The server's own processes that serve no database are left out.
-- Cost: one pass over the sessions, below 1 ms at 200 sessions; statements are cut at 1,000 characters.
SELECT /* signalbox */
  a.pid, a.usename::text AS account, a.datname::text AS database, a.application_name AS application,
  CASE WHEN a.client_addr IS NOT NULL THEN host(a.client_addr) END AS client,
  a.backend_type, a.state, a.wait_event_type, a.wait_event, a.backend_start AS begun_at, a.query_start AS statement_at,
  greatest(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8 AS age_s,
  CASE WHEN a.xact_start IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 END AS transaction_s,
  CASE WHEN a.query_start IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.query_start), 0)::float8 END AS statement_s,
  CASE WHEN a.state_change IS NOT NULL THEN greatest(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8 END AS state_s,
  left(a.query, 1000) AS text
FROM pg_stat_activity a
WHERE a.pid <> pg_backend_pid()
  AND (%(idle)s OR a.state IS DISTINCT FROM 'idle' OR a.pid = ANY(%(needed)s))
  AND (a.datid IS NOT NULL OR a.backend_type IN ('client backend', 'walsender', 'background worker'))
ORDER BY
  CASE WHEN a.pid = ANY(%(needed)s) THEN 0 ELSE 1 END,
  CASE a.state WHEN 'active' THEN 0 WHEN 'fastpath function call' THEN 0 WHEN 'idle in transaction' THEN 1
    WHEN 'idle in transaction (aborted)' THEN 1 WHEN 'idle' THEN 3 ELSE 2 END,
  coalesce(a.xact_start, a.query_start, a.backend_start), a.pid
LIMIT %(most)s
