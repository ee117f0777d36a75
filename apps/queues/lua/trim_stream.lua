-- Removes the entries of a stream before an id, if every group has acknowledged them at this very moment.
--
-- Keys:      1 the stream
-- Arguments: 1 the newest id that the run may remove at all: no group may need it or anything before it,
--            2 the first id that stays in this step, 3 how many entries are before it, as they were kept
-- Answers:   {1, entries removed}; {-1} no stream; {-2} no groups; {-3, group} a group needs entries that the run may remove;
--            {-4, entries} there are more or fewer than were kept; {-5} the account lacks a right
-- Bounds:    two questions a group, and the entries of one step
-- Ids are two 64-bit numbers, which Lua's own numbers do not hold: they are compared as text, first by length.
local stream, newest, stays = KEYS[1], ARGV[1], ARGV[2]

local function compared(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  return a == b and 0 or (a < b and -1 or 1)
end
local function before(a, b)
  local a_ms, a_seq = a:match('^(%d+)-(%d+)$')
  local b_ms, b_seq = b:match('^(%d+)-(%d+)$')
  local order = compared(a_ms, b_ms)
  if order == 0 then order = compared(a_seq, b_seq) end
  return order < 0
end

if redis.call('EXISTS', stream) == 0 then return {-1} end
local groups = redis.call('XINFO', 'GROUPS', stream)
if #groups == 0 then return {-2} end
for _, flat in ipairs(groups) do
  local group = {}
  for i = 1, #flat, 2 do group[flat[i]] = flat[i + 1] end
  local oldest = redis.call('XPENDING', stream, group['name'])[2]
  if before(group['last-delivered-id'], newest) or (oldest and not before(newest, oldest)) then
    return {-3, group['name']}
  end
end
local kept = tonumber(ARGV[3])
local there = #redis.call('XRANGE', stream, '-', '(' .. stays, 'COUNT', kept + 1)
if there ~= kept then return {-4, there} end
local trim = {'XTRIM', stream, 'MINID', '=', stays}
if redis.acl_check_cmd and not redis.acl_check_cmd(unpack(trim)) then return {-5} end
return {1, redis.call(unpack(trim))}
