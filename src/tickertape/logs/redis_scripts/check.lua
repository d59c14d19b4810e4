#!lua
-- Writes and publishes, to see whether that can be done: a script that is stopped at
-- its last line has done the others.
--
-- KEYS[1] check     string
-- ARGV channel
-- Replies: `ok`
redis.call('SET', KEYS[1], '', 'PX', 1000)
redis.call('PUBLISH', ARGV[1], '')
return {'ok'}
