-- What waits in one outbox: counted up to a limit, so that a table of millions costs no more than its first rows.
-- Server: 13 and later. Rights: SELECT on the table.
-- Parameters: most (rows at most). Names put in as identifiers: table, pending, created, tried, failing, key.
-- Columns: ready_count, oldest_s (seconds, null without a time), tried_count, failing_count, first_key (text).
-- Cost: an index of the waiting rows makes it milliseconds; without one, a scan up to the first `most` waiting rows.
SELECT count(*) AS ready_count,
       extract(epoch FROM clock_timestamp() - min(waiting.created))::float8 AS oldest_s,
       count(*) FILTER (WHERE waiting.tried > 0) AS tried_count,
       count(*) FILTER (WHERE waiting.failing) AS failing_count,
       min(waiting.key) AS first_key
  FROM (SELECT {created} AS created, {tried} AS tried, {failing} AS failing, {key} AS key
          FROM {table}
         WHERE {pending}
         LIMIT %(most)s) AS waiting
