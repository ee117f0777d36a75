-- Some rows of one outbox that wait, in the order of their key.
-- Server: 13 and later. Rights: SELECT on the table.
-- Parameters: most, payload_most (characters), after or id. Names put in: table, pending, created, tried, error, topic, payload, key, which.
-- Columns: key, topic, created_at, tried_count, error (500 characters), payload (payload_most characters), payload_bytes.
-- Cost: a walk along the primary key from `after` on; rows that are done are passed over.
SELECT {key}::text AS key,
       {topic}::text AS topic,
       {created} AS created_at,
       {tried}::bigint AS tried_count,
       left({error}::text, 500) AS error,
       left({payload}::text, %(payload_most)s) AS payload,
       octet_length({payload}::text)::bigint AS payload_bytes
  FROM {table}
 WHERE {pending} AND {which}
 ORDER BY {key}
 LIMIT %(most)s
