-- What a dump of this database would hold, and what this account may not read of it.
-- Servers: 13 and newer. Rights: none. Parameters: none.
-- Columns: table_count (bigint), table_bytes (bigint, as the last vacuum or analyze counted), unreadable_count (bigint),
--   unreadable (text, one of them), filtered_count (bigint, tables whose rows are filtered for this account),
--   has_large_objects (bool), may_read_passwords (bool), is_standby (bool), size_bytes (bigint).
-- Cost: one pass over pg_class; locks nothing and opens no table.
WITH mine AS (
    SELECT c.oid, c.relkind, c.relpages,
           format('%I.%I', n.nspname, c.relname) AS name,
           c.relkind IN ('r', 'p', 'S')
             AND NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS is_unreadable,
           c.relrowsecurity AND row_security_active(c.oid) AS is_filtered
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
       AND n.nspname !~ '^pg_(toast_)?temp_'
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT count(*) FILTER (WHERE relkind = 'r') AS table_count,
       (coalesce(sum(relpages) FILTER (WHERE relkind IN ('r', 'm')), 0)
         + (SELECT coalesce(sum(t.relpages), 0) FROM pg_class t WHERE t.relkind = 't'
             AND t.oid IN (SELECT reltoastrelid FROM pg_class WHERE oid IN (SELECT oid FROM mine))))
         * current_setting('block_size')::bigint AS table_bytes,
       count(*) FILTER (WHERE is_unreadable) AS unreadable_count,
       min(name) FILTER (WHERE is_unreadable) AS unreadable,
       count(*) FILTER (WHERE is_filtered) AS filtered_count,
       EXISTS (SELECT FROM pg_largeobject_metadata) AS has_large_objects,
       has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may_read_passwords,
       pg_is_in_recovery() AS is_standby,
       pg_database_size(current_database()) AS size_bytes
  FROM mine
