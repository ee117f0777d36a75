-- Transactions that were prepared and neither committed nor rolled back: they hold their locks without a session.
-- Servers: 13 and later. Rights: none. Parameters: most (rows). Units: age_s seconds. Cost: below 1 ms.
SELECT /* signalbox */
  gid AS name, owner::text AS account, database::text AS database,
  greatest(extract(epoch FROM clock_timestamp() - prepared), 0)::float8 AS age_s
FROM pg_prepared_xacts
ORDER BY prepared
LIMIT %(most)s
