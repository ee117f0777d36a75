-- What one relation is, how large, and whether this account may maintain it: the ground of a plan.
-- Versions: 17 and later, where MAINTAIN can be granted. Rights: none beyond CONNECT. Parameters: schema, name.
-- Columns: oid, kind (pg_class.relkind), persistence, owner, account, is_standby, table_oid and table_schema and table_name (the
--   indexed table of an index, else the relation itself), toast_oid (0 for none), size_bytes (its own files), toast_bytes,
--   indexes_bytes, pages_count, clean_pages_count (pages that a vacuum may skip), live_count, dead_count, changed_count (rows since
--   the last analyze), vacuumed_at, analyzed_at, index_count, partition_count, is_valid and is_exclusion and definition (of an index),
--   may_vacuum, may_rebuild, may_drop.
-- Cost: opens the files of one relation, below 1 ms. A share lock for an instant: one that is held exclusively is not waited for.
SELECT c.oid::bigint AS oid, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       pg_get_userbyid(c.relowner)::text AS owner, current_user::text AS account, pg_is_in_recovery() AS is_standby,
       coalesce(i.indrelid, c.oid)::bigint AS table_oid, tn.nspname::text AS table_schema, t.relname::text AS table_name,
       t.reltoastrelid::bigint AS toast_oid,
       pg_relation_size(c.oid) AS size_bytes,
       coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS toast_bytes,
       pg_indexes_size(c.oid) AS indexes_bytes,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages_count,
       c.relallvisible::bigint AS clean_pages_count,
       pg_stat_get_live_tuples(t.oid) AS live_count, pg_stat_get_dead_tuples(t.oid) AS dead_count,
       pg_stat_get_mod_since_analyze(t.oid) AS changed_count,
       greatest(pg_stat_get_last_vacuum_time(t.oid), pg_stat_get_last_autovacuum_time(t.oid)) AS vacuumed_at,
       greatest(pg_stat_get_last_analyze_time(t.oid), pg_stat_get_last_autoanalyze_time(t.oid)) AS analyzed_at,
       (SELECT count(*) FROM pg_index x WHERE x.indrelid = t.oid)::int AS index_count,
       (SELECT count(*) FROM pg_inherits h WHERE h.inhparent = c.oid)::int AS partition_count,
       coalesce(i.indisvalid, true) AS is_valid, coalesce(i.indisexclusion, false) AS is_exclusion,
       CASE WHEN i.indexrelid IS NOT NULL THEN left(pg_get_indexdef(c.oid), 500) END AS definition,
       has_table_privilege(t.oid, 'MAINTAIN')
         OR coalesce(pg_has_role((SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()), 'USAGE'), false) AS may_vacuum,
       has_table_privilege(t.oid, 'MAINTAIN') AS may_rebuild,
       pg_has_role(c.relowner, 'USAGE') AS may_drop
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  JOIN pg_class t ON t.oid = coalesce(i.indrelid, c.oid)
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE n.nspname = %(schema)s AND c.relname = %(name)s
