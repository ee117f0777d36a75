-- The load of one server. Versions: 13 (a wait for a lock is dated by its statement's begin, known with pg_read_all_stats only).
-- Rights: none; ages and lags of others need pg_read_all_stats and are NULL without. Parameters: none. Cost: 1 to 3 ms.
-- Columns: *_count, *_total since the statistics were reset, *_s in seconds, archive_status (ok|failing, NULL: not archiving).
WITH privileged AS (SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS yes),
     totals AS (
       SELECT coalesce(sum(numbackends), 0)::int AS clients_count,
              coalesce(sum(xact_commit + xact_rollback), 0)::float8 AS transactions_total,
              coalesce(sum(blks_hit), 0)::float8 AS blocks_hit_total,
              coalesce(sum(blks_read), 0)::float8 AS blocks_read_total
       FROM pg_stat_database
     ),
     waits AS (
       SELECT count(DISTINCT l.pid)::int AS waiting_count,
              extract(epoch FROM clock_timestamp() - min(a.query_start))::float8 AS longest_wait_s
       FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
       WHERE NOT l.granted
     ),
     replicas AS (
       SELECT count(*)::int AS connected_replicas_count,
              extract(epoch FROM max(coalesce(replay_lag, interval '0'))) AS lag_s
       FROM pg_stat_replication
       WHERE state IS NULL OR state = 'streaming'
     )
SELECT t.*,
       CASE WHEN p.yes THEN (
         SELECT coalesce(extract(epoch FROM clock_timestamp() - min(xact_start)), 0)
         FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
       )::float8 END AS longest_transaction_s,
       w.waiting_count,
       w.longest_wait_s,
       r.connected_replicas_count,
       CASE WHEN NOT pg_is_in_recovery() THEN CASE WHEN p.yes AND r.connected_replicas_count > 0 THEN r.lag_s END
            WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
            ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
       END::float8 AS replica_lag_s,
       (SELECT max(age(datfrozenxid)) FROM pg_database)::float8 AS transaction_age_count,
       (SELECT CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity') THEN 'failing' ELSE 'ok' END
        FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off') AS archive_status
FROM totals t, waits w, replicas r, privileged p
