-- lease.lua: a worker renews its lease. A lease holds while now < end <= now + length (both bounds:
-- a clock that was set back, or a replica's clock, must not keep the dead alive).
-- KEYS 1 leases (zset worker -> end in ms)  2 record of the worker  3 tokens of its node  4 revoked
--      5 what was seen of the leases
-- ARGV 1 worker  2 length ms (0: give it up)  3 token  4 generation, then pairs: fields of the record that changed
-- reply {state, now ms, tokens, dead, revoked}: 0 held | 1 had lapsed | 2 wasn't there; on 1 and 2 write the whole
--       record and assert all routes again; tokens > 1: another nginx uses this node's name; dead: workers
--       that have died in the last ten minutes, the latest 64; revoked: another after each change of these
local t = redis.call('TIME')
local now, length = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])
if length == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('UNLINK', KEYS[2])
  return {0, now, 0, {}, ''}
end
seen(KEYS[1], KEYS[5], ARGV[4], now, length)            -- first: not refused at maxmemory
local old = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
local state = 0
if not old or redis.call('EXISTS', KEYS[2]) == 0 then state = 2 end
if old and (old <= now or old > now + length) then state = 1 end
redis.call('ZADD', KEYS[1], now + length, ARGV[1])
redis.call('HSET', KEYS[2], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[2], 600000)                 -- an outage may be longer than the lease
redis.call('ZADD', KEYS[3], now + length, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('PEXPIRE', KEYS[3], length)
return {state, now, redis.call('ZCARD', KEYS[3]),
  redis.call('ZREVRANGEBYSCORE', KEYS[1], now, '-inf', 'LIMIT', 0, 64),
  redis.call('ZSCORE', KEYS[4], '') or ''}
