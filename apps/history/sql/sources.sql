-- Connections by the name of the application and by user, the 200 largest of each. Versions: 13 and later.
-- Rights: pg_read_all_stats for the names of others' applications; without it connections are told by user only.
-- Parameters: none. Cost: one pass over the sessions, below 1 ms at 200 of them.
-- Columns: label (application or user), clients_by_application_count, clients_by_user_count (one of the two is NULL).
WITH clients AS MATERIALIZED (
       SELECT coalesce(nullif(application_name, ''), 'no name') AS application, coalesce(usename::text, 'unknown') AS account
       FROM pg_stat_activity
       WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)
     ),
     applications AS (
       SELECT application, count(*)::int AS clients_count
       FROM clients
       WHERE pg_has_role('pg_read_all_stats', 'USAGE')
       GROUP BY application
       ORDER BY clients_count DESC, application
       LIMIT 200
     ),
     accounts AS (
       SELECT account, count(*)::int AS clients_count
       FROM clients
       GROUP BY account
       ORDER BY clients_count DESC, account
       LIMIT 200
     )
SELECT application AS label, clients_count AS clients_by_application_count, NULL::int AS clients_by_user_count FROM applications
UNION ALL
SELECT account, NULL, clients_count FROM accounts
