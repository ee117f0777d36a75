-- The databases that could be dumped, the largest first where their sizes may be read.
-- Servers: 13 and newer. Rights: none; sizes need CONNECT or pg_read_all_stats. Parameters: none.
-- Columns: name (text), size_bytes (bigint, null where it may not be read), may_connect (bool).
-- Cost: one stat a file of each database; locks nothing.
SELECT d.datname::text AS name,
       CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
            THEN pg_database_size(d.oid) END AS size_bytes,
       has_database_privilege(d.oid, 'CONNECT') AS may_connect
  FROM pg_database d
 WHERE d.datallowconn AND NOT d.datistemplate
 ORDER BY size_bytes DESC NULLS LAST, name
 LIMIT 1000
