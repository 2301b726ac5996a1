-- revoke.lua: keeps a user out for a while, or lets him in again.
-- KEYS 1 revoked (zset: user -> end in ms; '' -> another number after each change, below 0)
-- ARGV 1 user  2 seconds (0: let him in)  3 how many there may be
-- reply 1 done | 0 too many
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], 1, now)
if ARGV[2] == '0' then
  if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return 1 end
else
  if redis.call('ZCARD', KEYS[1]) > tonumber(ARGV[3]) then return 0 end
  redis.call('ZADD', KEYS[1], now + ARGV[2] * 1000, ARGV[1])
end
local version = tonumber(redis.call('ZSCORE', KEYS[1], '') or 0)
redis.call('ZADD', KEYS[1], math.min(-now, version - 1), '')
redis.call('EXPIRE', KEYS[1], 3700)
return 1
