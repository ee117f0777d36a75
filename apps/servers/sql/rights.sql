-- Which of the rights that the features ask for does this account hold here?
-- Versions: 13 to 16. A role that a version does not know is not held.
-- pg_maintain came with 17: here it is held by a superuser, and by who owns a table of this database.
-- Rights: none. Parameters: none.
-- Columns: name text (as in capabilities.RIGHTS), held boolean, account text.
-- Cost: catalogues only, under 1 ms.
SELECT held_right.name, held_right.held, current_user::text AS account
FROM (
    SELECT wanted.name, coalesce(pg_has_role(role.oid, 'USAGE'), false) AS held
    FROM (VALUES
        ('pg_read_all_stats'),
        ('pg_read_all_settings'),
        ('pg_signal_backend'),
        ('pg_read_all_data')
    ) AS wanted (name)
    LEFT JOIN pg_catalog.pg_roles AS role ON role.rolname = wanted.name
    UNION ALL
    SELECT 'pg_maintain', EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = current_user AND rolsuper) OR EXISTS (
        SELECT FROM pg_catalog.pg_class AS kept
        WHERE kept.relkind IN ('r', 'm') AND kept.oid >= 16384 AND pg_has_role(kept.relowner, 'USAGE')
    )
    UNION ALL
    SELECT 'pg_ls_waldir', has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')
    UNION ALL
    SELECT 'pg_stat_statements', EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_stat_statements')
    UNION ALL
    SELECT 'select_pg_stat_statements', coalesce((
        SELECT bool_or(has_schema_privilege(view.relnamespace, 'USAGE') AND has_table_privilege(view.oid, 'SELECT'))
        FROM pg_catalog.pg_class AS view
        WHERE view.relname = 'pg_stat_statements' AND view.relkind = 'v'
    ), false)
) AS held_right
