-- What every kind of process read and wrote of tables and indexes. Versions: 18 and later, which count bytes. Rights: none. Parameters: none.
-- Columns: label (kind of process that did any, NULL: all), run (changes with every start and reset; of the row of all only),
--   io_read_total_bytes, io_write_total_bytes, io_extend_total_bytes (files made longer), io_fsync_total,
--   io_read_total_s and io_write_total_s (NULL without track_io_timing).
-- Cost: some 40 rows of a view.
SELECT backend_type AS label,
       CASE WHEN grouping(backend_type) = 1
            THEN pg_postmaster_start_time()::text || coalesce(' ' || max(stats_reset)::text, '') END AS run,
       coalesce(sum(read_bytes), 0)::float8 AS io_read_total_bytes,
       coalesce(sum(write_bytes), 0)::float8 AS io_write_total_bytes,
       coalesce(sum(extend_bytes), 0)::float8 AS io_extend_total_bytes,
       coalesce(sum(fsyncs), 0)::float8 AS io_fsync_total,
       CASE WHEN current_setting('track_io_timing')::bool THEN coalesce(sum(read_time), 0) / 1000 END::float8 AS io_read_total_s,
       CASE WHEN current_setting('track_io_timing')::bool
            THEN coalesce(sum(coalesce(write_time, 0) + coalesce(extend_time, 0)), 0) / 1000 END::float8 AS io_write_total_s
FROM pg_stat_io
WHERE object IN ('relation', 'temp relation')
GROUP BY GROUPING SETS ((), (backend_type))
HAVING grouping(backend_type) = 1 OR sum(coalesce(reads, 0) + coalesce(writes, 0) + coalesce(extends, 0)) > 0
LIMIT 40
