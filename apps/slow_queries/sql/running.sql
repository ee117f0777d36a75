-- How many statements run for longer than a second now. Servers: 13 and later.
-- Rights: pg_read_all_stats (pg_monitor) for the sessions of others; theirs are not counted without it.
-- Parameters: none. Units: seconds. Cost: one pass over the sessions, below 1 ms.
SELECT /* signalbox */
  count(*) AS running_count,
  max(extract(epoch FROM clock_timestamp() - query_start))::float8 AS longest_s
FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND query_start < clock_timestamp() - interval '1 second'
