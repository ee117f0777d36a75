-- How much WAL was written or received, and how its archiving goes. Versions: 13 and later. Rights: none. Parameters: none.
-- Columns: run (changes with every start and reset), wal_total_bytes (of a replica: received), replay_behind_bytes (received
--   and not applied yet; of a replica only), archived_total, archive_failures_total, last_archived_age_s,
--   last_archive_failure_age_s; those of archiving are NULL where nothing is archived.
-- Cost: no table is read.
SELECT pg_postmaster_start_time()::text || coalesce(' ' || a.stats_reset::text, '') AS run,
       pg_wal_lsn_diff(
         CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
              ELSE pg_current_wal_lsn() END,
         '0/0')::float8 AS wal_total_bytes,
       CASE WHEN pg_is_in_recovery()
            THEN greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0) END::float8 AS replay_behind_bytes,
       CASE WHEN m.archives THEN a.archived_count END::float8 AS archived_total,
       CASE WHEN m.archives THEN a.failed_count END::float8 AS archive_failures_total,
       CASE WHEN m.archives THEN extract(epoch FROM clock_timestamp() - a.last_archived_time) END::float8 AS last_archived_age_s,
       CASE WHEN m.archives THEN extract(epoch FROM clock_timestamp() - a.last_failed_time) END::float8 AS last_archive_failure_age_s
FROM pg_stat_archiver a, (SELECT current_setting('archive_mode') <> 'off' AS archives) m
