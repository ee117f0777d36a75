-- The vacuums that run now, everywhere in the cluster; table names only for this database.
-- Versions: 17 and later, which count the indexes too. Rights: progress of other roles is NULL without pg_read_all_stats. Parameters: none.
-- Columns: pid, database, table_name, phase, is_automatic, begun_at, heap_total_blocks, heap_scanned_blocks,
--   heap_vacuumed_blocks, index_round_count,
--   index_total_count, index_done_count.
-- Cost: one row a vacuum.
SELECT p.pid, p.datname::text AS database,
       CASE WHEN p.datname = current_database() THEN p.relid::regclass::text END AS table_name,
       p.phase, a.backend_type = 'autovacuum worker' AS is_automatic, a.xact_start AS begun_at,
       p.heap_blks_total AS heap_total_blocks, p.heap_blks_scanned AS heap_scanned_blocks,
       p.heap_blks_vacuumed AS heap_vacuumed_blocks, p.index_vacuum_count AS index_round_count,
       p.indexes_total AS index_total_count, p.indexes_processed AS index_done_count
  FROM pg_stat_progress_vacuum p LEFT JOIN pg_stat_activity a ON a.pid = p.pid
 ORDER BY a.xact_start
 LIMIT 100
