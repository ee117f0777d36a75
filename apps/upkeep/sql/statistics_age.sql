-- Since when this database's counters count.
-- Versions: 13 and later. Rights: none. Parameters: none.
-- Columns: began_at (last reset, or the server's start where there was none and it lost its statistics; may be NULL), started_at.
-- Cost: one row of a view.
SELECT s.stats_reset AS began_at, pg_postmaster_start_time() AS started_at
  FROM pg_stat_database s
 WHERE s.datname = current_database()
