-- Since when statements are counted, and how often rare ones were evicted. Servers: extension 1.9 (PostgreSQL 14) and later.
-- Rights: none. Parameters: none; {schema} is the extension's. Cost: below 1 ms.
SELECT /* signalbox */
  stats_reset AS reset_at,
  dealloc AS evicted_count,
  pg_postmaster_start_time() AS started_at
FROM {schema}.pg_stat_statements_info
