#!lua
-- Gives a run to another writer, if nobody else did meanwhile.
--
-- A Redis that has lost a take over (it was restored, or failed over) has the epoch
-- from before it, and somebody who knows nothing of that may take the run over again.
-- Were the new epoch just the next one, two histories would share it, and a reader of
-- the one would take the other's records for those that follow. So who takes over
-- leaps by a number that nobody else is likely to choose.
--
-- KEYS[1] run       hash, see create.lua
-- KEYS[2] records   stream, see create.lua
-- ARGV epoch it has · epoch that the new one is above · holder · token · lifetime ms
-- Replies: `unknown` · `closed` closed at · `stale` epoch ·
--     `ok` new epoch, end offset; also to the same token again
local run = redis.call('HMGET', KEYS[1], 'epoch', 'end', 'closed_at', 'token')
if not run[1] then
  return {'unknown'}
end
if run[4] == ARGV[4] then
  return {'ok', tonumber(run[1]), tonumber(run[2])}
end
if run[3] then
  return {'closed', run[3]}
end
if run[1] ~= ARGV[1] then
  return {'stale', tonumber(run[1])}
end
local epoch = math.max(tonumber(run[1]), tonumber(ARGV[2])) + 1
redis.call('HSET', KEYS[1], 'epoch', epoch, 'holder', ARGV[3], 'token', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'ok', epoch, tonumber(run[2])}
