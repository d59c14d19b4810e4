#!lua
-- Creates a run, if there is none of this id.
--
-- KEYS[1] run       hash: what is known of the run
--   end        offset that the next record gets
--   epoch      the writer's; rises with every take over
--   token      of the call that created or took over last: knows a repeated call
--   owner      absent: nobody
--   holder     whose lease covers it; absent: nobody's
--   read_at    when somebody was last known to read it, UTC seconds
--   closed_at  absent: open
--   cancel_by  absent: no cancel was requested
-- KEYS[2] records   stream: an entry for each append, id <first offset + 1>-<epoch>,
--                   one field `r`: the packed append
-- ARGV packed append · token · owner (`` or `=name`) · holder (same) · created at · lifetime ms
-- Replies: `new` epoch, also to the same token again · `there`
local run = redis.call('HMGET', KEYS[1], 'token', 'epoch')
if run[2] then
  if run[1] == ARGV[2] then
    return {'new', tonumber(run[2])}
  end
  return {'there'}
end
local fields = {'end', '1', 'epoch', '1', 'token', ARGV[2], 'read_at', ARGV[5]}
if ARGV[3] ~= '' then
  fields[#fields + 1] = 'owner'
  fields[#fields + 1] = string.sub(ARGV[3], 2)
end
if ARGV[4] ~= '' then
  fields[#fields + 1] = 'holder'
  fields[#fields + 1] = string.sub(ARGV[4], 2)
end
-- Records without their run are the rest of one that Redis has let go.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('XADD', KEYS[2], '1-1', 'r', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return {'new', 1}
