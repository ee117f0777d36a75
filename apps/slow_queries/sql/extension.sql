-- Whether pg_stat_statements can be read, and what is missing. Servers: 13 and later. Rights: none.
-- Parameters: none. Cost: catalogues only, below 1 ms (pg_available_extensions reads a folder of the server).
-- available: its files are installed; preloaded: its setting exists, so its library was loaded at the start;
-- installed, schema, version: as created in this database, or null; libraries: null without pg_read_all_settings;
-- sees_all: may read the statements of others; most_count: pg_stat_statements.max; track: what it counts.
SELECT /* signalbox */
  EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS available,
  EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max') AS preloaded,
  (SELECT extversion FROM pg_extension WHERE extname = 'pg_stat_statements') AS version,
  (SELECT nspname::text FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE extname = 'pg_stat_statements') AS schema,
  (SELECT setting FROM pg_settings WHERE name = 'shared_preload_libraries') AS libraries,
  pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all,
  (SELECT setting::int FROM pg_settings WHERE name = 'pg_stat_statements.max') AS most_count,
  (SELECT setting FROM pg_settings WHERE name = 'pg_stat_statements.track') AS track,
  current_user::text AS account,
  current_database()::text AS database
