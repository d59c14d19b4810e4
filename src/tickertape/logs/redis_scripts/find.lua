#!lua flags=no-writes
-- Tells which run an idempotency key names.
--
-- KEYS[1] key       hash, see claim.lua
-- Replies: `free` · `taken` run id, fingerprint
local claimed = redis.call('HMGET', KEYS[1], 'run_id', 'fingerprint')
if not claimed[1] then
  return {'free'}
end
return {'taken', claimed[1], claimed[2]}
