#!lua
-- Writes, to see whether that can be done.
--
-- KEYS[1] check     string
-- Replies: `ok`
redis.call('SET', KEYS[1], '', 'PX', 1000)
return {'ok'}
