-- What the sessions that work now wait for, the 200 commonest events. Versions: 13 and later.
-- Rights: pg_read_all_stats; without it there is no row. Parameters: none. Cost: one pass over the sessions, below 1 ms.
-- Columns: label (a class of events such as LWLock, or class/event; running: no wait), sessions_by_wait_count (by class),
--   sessions_waiting_count (by event); one of the two is NULL. Every class has a row, also where nothing waits.
WITH working AS MATERIALIZED (
       SELECT coalesce(wait_event_type, 'running') AS class, wait_event AS event
       FROM pg_stat_activity
       WHERE backend_type IN ('client backend', 'parallel worker') AND state IN ('active', 'fastpath function call')
         AND pid <> pg_backend_pid()
     ),
     classes AS (
       SELECT k.class, count(w.class)::int AS sessions_count
       FROM unnest(ARRAY['running', 'BufferPin', 'Client', 'Extension', 'IO', 'IPC', 'Lock', 'LWLock', 'Timeout']) k(class)
       LEFT JOIN working w USING (class)
       GROUP BY k.class
     ),
     events AS (
       SELECT class || '/' || event AS label, count(*)::int AS sessions_count
       FROM working
       WHERE event IS NOT NULL
       GROUP BY class, event
       ORDER BY sessions_count DESC, label
       LIMIT 200
     )
SELECT s.* FROM (
  SELECT class AS label, sessions_count AS sessions_by_wait_count, NULL::int AS sessions_waiting_count FROM classes
  UNION ALL
  SELECT label, NULL, sessions_count FROM events
) s
WHERE pg_has_role('pg_read_all_stats', 'USAGE')
