-- Whether pg_stat_statements can be read, and what is missing. Servers: 13 and later. Rights: none.
-- Parameters: none. Cost: three settings, 0.2 ms; where the extension is not in use also one pass over a folder of the server
-- (pg_available_extensions opens a file for each). pg_settings is not asked: it makes all its rows for one.
-- available: its files are installed, or it is loaded and created; preloaded: its setting exists, so its library was loaded at
-- the start; schema, version: as created in this database, or null; libraries: null without pg_read_all_settings;
-- sees_all: may read the statements of others; most_count: pg_stat_statements.max; track: what it counts;
-- may_use, may_read: the rights on its schema and its view, null where it is not created.
WITH told AS MATERIALIZED (
  SELECT
    CASE WHEN pg_has_role('pg_read_all_settings', 'USAGE') THEN current_setting('shared_preload_libraries') END AS libraries,
    current_setting('pg_stat_statements.max', true) AS most,
    current_setting('pg_stat_statements.track', true) AS track
), created AS MATERIALIZED (
  SELECT e.extversion AS version, n.nspname::text AS schema,
    has_schema_privilege(n.oid, 'USAGE') AS may_use,
    coalesce((SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c
      WHERE c.relnamespace = n.oid AND c.relname = 'pg_stat_statements'), false) AS may_read
  FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_stat_statements'
)
SELECT /* signalbox */
  CASE WHEN told.most IS NOT NULL AND created.version IS NOT NULL THEN true
    ELSE EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') END AS available,
  told.most IS NOT NULL AS preloaded,
  created.version, created.schema, told.libraries,
  pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
  told.most::int AS most_count, told.track,
  current_user::text AS account,
  current_database()::text AS database,
  created.may_use, created.may_read
FROM told LEFT JOIN created ON true
