-- Puts one failed RQ job (1.x, 2.x) back to the end of its queue, whole or not at all.
--
-- Keys:      1 the job's hash, 2 the registry of failed jobs, 3 the list of the queue, 4 the set of queues
-- Arguments: 1 the job's id, 2 the name of its queue, 3 the time it failed at as it was kept ("" for none),
--            4 its score in the registry as it was kept, 5 the time it is put back at
-- Answers:   1 put back; -1 no record; -2 of another queue; -3 not among the failed jobs; -4 it failed again since it was kept;
--            -5 the account lacks a right
-- Bounds:    one job, eight commands
-- Before the first write every right is asked for (7.0 and newer). The registry is left last: what is refused half-way on an
-- older server is still among the failed jobs.
local job, failed, queue, queues = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id = ARGV[1]
if redis.call('EXISTS', job) == 0 then return -1 end
if redis.call('HGET', job, 'origin') ~= ARGV[2] then return -2 end
local score = redis.call('ZSCORE', failed, id)
if not score then return -3 end
if score ~= ARGV[4] or (redis.call('HGET', job, 'ended_at') or '') ~= ARGV[3] then return -4 end

local writes = {
  {'SADD', queues, queue},
  {'HSET', job, 'status', 'queued', 'enqueued_at', ARGV[5], 'started_at', '', 'ended_at', '', 'worker_name', ''},
  {'HDEL', job, 'exc_info'},
  {'RPUSH', queue, id},
  {'ZREM', failed, id},
}
if redis.acl_check_cmd then
  for _, write in ipairs(writes) do
    if not redis.acl_check_cmd(unpack(write)) then return -5 end
  end
end
for _, write in ipairs(writes) do redis.call(unpack(write)) end
return 1
