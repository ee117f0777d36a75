-- Invalid indexes of a table, and of its TOAST table, that carry the name of a concurrent rebuild which did not end.
-- Versions: 13 and later. Rights: none. Parameters: oid (of the table).
-- Columns: oid, schema, name, size_bytes, is_being_built, may_drop.
-- Cost: one index look-up for each index of the table.
SELECT c.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS name, pg_relation_size(c.oid) AS size_bytes,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.relid = i.indrelid) AS is_being_built,
       pg_has_role(c.relowner, 'USAGE') AS may_drop
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE i.indrelid IN (%(oid)s::oid, (SELECT t.reltoastrelid FROM pg_class t WHERE t.oid = %(oid)s::oid))
   AND NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
 ORDER BY c.relname
 LIMIT 100
