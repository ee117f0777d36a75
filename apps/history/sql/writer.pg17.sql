-- Checkpoints and the background writer. Versions: 17 and later, which count checkpoints in a view of their own.
-- Rights: none. Parameters: none. Cost: one row of each of two views.
-- Columns: run (changes with every start and reset), checkpoints_timed_total, checkpoints_requested_total,
--   checkpoint_write_total_s and checkpoint_sync_total_s (both counted when a checkpoint ends), buffers_checkpoint_total,
--   buffers_cleaned_total, buffers_backend_total (NULL: from 17 on what sessions write is in pg_stat_io only),
--   buffers_allocated_total, cleaning_stopped_total (rounds of the background writer that ended at bgwriter_lru_maxpages).
SELECT pg_postmaster_start_time()::text || coalesce(' ' || greatest(c.stats_reset, w.stats_reset)::text, '') AS run,
       (c.num_timed + c.restartpoints_timed)::float8 AS checkpoints_timed_total,
       (c.num_requested + c.restartpoints_req)::float8 AS checkpoints_requested_total,
       c.write_time / 1000 AS checkpoint_write_total_s,
       c.sync_time / 1000 AS checkpoint_sync_total_s,
       c.buffers_written::float8 AS buffers_checkpoint_total,
       w.buffers_clean::float8 AS buffers_cleaned_total,
       NULL::float8 AS buffers_backend_total,
       w.buffers_alloc::float8 AS buffers_allocated_total,
       w.maxwritten_clean::float8 AS cleaning_stopped_total
FROM pg_stat_checkpointer c, pg_stat_bgwriter w
