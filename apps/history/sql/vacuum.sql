-- Vacuums that run now, and how old the oldest transaction is that keeps rows from being removed. Versions: 13 and later.
-- Rights: pg_read_all_stats to tell automatic vacuums from others and for the transactions of others; those are NULL without.
-- Parameters: none. Cost: a row a session, slot and prepared transaction.
-- Columns: vacuums_running_count, vacuums_automatic_count, vacuum_workers_max_count, vacuum_horizon_age_count (transactions
--   since the oldest one that is still needed).
WITH privileged AS (SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS yes),
     running AS (
       SELECT count(*)::int AS all_count,
              (count(*) FILTER (WHERE a.backend_type = 'autovacuum worker'))::int AS automatic_count
       FROM pg_stat_progress_vacuum v LEFT JOIN pg_stat_activity a USING (pid)
     ),
     horizon AS (
       SELECT max(age) AS age_count
       FROM (
         SELECT age(backend_xmin) FROM pg_stat_activity WHERE pid <> pg_backend_pid()
         UNION ALL SELECT age(xmin) FROM pg_replication_slots
         UNION ALL SELECT age(catalog_xmin) FROM pg_replication_slots
         UNION ALL SELECT age(transaction) FROM pg_prepared_xacts
       ) ages(age)
     )
SELECT r.all_count AS vacuums_running_count,
       CASE WHEN p.yes THEN r.automatic_count END AS vacuums_automatic_count,
       current_setting('autovacuum_max_workers')::int AS vacuum_workers_max_count,
       CASE WHEN p.yes THEN coalesce(h.age_count, 0) END::float8 AS vacuum_horizon_age_count
FROM running r, horizon h, privileged p
