-- Checkpoints and the background writer. Versions: 13 to 16. Rights: none. Parameters: none. Cost: one row of a view.
-- Columns: run (changes with every start and reset), checkpoints_timed_total, checkpoints_requested_total,
--   checkpoint_write_total_s and checkpoint_sync_total_s (both counted when a checkpoint ends), buffers_checkpoint_total,
--   buffers_cleaned_total, buffers_backend_total (written by sessions themselves), buffers_allocated_total,
--   cleaning_stopped_total (rounds of the background writer that had to end at bgwriter_lru_maxpages).
SELECT pg_postmaster_start_time()::text || coalesce(' ' || stats_reset::text, '') AS run,
       checkpoints_timed::float8 AS checkpoints_timed_total,
       checkpoints_req::float8 AS checkpoints_requested_total,
       checkpoint_write_time / 1000 AS checkpoint_write_total_s,
       checkpoint_sync_time / 1000 AS checkpoint_sync_total_s,
       buffers_checkpoint::float8 AS buffers_checkpoint_total,
       buffers_clean::float8 AS buffers_cleaned_total,
       buffers_backend::float8 AS buffers_backend_total,
       buffers_alloc::float8 AS buffers_allocated_total,
       maxwritten_clean::float8 AS cleaning_stopped_total
FROM pg_stat_bgwriter
