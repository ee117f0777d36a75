-- Which session this is, so that another one can look at it and cancel exactly what it does.
-- Versions: 13 and later. Rights: none. Parameters: none.
-- Columns: pid, begun_at, written (bytes of WAL since the cluster was made).
-- Cost: one row.
SELECT a.pid, a.backend_start AS begun_at, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint AS written
  FROM pg_stat_activity a
 WHERE a.pid = pg_backend_pid()
