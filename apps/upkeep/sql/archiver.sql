-- Whether finished WAL is archived, and how the last tries ended.
-- Versions: 13 and later. Rights: none; the archive command itself is not read. Parameters: none.
-- Columns: mode (off, on, always), archived_count, archived_at, failed_count, failed_at, failed_file, counts_since.
-- Cost: one row of a view.
SELECT current_setting('archive_mode') AS mode, archived_count, last_archived_time AS archived_at,
       failed_count, last_failed_time AS failed_at, last_failed_wal AS failed_file, stats_reset AS counts_since
  FROM pg_stat_archiver
