-- register.lua: makes an account, gives it another hash, or removes it.
-- KEYS 1 account
-- ARGV 1 'new'   2 user id  3 name  4 hash of the password  5 created, ms: reply 1 made | 0 there already
--      1 'hash'  2 user id  3 hash  4 the hash that is there ('': any): reply 1 | 0 another account or hash is there
--      1 'del'   2 user id: reply 1 removed | 0 another account or none is there
if ARGV[1] == 'new' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
  redis.call('HSET', KEYS[1], 'id', ARGV[2], 'name', ARGV[3], 'hash', ARGV[4], 'created', ARGV[5])
  return 1
end
local a = redis.call('HMGET', KEYS[1], 'id', 'hash')
if a[1] ~= ARGV[2] then return 0 end
if ARGV[1] == 'del' then return redis.call('DEL', KEYS[1]) end
if ARGV[4] ~= '' and a[2] ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'hash', ARGV[3])
return 1
