-- Sequences by how much of their range is used, the column's own type included.
-- Versions: 13 and later. Rights: last_value is NULL without USAGE or SELECT on the sequence, and where it was never used.
-- Parameters: most (rows).
-- Columns: schema, name, type, last_value, limit_value (the smaller of the sequence's end and its column's type),
--   is_cycling, is_readable, column_name (schema.table.column or NULL), column_type.
-- Cost: opens each sequence for an instant: some 20 µs each. Waits for one that is being altered (lock_timeout).
WITH owned AS (
    SELECT d.objid, format('%%I.%%I.%%I', n.nspname, t.relname, a.attname) AS column_name, y.typname::text AS column_type
      FROM pg_depend d
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_namespace n ON n.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
      JOIN pg_type y ON y.oid = a.atttypid
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
), ranged AS (
    SELECT s.schemaname::text AS schema, s.sequencename::text AS name, s.data_type::text AS type, s.last_value, s.cycle AS is_cycling,
           s.increment_by, s.min_value, s.max_value, c.oid, o.column_name, o.column_type,
           CASE WHEN s.increment_by < 0 THEN s.min_value
                ELSE least(s.max_value, CASE o.column_type WHEN 'int2' THEN 32767 WHEN 'int4' THEN 2147483647 ELSE s.max_value END)
           END AS limit_value
      FROM pg_sequences s
      JOIN pg_namespace n ON n.nspname = s.schemaname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename AND c.relkind = 'S'
      LEFT JOIN owned o ON o.objid = c.oid
)
SELECT schema, name, type, last_value, limit_value, is_cycling,
       has_sequence_privilege(oid, 'USAGE') OR has_sequence_privilege(oid, 'SELECT') AS is_readable,
       column_name, column_type
  FROM ranged
 ORDER BY last_value::numeric / nullif(limit_value, 0) DESC NULLS LAST, schema, name
 LIMIT %(most)s
