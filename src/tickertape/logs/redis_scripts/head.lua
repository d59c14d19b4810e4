#!lua flags=no-writes
-- Tells what is known of a run.
--
-- KEYS[1] run       hash, see create.lua
-- Replies: `unknown` · `ok` end offset, epoch, closed at, who requested cancel, holder,
--     owner, read at; nil where there is none
local run = redis.call(
  'HMGET', KEYS[1], 'end', 'epoch', 'closed_at', 'cancel_by', 'holder', 'owner', 'read_at')
if not run[1] then
  return {'unknown'}
end
return {'ok', tonumber(run[1]), tonumber(run[2]), run[3], run[4], run[5], run[6], run[7]}
