#!lua
-- Ends a lease now.
--
-- KEYS[1] leases    sorted set, see renew.lua
-- ARGV holder · now
-- Replies: `ok`
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
redis.call('ZADD', KEYS[1], 'XX', -now, ARGV[1])
return {'ok'}
