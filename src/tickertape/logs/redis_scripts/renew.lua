#!lua
-- Grants or renews a lease.
--
-- KEYS[1] leases    sorted set: holder → when its lease runs out, ms; below zero:
--                   minus when it was released, or came without one
-- ARGV holder · term ms · now · lifetime ms
-- Replies: `new` · `held` · `lapsed`: it had run out
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local expiry = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if not expiry or expiry < 0 then
  return {'new'}
end
return {now < expiry and 'held' or 'lapsed'}
