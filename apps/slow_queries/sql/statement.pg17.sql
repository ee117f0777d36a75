-- All figures of one statement, a row for each account, database and level.
-- Servers: extension 1.11 (PostgreSQL 17) and later, which renamed the times of reading and writing.
-- Rights: pg_read_all_stats for the rows of others. Parameters: queryid; {schema} is the extension's.
-- Units: *_s seconds, blocks of block_bytes. Cost: as statements.sql.
SELECT /* signalbox */
  queryid, d.datname::text AS database, coalesce(r.rolname::text, s.userid::text) AS account, toplevel AS is_top_level,
  left(s.query, 20000) AS text, length(s.query) AS text_length,
  calls AS calls_count, rows AS rows_count,
  total_exec_time / 1000 AS run_s, mean_exec_time / 1000 AS mean_s, min_exec_time / 1000 AS fastest_s,
  max_exec_time / 1000 AS slowest_s, stddev_exec_time / 1000 AS deviation_s,
  plans AS plans_count, total_plan_time / 1000 AS plan_s,
  shared_blks_hit AS hit_blocks, shared_blks_read AS read_blocks, shared_blks_dirtied AS dirtied_blocks,
  shared_blks_written AS written_blocks, temp_blks_read AS temp_read_blocks, temp_blks_written AS temp_written_blocks,
  shared_blk_read_time / 1000 AS reading_s, shared_blk_write_time / 1000 AS writing_s,
  wal_records AS wal_records_count, wal_bytes::bigint AS wal_bytes,
  stats_since AS since_at, current_setting('block_size')::int AS block_bytes, current_setting('track_io_timing')::bool AS is_io_timed
FROM {schema}.pg_stat_statements s
LEFT JOIN pg_roles r ON r.oid = s.userid
LEFT JOIN pg_database d ON d.oid = s.dbid
WHERE s.queryid = %(queryid)s
ORDER BY total_exec_time DESC
LIMIT 100
