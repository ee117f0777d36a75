-- Which role is a member of which, and with what options.
-- Versions: 13 to 15, where a member inherits or not as a whole and may always SET ROLE. Rights: none.
-- Parameters: most (rows).
-- Columns: role_oid (what is granted), member_oid, has_admin_option, inherits, may_set, grantor.
-- Cost: one row a membership.
SELECT m.roleid::bigint AS role_oid, m.member::bigint AS member_oid, m.admin_option AS has_admin_option,
       r.rolinherit AS inherits, true AS may_set, g.rolname::text AS grantor
  FROM pg_auth_members m
  JOIN pg_roles r ON r.oid = m.member
  LEFT JOIN pg_roles g ON g.oid = m.grantor
 ORDER BY m.roleid, m.member
 LIMIT %(most)s
