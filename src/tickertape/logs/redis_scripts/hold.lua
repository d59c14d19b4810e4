#!lua
-- Notes which runs a holder may hold: more than it does, never fewer.
--
-- KEYS[1] held      set of run ids
-- ARGV lifetime ms · run id to add, or `` · run ids to remove …
-- Replies: `ok`
if #ARGV > 2 then
  redis.call('SREM', KEYS[1], unpack(ARGV, 3))
end
if ARGV[2] ~= '' then
  redis.call('SADD', KEYS[1], ARGV[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {'ok'}
