-- Since when statements are counted. Servers: extension 1.8, which tells neither the reset nor evictions.
-- Rights: none. Parameters: none; {schema} is the extension's. Cost: below 1 ms.
SELECT /* signalbox */
  NULL::timestamptz AS reset_at,
  NULL::bigint AS evicted_count,
  pg_postmaster_start_time() AS started_at
