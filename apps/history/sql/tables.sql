-- The 50 largest tables of this database, the share of dead rows, and how long ago each was vacuumed.
-- Versions: 13 and later. Rights: none beyond CONNECT. Parameters: none.
-- Columns: label (schema.table), table_bytes (with its TOAST, without indexes; NULL while somebody holds it exclusively),
--   dead_rows_ratio (of live and dead; 0 when empty), vacuum_age_s (NULL: never vacuumed since statistics are kept).
-- Cost: ranks by the page counts of the catalogue and opens the files of the chosen ones: 20 ms on 10,000 tables.
WITH held AS MATERIALIZED (
       SELECT relation FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL
     ),
     largest AS MATERIALIZED (
       SELECT c.oid, n.nspname || '.' || c.relname AS label, c.reltoastrelid,
              pg_stat_get_live_tuples(c.oid) AS live_count, pg_stat_get_dead_tuples(c.oid) AS dead_count,
              greatest(pg_stat_get_last_vacuum_time(c.oid), pg_stat_get_last_autovacuum_time(c.oid)) AS vacuumed_at
       FROM pg_class c
       JOIN pg_namespace n ON n.oid = c.relnamespace
       LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
       WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       ORDER BY greatest(c.relpages::bigint, (pg_stat_get_live_tuples(c.oid) + pg_stat_get_dead_tuples(c.oid)) / 100)
                + coalesce(t.relpages, 0) DESC, c.oid
       LIMIT 50
     )
SELECT label,
       CASE WHEN NOT EXISTS (SELECT FROM held h WHERE h.relation IN (l.oid, l.reltoastrelid))
            THEN pg_table_size(l.oid) END::float8 AS table_bytes,
       coalesce(dead_count::float8 / nullif(live_count + dead_count, 0), 0) AS dead_rows_ratio,
       extract(epoch FROM clock_timestamp() - vacuumed_at)::float8 AS vacuum_age_s
FROM largest l
