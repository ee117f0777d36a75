-- The tables of this database whose oldest transaction id is furthest back: what a freeze has to visit first.
-- Versions: 13 and later. Rights: none. Parameters: most (rows).
-- Columns: schema, name, xid_age (transactions), multixact_age (multixacts).
-- Cost: one pass over pg_class; nothing is opened.
SELECT n.nspname::text AS schema, c.relname::text AS name, age(c.relfrozenxid) AS xid_age, mxid_age(c.relminmxid) AS multixact_age
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm', 't') AND c.relfrozenxid::text <> '0'
 ORDER BY age(c.relfrozenxid) DESC, c.oid
 LIMIT %(most)s
