-- register.lua: an account, unless the name has one; or another hash for one.
-- KEYS 1 account
-- ARGV 1 user id  2 name  3 hash of the password  4 created, ms
--      5 the hash that is there ('': a new account)
-- reply 1 made | 0 there already, or another hash is
if ARGV[5] ~= '' then
  if redis.call('HGET', KEYS[1], 'hash') ~= ARGV[5] then return 0 end
  redis.call('HSET', KEYS[1], 'hash', ARGV[3])
  return 1
end
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'name', ARGV[2], 'hash', ARGV[3], 'created', ARGV[4])
return 1
