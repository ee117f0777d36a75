-- Sequences by how much of their range is used, the column's own type included.
-- Versions: 13 and later. Rights: last_value is NULL without USAGE or SELECT on the sequence, and where it was never used.
-- Parameters: most (rows).
-- Columns: schema, name, type, last_value, limit_value (the smaller of the sequence's end and its column's type),
--   is_cycling, is_readable, column_name (schema.table.column or NULL), column_type.
-- Cost: opens each sequence for an instant: some 20 µs each. Waits for one that is being altered (lock_timeout).
-- In two steps and not by pg_sequences: planning one join of ten catalogues took longer than the answer.
WITH found AS MATERIALIZED (
    SELECT s.seqrelid AS oid, n.nspname, c.relname, s.seqtypid, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
           has_sequence_privilege(s.seqrelid, 'USAGE') OR has_sequence_privilege(s.seqrelid, 'SELECT') AS is_readable
      FROM pg_sequence s
      JOIN pg_class c ON c.oid = s.seqrelid AND c.relkind = 'S'
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT pg_is_other_temp_schema(n.oid)
), owned AS MATERIALIZED (
    SELECT f.oid, format('%%I.%%I.%%I', n.nspname, t.relname, a.attname) AS column_name,
           (SELECT y.typname::text FROM pg_type y WHERE y.oid = a.atttypid) AS column_type
      FROM found f
      JOIN pg_depend d ON d.objid = f.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.deptype IN ('a', 'i')
      JOIN pg_class t ON t.oid = d.refobjid
      JOIN pg_namespace n ON n.oid = t.relnamespace
      JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
), ranged AS (
    SELECT f.nspname::text AS schema, f.relname::text AS name, format_type(f.seqtypid, NULL) AS type,
           CASE WHEN f.is_readable THEN pg_sequence_last_value(f.oid) END AS last_value,
           CASE WHEN f.seqincrement < 0 THEN f.seqmin
                ELSE least(f.seqmax, CASE o.column_type WHEN 'int2' THEN 32767 WHEN 'int4' THEN 2147483647 ELSE f.seqmax END)
           END AS limit_value,
           f.seqcycle AS is_cycling, f.is_readable, o.column_name, o.column_type
      FROM found f LEFT JOIN owned o ON o.oid = f.oid
)
SELECT schema, name, type, last_value, limit_value, is_cycling, is_readable, column_name, column_type
  FROM ranged
 ORDER BY last_value::numeric / nullif(limit_value, 0) DESC NULLS LAST, schema, name
 LIMIT %(most)s
