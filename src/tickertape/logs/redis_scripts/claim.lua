#!lua
-- Lets an idempotency key name a run, if it names none yet, or one that is no more.
--
-- KEYS[1] key       hash: `run_id`, `fingerprint`
-- ARGV run id · fingerprint · id of the run that it may name until now, or `` · lifetime ms
-- Replies: `ok`, also to the same run id again · `taken` run id, fingerprint
local claimed = redis.call('HMGET', KEYS[1], 'run_id', 'fingerprint')
if claimed[1] == ARGV[1] then
  return {'ok'}
end
if claimed[1] and claimed[1] ~= ARGV[3] then
  return {'taken', claimed[1], claimed[2]}
end
redis.call('HSET', KEYS[1], 'run_id', ARGV[1], 'fingerprint', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'ok'}
