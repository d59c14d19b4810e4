#!lua flags=no-writes
-- Tells whether a holder's lease has run out, was released or never was.
--
-- KEYS[1] leases    sorted set, see renew.lua
-- ARGV holder · now
-- Replies: `held` · `lapsed`
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local expiry = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
return {expiry and now < expiry and 'held' or 'lapsed'}
