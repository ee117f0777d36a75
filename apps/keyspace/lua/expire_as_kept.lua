-- Sets expiries of keys that still expire as they did when that was kept. For a server at its maxmemory, which refuses
-- transactions and runs scripts.
--
-- Keys:      those to set
-- Arguments: 1 by how many ms two readings of one expiry may differ; then for each key its expiry as it was kept, in ms since
--            1970, or -1 for none, and the new one
-- Answers:   for each 1, or 0 where it expires otherwise or is gone
-- Bounds:    a PTTL and a PEXPIREAT a key
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local done = {}
for at, name in ipairs(KEYS) do
  local kept, wanted = tonumber(ARGV[2 * at]), ARGV[2 * at + 1]
  local ttl = redis.call('PTTL', name)
  local same = kept == ttl or (ttl >= 0 and math.abs(now + ttl - kept) <= tonumber(ARGV[1]))
  done[at] = same and redis.call('PEXPIREAT', name, wanted) or 0
end
return done
