-- jobs.lua: a job process renews its lease, or gives it up.
-- KEYS 1 leases of job processes (zset process -> end in ms)
-- ARGV 1 process  2 length ms (0: give it up)
-- reply all that hold one
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)      -- first: not refused at maxmemory
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
