-- How much the databases take on disk. Versions: 13 and later. Rights: CONNECT on a database or pg_read_all_stats counts it.
-- Parameters: none. Columns: size_bytes, size_unseen_count (databases not counted for want of rights).
-- Cost: one file status a relation of every database counted.
WITH seen AS (
  SELECT oid, has_database_privilege(oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE') AS yes
  FROM pg_database WHERE datallowconn
)
SELECT coalesce(sum(pg_database_size(oid)) FILTER (WHERE yes), 0)::float8 AS size_bytes,
       count(*) FILTER (WHERE NOT yes)::int AS size_unseen_count
FROM seen
