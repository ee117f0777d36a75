-- Chosen settings with their unit, where they come from, and whether a changed value waits for a restart; also every other
-- setting that waits for one.
-- Versions: 13 and later. Rights: none; a setting that the account may not see is left out.
-- Parameters: names (text[]).
-- Columns: name, value (what a session begins with, not what the console's own session set), unit, default_value (built
--   in), source (NULL where the console's session hides it), context, is_waiting_for_restart, description.
-- Cost: one pass over the server's settings, below 2 ms.
SELECT name, CASE WHEN source = 'session' THEN reset_val ELSE setting END AS value, unit, boot_val AS default_value,
       nullif(source, 'session') AS source, context, pending_restart AS is_waiting_for_restart,
       short_desc AS description
  FROM pg_settings
 WHERE name = ANY (%(names)s) OR pending_restart
 ORDER BY name
 LIMIT 300
