-- The roles of the cluster: what each may by its attributes, its sessions now, and how much it owns.
-- Versions: 13 and later. Rights: none; sessions of other roles are counted for everybody.
-- Parameters: most (rows).
-- Columns: oid, name, can_login, is_superuser, inherits, can_create_roles, can_create_databases, can_replicate,
--   bypasses_row_security, connection_limit (-1 none), expires_at (NULL never), session_count, owned_count (objects and
--   databases, in every database), is_predefined, is_me.
-- Cost: one pass over pg_authid and pg_shdepend; some ms.
SELECT r.oid::bigint AS oid, r.rolname::text AS name, r.rolcanlogin AS can_login, r.rolsuper AS is_superuser,
       r.rolinherit AS inherits, r.rolcreaterole AS can_create_roles, r.rolcreatedb AS can_create_databases,
       r.rolreplication AS can_replicate, r.rolbypassrls AS bypasses_row_security, r.rolconnlimit AS connection_limit,
       CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END AS expires_at,
       coalesce(a.session_count, 0) AS session_count, coalesce(o.owned_count, 0) AS owned_count,
       r.oid < 16384 AND r.rolname LIKE 'pg\_%%' AS is_predefined, r.rolname = current_user AS is_me
  FROM pg_roles r
  LEFT JOIN (SELECT usesysid, count(*) AS session_count FROM pg_stat_activity WHERE usesysid IS NOT NULL GROUP BY 1) a
    ON a.usesysid = r.oid
  LEFT JOIN (SELECT refobjid, count(*) AS owned_count FROM pg_shdepend
              WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' GROUP BY 1) o ON o.refobjid = r.oid
 ORDER BY r.rolsuper DESC, r.rolcanlogin DESC, r.rolname
 LIMIT %(most)s
