-- Settings that were made, by whomever but the console's own session or account. Versions: 13 and later.
-- Rights: pg_read_all_settings for those the server keeps to itself; they are left out without. Parameters: none.
-- Columns: name, value (with its unit; what the console's own session set is told as it was before), is_waiting (a changed value waits for a restart).
-- Cost: one pass over the server's settings, below 2 ms.
SELECT name,
       CASE WHEN source = 'session' THEN coalesce(reset_val, '') || coalesce(' ' || unit, '')
            ELSE coalesce(current_setting(name, true), '') END AS value,
       pending_restart AS is_waiting
FROM pg_settings
WHERE source NOT IN ('default', 'override', 'client', 'user', 'database user')
  AND (source <> 'session' OR reset_val IS DISTINCT FROM boot_val)
ORDER BY name
LIMIT 500
