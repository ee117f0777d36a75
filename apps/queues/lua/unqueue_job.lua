-- Takes one RQ job that was put back out of its queue again, into the registry of failed jobs with the fields it had.
--
-- Keys:      1 the job's hash, 2 the registry of failed jobs, 3 the list of the queue
-- Arguments: 1 the job's id, 2 the time it was put back at, 3 its former score, 4 how many fields follow with their values,
--            then these pairs, then the fields that it did not have
-- Answers:   1 back among the failed jobs; -1 no record; -2 it was queued again since, or its state is another; -3 among the
--            failed jobs already; -4 not in the queue: a worker has taken it; -5 the account lacks a right
-- Bounds:    one job; LREM looks from the end of the queue, where it was put
local job, failed, queue = KEYS[1], KEYS[2], KEYS[3]
local id, pairs_count = ARGV[1], tonumber(ARGV[4])
if redis.call('EXISTS', job) == 0 then return -1 end
if redis.call('ZSCORE', failed, id) then return -3 end
local now = redis.call('HMGET', job, 'status', 'enqueued_at')
if now[1] ~= 'queued' or now[2] ~= ARGV[2] then return -2 end

local set, drop = {'HSET', job}, {'HDEL', job}
for i = 5, 4 + pairs_count * 2 do set[#set + 1] = ARGV[i] end
for i = 5 + pairs_count * 2, #ARGV do drop[#drop + 1] = ARGV[i] end
local writes = {{'ZADD', failed, ARGV[3], id}}
if #set > 2 then writes[#writes + 1] = set end
if #drop > 2 then writes[#writes + 1] = drop end
local take = {'LREM', queue, -1, id}
if redis.acl_check_cmd then
  for _, write in ipairs({take, unpack(writes)}) do
    if not redis.acl_check_cmd(unpack(write)) then return -5 end
  end
end
if redis.call(unpack(take)) == 0 then return -4 end
for _, write in ipairs(writes) do redis.call(unpack(write)) end
return 1
