-- What is this PostgreSQL, and how is this session connected to it?
-- Versions: 13 and newer. Rights: none (pg_database_size needs CONNECT, which the session has). Parameters: none.
-- Columns: is_standby boolean, behind_s double precision (of a standby), size_bytes bigint (of this database), started_at timestamptz, standbys_count bigint,
--   tls_version text (empty without TLS), account text, is_superuser boolean, database text.
-- Cost: pg_database_size stats every file of the database: 1 ms for a few hundred tables.
SELECT
    pg_is_in_recovery() AS is_standby,
    CASE WHEN pg_is_in_recovery() THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp())::double precision
    END AS behind_s,
    pg_database_size(current_database()) AS size_bytes,
    pg_postmaster_start_time() AS started_at,
    (SELECT count(*) FROM pg_catalog.pg_stat_get_wal_senders() AS sender WHERE sender.pid IS NOT NULL) AS standbys_count,
    coalesce((SELECT version FROM pg_catalog.pg_stat_ssl WHERE pid = pg_backend_pid()), '') AS tls_version,
    current_user::text AS account,
    current_setting('is_superuser') = 'on' AS is_superuser,
    current_database()::text AS database
