-- The load of one server. Versions: 14 and later, which date every wait for a lock.
-- Rights: none; what others' sessions do, their ages and the lags of replicas need pg_read_all_stats and are NULL without.
-- Parameters: none. Cost: 1 to 3 ms.
-- Columns: named as the figures: *_count, *_total since the statistics were reset, *_s in seconds, *_bytes;
--   clients_by_state_count[state]; counted_since (changes with every start and every reset of a database's statistics),
--   archive_status (ok|failing, NULL: not archiving).
WITH privileged AS (SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS yes),
     totals AS (
       SELECT coalesce(sum(numbackends), 0)::int AS clients_count,
              coalesce(sum(xact_commit + xact_rollback), 0)::float8 AS transactions_total,
              coalesce(sum(xact_rollback), 0)::float8 AS rollbacks_total,
              coalesce(sum(deadlocks), 0)::float8 AS deadlocks_total,
              coalesce(sum(temp_bytes), 0)::float8 AS temp_total_bytes,
              coalesce(sum(tup_returned), 0)::float8 AS rows_returned_total,
              coalesce(sum(tup_fetched), 0)::float8 AS rows_fetched_total,
              coalesce(sum(tup_inserted), 0)::float8 AS rows_inserted_total,
              coalesce(sum(tup_updated), 0)::float8 AS rows_updated_total,
              coalesce(sum(tup_deleted), 0)::float8 AS rows_deleted_total,
              coalesce(sum(blks_hit), 0)::float8 AS blocks_hit_total,
              coalesce(sum(blks_read), 0)::float8 AS blocks_read_total,
              pg_postmaster_start_time()::text || coalesce(' ' || max(stats_reset)::text, '') AS counted_since
       FROM pg_stat_database
     ),
     sessions AS (
       SELECT count(*) FILTER (WHERE state IN ('active', 'fastpath function call') AND wait_event_type IS DISTINCT FROM 'Lock')::int AS active,
              count(*) FILTER (WHERE state IN ('active', 'fastpath function call') AND wait_event_type = 'Lock')::int AS waiting,
              count(*) FILTER (WHERE state = 'idle')::int AS idle,
              count(*) FILTER (WHERE state LIKE 'idle in transaction%')::int AS idle_in_transaction,
              extract(epoch FROM clock_timestamp() - min(xact_start) FILTER (WHERE pid <> pg_backend_pid())) AS longest_s
       FROM pg_stat_activity
       WHERE backend_type = 'client backend'
     ),
     waits AS (
       SELECT count(DISTINCT l.pid)::int AS waiting_count,
              extract(epoch FROM clock_timestamp() - min(l.waitstart))::float8 AS longest_wait_s
       FROM pg_locks l
       WHERE NOT l.granted
     ),
     replicas AS (
       SELECT count(*)::int AS connected_replicas_count,
              extract(epoch FROM max(coalesce(replay_lag, interval '0'))) AS lag_s
       FROM pg_stat_replication
       WHERE state IS NULL OR state = 'streaming'
     )
SELECT t.*,
       CASE WHEN p.yes THEN s.active END AS "clients_by_state_count[active]",
       CASE WHEN p.yes THEN s.waiting END AS "clients_by_state_count[waiting for a lock]",
       CASE WHEN p.yes THEN s.idle END AS "clients_by_state_count[idle]",
       CASE WHEN p.yes THEN s.idle_in_transaction END AS "clients_by_state_count[idle in transaction]",
       CASE WHEN p.yes THEN coalesce(s.longest_s, 0) END::float8 AS longest_transaction_s,
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
FROM totals t, sessions s, waits w, replicas r, privileged p
