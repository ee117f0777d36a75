-- Which role is a member of which, and with what options of its own.
-- Versions: 16 and later, where each grant says whether it is inherited and may be SET. Rights: none.
-- Parameters: most (rows).
-- Columns: role_oid (what is granted), member_oid, has_admin_option, inherits, may_set, grantor.
-- Cost: one row a membership.
SELECT m.roleid::bigint AS role_oid, m.member::bigint AS member_oid, m.admin_option AS has_admin_option,
       m.inherit_option AS inherits, m.set_option AS may_set, g.rolname::text AS grantor
  FROM pg_auth_members m
  LEFT JOIN pg_roles g ON g.oid = m.grantor
 ORDER BY m.roleid, m.member
 LIMIT %(most)s
