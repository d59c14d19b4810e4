#!lua
-- Notes that somebody reads a run.
--
-- KEYS[1] run       hash, see create.lua
-- ARGV when, UTC seconds
-- Replies: `ok` · `unknown`
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'unknown'}
end
redis.call('HSET', KEYS[1], 'read_at', ARGV[1])
return {'ok'}
