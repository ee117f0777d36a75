-- Who the server is. Versions: 13 and later. Rights: none. Parameters: none. Cost: no table is read.
-- Columns: version, role (primary|replica), run (changes with every start), up_s, clients_max_count.
SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
       CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE 'primary' END AS role,
       pg_postmaster_start_time()::text AS run,
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8 AS up_s,
       current_setting('max_connections')::int AS clients_max_count
