-- What was read into shared buffers, and how long sessions waited for it. Versions: 13 to 15. Rights: none. Parameters: none.
-- Columns: label (NULL: all), run (changes with every start and reset), io_read_total_bytes, io_write_total_bytes and
--   io_extend_total_bytes (NULL: not counted before 16), io_fsync_total (NULL), io_read_total_s and io_write_total_s (NULL
--   without track_io_timing).
-- Cost: one row a database.
SELECT NULL::text AS label,
       pg_postmaster_start_time()::text || coalesce(' ' || max(stats_reset)::text, '') AS run,
       sum(blks_read)::float8 * current_setting('block_size')::int AS io_read_total_bytes,
       NULL::float8 AS io_write_total_bytes,
       NULL::float8 AS io_extend_total_bytes,
       NULL::float8 AS io_fsync_total,
       CASE WHEN current_setting('track_io_timing')::bool THEN sum(blk_read_time) / 1000 END::float8 AS io_read_total_s,
       CASE WHEN current_setting('track_io_timing')::bool THEN sum(blk_write_time) / 1000 END::float8 AS io_write_total_s
FROM pg_stat_database
