-- Tables that may be an outbox, by name: each with its columns, its key, and whether this account may read it.
-- Server: 13 and later. Rights: none beyond connecting; the catalogue is readable by all.
-- Parameters: most (rows at most).
-- Columns: schema, name, estimated_count (rows by the last ANALYZE, -1 never analysed), readable (SELECT granted),
--   key (the column of a primary key of one column, or null), columns (names), types (type names, in the same order).
-- Cost: one scan of pg_class by name, some milliseconds with 10,000 tables.
SELECT n.nspname AS schema,
       c.relname AS name,
       c.reltuples::bigint AS estimated_count,
       has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
       (SELECT a.attname
          FROM pg_index i
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
         WHERE i.indrelid = c.oid AND i.indisprimary AND i.indnkeyatts = 1) AS key,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum) AS types
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p')
   AND NOT c.relispartition
   AND c.relname ILIKE '%%outbox%%'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\_%%'
 GROUP BY n.nspname, c.oid, c.relname, c.reltuples, n.oid
 ORDER BY n.nspname, c.relname
 LIMIT %(most)s
