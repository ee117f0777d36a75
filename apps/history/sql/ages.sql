-- How many transactions ago each database was frozen, the 50 oldest. Versions: 13 and later. Rights: none. Parameters: none.
-- Columns: label (database), database_xid_age_count, database_multixact_age_count (both stop the server near 2,100 million).
-- Cost: one row a database.
SELECT datname::text AS label, age(datfrozenxid)::float8 AS database_xid_age_count,
       mxid_age(datminmxid)::float8 AS database_multixact_age_count
FROM pg_database
ORDER BY age(datfrozenxid) DESC, datname
LIMIT 50
