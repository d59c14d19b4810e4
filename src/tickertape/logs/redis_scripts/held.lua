#!lua flags=no-writes
-- Lists the runs that a holder may hold.
--
-- KEYS[1] held      set, see hold.lua
-- Replies: `ok` list of run ids
return {'ok', redis.call('SMEMBERS', KEYS[1])}
