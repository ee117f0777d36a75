-- Removes keys that still are as they were kept. For a server at its maxmemory, which refuses transactions and runs scripts.
--
-- Keys:      those to remove
-- Arguments: for each, the SHA-1 of what DUMP gave
-- Answers:   for each 1, or 0 where it was changed or is gone
-- Bounds:    a DUMP and an UNLINK a key
local done = {}
for at, name in ipairs(KEYS) do
  local content = redis.call('DUMP', name)
  done[at] = content and redis.sha1hex(content) == ARGV[at] and redis.call('UNLINK', name) or 0
end
return done
