#!lua
-- Appends to a run, and tells whoever listens. Safe to repeat: the append that is
-- stored last already is acknowledged again.
--
-- KEYS[1] run       hash, see create.lua
-- KEYS[2] records   stream, see create.lua
-- ARGV[1] epoch · [2] end offset that the writer knows · [3] number of events
--     [4] packed append · [5] channel · [6] lifetime of the run ms
--     and, if it ends the run: [7] closed at · [8] lifetime of the records ms
-- Publishes to the slot's own channel: `<first offset> <packed append>`.
-- Replies: `ok` end offset, who requested cancel or `` · `unknown` ·
--     `stale` epoch, closed at or `` · `closed` closed at ·
--     `lost` end offset: acknowledged records are gone ·
--     `ahead` end offset: there is more than the writer knows of, and not this
local run = redis.call('HMGET', KEYS[1], 'epoch', 'end', 'closed_at', 'cancel_by')
if not run[1] then
  return {'unknown'}
end
if run[1] ~= ARGV[1] then
  return {'stale', tonumber(run[1]), run[3] or ''}
end
local stored = tonumber(run[2])
local first = tonumber(ARGV[2])
local count = tonumber(ARGV[3])
if stored ~= first or run[3] then
  if count > 0 and stored == first + count then
    local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
    if last and last[1] == (first + 1) .. '-' .. ARGV[1] and last[2][2] == ARGV[4] then
      return {'ok', stored, run[4] or ''}
    end
  end
  if run[3] then
    return {'closed', run[3]}
  end
  return {stored < first and 'lost' or 'ahead', stored}
end
if count == 0 then
  return {'ok', stored, run[4] or ''}
end
local after = first + count
redis.call('XADD', KEYS[2], (first + 1) .. '-' .. ARGV[1], 'r', ARGV[4])
if ARGV[7] then
  redis.call('HSET', KEYS[1], 'end', after, 'closed_at', ARGV[7])
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  redis.call('PEXPIRE', KEYS[2], ARGV[8])
else
  redis.call('HSET', KEYS[1], 'end', after)
  -- Not at each append: it would be the half of its cost.
  if redis.call('PTTL', KEYS[1]) * 2 < tonumber(ARGV[6]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[6])
    redis.call('PEXPIRE', KEYS[2], ARGV[6])
  end
end
redis.call('SPUBLISH', ARGV[5], first .. ' ' .. ARGV[4])
return {'ok', after, run[4] or ''}
