#!lua
-- Requests that a run be cancelled; the first request counts, and is told again.
--
-- KEYS[1] run       hash, see create.lua
-- ARGV by whom · channel · run id
-- Publishes `<by whom> <run id>`.
-- Replies: `unknown` · `closed` closed at · `ok` by whom
local run = redis.call('HMGET', KEYS[1], 'epoch', 'closed_at', 'cancel_by')
if not run[1] then
  return {'unknown'}
end
if run[2] then
  return {'closed', run[2]}
end
local by = run[3] or ARGV[1]
if not run[3] then
  redis.call('HSET', KEYS[1], 'cancel_by', by)
end
redis.call('PUBLISH', ARGV[2], by .. ' ' .. ARGV[3])
return {'ok', by}
