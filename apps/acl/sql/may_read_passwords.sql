-- Whether this account may see how passwords are kept.
-- Versions: 13 and later. Rights: none. Parameters: none. Columns: may_read. Cost: one look at the catalogue.
SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may_read
