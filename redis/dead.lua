-- dead.lua: workers whose leases are over and were not given up; of the last ten minutes, the latest ones first.
-- KEYS 1 leases (zset worker -> end in ms)
-- ARGV 1 at most so many
-- reply pairs: worker, ms since the end of its lease
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local r = redis.call('ZREVRANGEBYSCORE', KEYS[1], now, '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1])
for i = 2, #r, 2 do r[i] = now - r[i] end
return r
