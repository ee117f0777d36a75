-- How each role's password is kept. The hash itself never leaves the server.
-- Versions: 13 and later. Rights: SELECT on pg_authid: superusers and pg_read_all_data only.
-- Parameters: most (rows).
-- Columns: oid, kind (scram-sha-256, md5, none, other).
-- Cost: one pass over pg_authid.
SELECT oid::bigint AS oid,
       CASE WHEN rolpassword IS NULL THEN 'none'
            WHEN rolpassword LIKE 'SCRAM-SHA-256$%%' THEN 'scram-sha-256'
            WHEN rolpassword LIKE 'md5%%' THEN 'md5'
            ELSE 'other' END AS kind
  FROM pg_authid
 ORDER BY oid
 LIMIT %(most)s
