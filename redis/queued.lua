-- queued.lua: what waits in a queue.
-- KEYS 1 queue
-- reply 1 entries  2 ms that the oldest one has waited
local n = redis.call('XLEN', KEYS[1])
if n == 0 then return {0, 0} end
local t, id = redis.call('TIME'), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1][1]
return {n, math.max(0, t[1] * 1000 + math.floor(t[2] / 1000) - string.match(id, '^%d+'))}
