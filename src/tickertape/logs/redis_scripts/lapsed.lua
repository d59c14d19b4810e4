#!lua flags=no-writes
-- Lists holders whose lease has run out, or was released, or never was.
--
-- KEYS[1] leases    sorted set, see renew.lua
-- ARGV now
-- Replies: `ok` list of holders
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
return {'ok', redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 1000)}
