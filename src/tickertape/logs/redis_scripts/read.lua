#!lua flags=no-writes
-- Reads the appends that hold the records from one offset up to another.
--
-- KEYS[1] run       hash, see create.lua
-- KEYS[2] records   stream, see create.lua
-- ARGV first offset · last offset
-- Replies: `unknown` · `ok` end offset, epoch, closed at or nil, the entries
local run = redis.call('HMGET', KEYS[1], 'end', 'epoch', 'closed_at')
if not run[1] then
  return {'unknown'}
end
-- The append that holds the first one may begin before it.
local from = redis.call('XREVRANGE', KEYS[2], ARGV[1] + 1, '-', 'COUNT', 1)[1]
local entries = {}
if from and tonumber(ARGV[1]) < tonumber(run[1]) then
  entries = redis.call('XRANGE', KEYS[2], from[1], ARGV[2] + 1)
end
return {'ok', tonumber(run[1]), tonumber(run[2]), run[3], entries}
