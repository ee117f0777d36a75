-- The databases of the cluster: size, and the age of their oldest transaction and multixact id against the limits.
-- Versions: 13 and later. Rights: none; the size is NULL without CONNECT on the database or pg_read_all_stats.
-- Parameters: none. At most 500 rows, oldest transaction id first.
-- Columns: name, size_bytes, is_connectable, is_template, xid_age (transactions), multixact_age (multixacts),
--   freeze_max_age and multixact_freeze_max_age (the ages that force a vacuum).
-- Cost: sizes look at every file of a database: some ms per thousand files. No lock on tables.
SELECT d.datname::text AS name,
       CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
            THEN pg_database_size(d.oid) END AS size_bytes,
       d.datallowconn AND has_database_privilege(d.oid, 'CONNECT') AS is_connectable,
       d.datistemplate AS is_template,
       age(d.datfrozenxid) AS xid_age,
       mxid_age(d.datminmxid) AS multixact_age,
       current_setting('autovacuum_freeze_max_age')::bigint AS freeze_max_age,
       current_setting('autovacuum_multixact_freeze_max_age')::bigint AS multixact_freeze_max_age
  FROM pg_database d
 ORDER BY greatest(age(d.datfrozenxid), mxid_age(d.datminmxid)) DESC, d.datname
 LIMIT 500
