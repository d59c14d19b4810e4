#!lua
-- Lets a holder be found by `lapsed`, whether or not it ever had a lease.
--
-- KEYS[1] leases    sorted set, see renew.lua
-- ARGV holder · now · lifetime ms
-- Replies: `ok`
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local expiry = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
if not expiry or expiry < 0 then
  redis.call('ZADD', KEYS[1], -now, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return {'ok'}
