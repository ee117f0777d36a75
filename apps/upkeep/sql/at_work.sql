-- How far the statement of one session is: vacuum, analyze, or the build of an index; and for whom it waits.
-- Versions: 13 and later. Rights: one's own role's session, or pg_read_all_stats. Parameters: pid.
-- Columns: phase (NULL before it has begun), done_count and total_count (blocks; rows where a build goes by rows), unit, rounds_count
--   (of a vacuum over the indexes), waits_for (pids that hold the lock it waits for), lockers_count and lockers_done_count
--   (transactions that a concurrent build waits out), locker_pid (the present one of them).
-- Cost: three progress views, one row each.
SELECT coalesce(v.phase, n.phase, c.phase) AS phase,
       CASE WHEN v.pid IS NOT NULL THEN v.heap_blks_scanned WHEN n.pid IS NOT NULL THEN n.sample_blks_scanned
            WHEN c.blocks_total > 0 THEN c.blocks_done ELSE c.tuples_done END AS done_count,
       CASE WHEN v.pid IS NOT NULL THEN v.heap_blks_total WHEN n.pid IS NOT NULL THEN n.sample_blks_total
            WHEN c.blocks_total > 0 THEN c.blocks_total ELSE nullif(c.tuples_total, 0) END AS total_count,
       CASE WHEN c.pid IS NULL OR c.blocks_total > 0 THEN 'pages' ELSE 'rows' END AS unit,
       v.index_vacuum_count AS rounds_count,
       pg_blocking_pids(a.pid) AS waits_for,
       c.lockers_total AS lockers_count, c.lockers_done AS lockers_done_count, nullif(c.current_locker_pid, 0) AS locker_pid
  FROM pg_stat_activity a
  LEFT JOIN pg_stat_progress_vacuum v ON v.pid = a.pid
  LEFT JOIN pg_stat_progress_analyze n ON n.pid = a.pid
  LEFT JOIN pg_stat_progress_create_index c ON c.pid = a.pid
 WHERE a.pid = %(pid)s
