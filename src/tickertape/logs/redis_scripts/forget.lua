#!lua
-- Drops a holder that holds no run, if its lease ended long ago: one that is just
-- starting a run must stay in the list.
--
-- KEYS[1] leases    sorted set, see renew.lua
-- ARGV holder · now · for how long, ms
-- Replies: `ok`
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local expiry = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
if expiry and math.abs(expiry) + ARGV[3] < now then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return {'ok'}
