-- Statements by time, mean or calls, users and levels added up. Servers: extension 1.8 (PostgreSQL 13) and later.
-- Rights: pg_read_all_stats for the statements of others; without it their text and queryid are not told and they are left out.
-- Parameters: own (show this account's own statements as well), most (rows). {schema}, {order}: see statements.py.
-- Units: *_s seconds, blocks of block_bytes. *_in_all count all statements that this read looked at.
-- Cost: the extension reads its whole file of texts, up to some 10 MB: 5 to 50 ms at 5,000 statements.
WITH told AS (
  SELECT s.*, s.query LIKE '%%/* signalbox */%%' OR (s.userid = a.oid AND NOT a.rolsuper) AS is_own
  FROM {schema}.pg_stat_statements s
  JOIN pg_roles a ON a.rolname = current_user
  WHERE s.queryid IS NOT NULL
), added AS (
  SELECT
    dbid, queryid, min(left(query, 1000)) AS text,
    count(DISTINCT userid) AS users_count,
    bool_or(is_own) AS is_own,
    sum(calls)::bigint AS calls_count,
    sum(total_exec_time + total_plan_time) / 1000 AS total_s,
    sum(rows)::bigint AS rows_count,
    max(max_exec_time) / 1000 AS slowest_s,
    sum(shared_blks_hit)::bigint AS hit_blocks,
    sum(shared_blks_read)::bigint AS read_blocks,
    sum(temp_blks_written)::bigint AS temp_blocks,
    sum(wal_bytes)::bigint AS wal_bytes
  FROM told
  GROUP BY dbid, queryid
), counted AS (
  SELECT *,
    total_s / nullif(calls_count, 0) AS mean_s,
    count(*) OVER () AS statements_in_all,
    sum(total_s) OVER () AS seconds_in_all,
    sum(total_s) FILTER (WHERE is_own) OVER () AS own_seconds,
    count(*) FILTER (WHERE is_own) OVER () AS own_statements
  FROM added
)
SELECT /* signalbox */
  queryid, d.datname::text AS database, text, users_count, is_own,
  calls_count, total_s, mean_s, slowest_s, rows_count, hit_blocks, read_blocks, temp_blocks, wal_bytes,
  current_setting('block_size')::int AS block_bytes,
  statements_in_all, seconds_in_all, coalesce(own_seconds, 0) AS own_seconds, own_statements
FROM counted
LEFT JOIN pg_database d ON d.oid = counted.dbid
WHERE %(own)s OR NOT is_own
ORDER BY {order} DESC NULLS LAST, queryid
LIMIT %(most)s
