-- The 50 fullest sequences of this database: how much of their range is used, the type of their column included.
-- Versions: 13 and later. Rights: USAGE or SELECT on a sequence, else it is left out. Parameters: none.
-- Columns: label (schema.sequence), sequence_ratio. Sequences that begin again at their end, or were never used, are left out.
-- Cost: opens each sequence for an instant, some 20 µs each. Waits up to lock_timeout for one that is being altered.
WITH used AS MATERIALIZED (
       SELECT s.seqrelid, n.nspname || '.' || c.relname AS label, s.seqincrement, s.seqmin, s.seqmax,
              CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE') OR has_sequence_privilege(s.seqrelid, 'SELECT')
                   THEN pg_sequence_last_value(s.seqrelid) END AS last_value
       FROM pg_sequence s
       JOIN pg_class c ON c.oid = s.seqrelid
       JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE NOT s.seqcycle AND c.relpersistence = 'p'
     ),
     ended AS (
       SELECT u.label, u.last_value,
              CASE WHEN u.seqincrement < 0 THEN u.seqmin
                   ELSE least(u.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767 WHEN 'int4'::regtype THEN 2147483647 END)
              END AS end_value
       FROM used u
       LEFT JOIN pg_depend d ON d.objid = u.seqrelid AND d.classid = 'pg_class'::regclass
        AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
       LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
       WHERE u.last_value IS NOT NULL
     )
SELECT label, greatest(last_value::float8 / nullif(end_value, 0), 0) AS sequence_ratio
FROM ended
ORDER BY sequence_ratio DESC NULLS LAST, label
LIMIT 50
