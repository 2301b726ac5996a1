-- jobs.lua: a job process renews its lease, or gives it up.
-- KEYS 1 leases of job processes (zset process -> end in ms)  2 what was seen of them
-- ARGV 1 process  2 length ms (0: give it up)  3 generation
-- reply all that hold one
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  seen(KEYS[1], KEYS[2], ARGV[3], now, ARGV[2])           -- first: not refused at maxmemory
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
