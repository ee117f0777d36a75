-- The largest tables of this database: sizes, live and dead rows, last vacuum and analyze, scans, own vacuum trigger.
-- Versions: 13 and later. Rights: none beyond CONNECT.
-- Parameters: most (rows).
-- Columns: schema, name, kind (r table, m materialized view), table_bytes and toast_bytes and indexes_bytes (NULL while
--   somebody holds it exclusively), estimated_rows (NULL never analyzed), live_count, dead_count, changed_count (rows
--   since the last analyze), vacuumed_at, is_vacuumed_automatically, analyzed_at, sequential_count, index_count (scans),
--   trigger_count (dead rows that start an autovacuum), is_autovacuum_on, xid_age (transactions).
-- Cost: ranks by page counts of the catalogue, then opens the files of the chosen ones only; 20 ms on 10,000 tables.
-- A share lock for an instant on each chosen table; one that is held exclusively is left alone.
WITH locked AS MATERIALIZED (
    SELECT relation FROM pg_locks
     WHERE mode = 'AccessExclusiveLock' AND granted AND relation IS NOT NULL
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), ranked AS MATERIALIZED (
    SELECT c.oid, c.relname, n.nspname, c.relkind, c.reltoastrelid, c.reltuples, c.reloptions, c.relfrozenxid,
           pg_stat_get_live_tuples(c.oid) AS n_live_tup, pg_stat_get_dead_tuples(c.oid) AS n_dead_tup, x.index_oids
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (SELECT array_agg(i.indexrelid) AS index_oids, sum(k.relpages) AS pages_count
                           FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid WHERE i.indrelid = c.oid) x
     WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_toast%%'
     ORDER BY greatest(c.relpages::bigint, (pg_stat_get_live_tuples(c.oid) + pg_stat_get_dead_tuples(c.oid)) / 100)
              + coalesce((SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid), 0)
              + coalesce(x.pages_count, 0) DESC, c.oid
     LIMIT %(most)s
), chosen AS MATERIALIZED (
    SELECT r.*,
           EXISTS (SELECT FROM locked l WHERE l.relation = r.oid OR l.relation = r.reltoastrelid
                                           OR l.relation = ANY (r.index_oids)) AS is_locked,
           pg_stat_get_last_vacuum_time(r.oid) AS last_vacuum, pg_stat_get_last_autovacuum_time(r.oid) AS last_autovacuum,
           pg_stat_get_last_analyze_time(r.oid) AS last_analyze, pg_stat_get_last_autoanalyze_time(r.oid) AS last_autoanalyze,
           (SELECT jsonb_object_agg(option_name, option_value) FROM pg_options_to_table(r.reloptions)) AS own
      FROM ranked r
)
SELECT r.nspname::text AS schema, r.relname::text AS name, r.relkind::text AS kind,
       CASE WHEN NOT r.is_locked
            THEN pg_table_size(r.oid) - coalesce(pg_total_relation_size(nullif(r.reltoastrelid, 0)), 0) END AS table_bytes,
       CASE WHEN NOT r.is_locked
            THEN coalesce(pg_total_relation_size(nullif(r.reltoastrelid, 0)), 0) END AS toast_bytes,
       CASE WHEN NOT r.is_locked THEN pg_indexes_size(r.oid) END AS indexes_bytes,
       CASE WHEN r.reltuples >= 0 THEN r.reltuples::bigint END AS estimated_rows,
       r.n_live_tup AS live_count, r.n_dead_tup AS dead_count, pg_stat_get_mod_since_analyze(r.oid) AS changed_count,
       greatest(r.last_vacuum, r.last_autovacuum) AS vacuumed_at,
       coalesce(r.last_autovacuum >= coalesce(r.last_vacuum, r.last_autovacuum), false) AS is_vacuumed_automatically,
       greatest(r.last_analyze, r.last_autoanalyze) AS analyzed_at,
       pg_stat_get_numscans(r.oid) AS sequential_count,
       (SELECT sum(pg_stat_get_numscans(i))::bigint FROM unnest(r.index_oids) i) AS index_count,
       (coalesce((r.own ->> 'autovacuum_vacuum_threshold')::numeric, current_setting('autovacuum_vacuum_threshold')::numeric)
        + coalesce((r.own ->> 'autovacuum_vacuum_scale_factor')::numeric,
                   current_setting('autovacuum_vacuum_scale_factor')::numeric) * greatest(r.reltuples, 0)::numeric
       )::bigint AS trigger_count,
       coalesce((r.own ->> 'autovacuum_enabled')::boolean, true) AND current_setting('autovacuum')::boolean AS is_autovacuum_on,
       CASE WHEN r.relfrozenxid::text <> '0' THEN age(r.relfrozenxid) END AS xid_age
  FROM chosen r
