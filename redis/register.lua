-- register.lua: an account, unless the name has one.
-- KEYS 1 account
-- ARGV 1 user id  2 name  3 hash of the password  4 created, ms
-- reply 1 made | 0 there already
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'name', ARGV[2], 'hash', ARGV[3], 'created', ARGV[4])
return 1
