-- online.lua: who holds a lease, as live.lua says, and what those workers count, as one step: sessions that move from
-- one worker to another are in one of their records, at any time.
-- KEYS 1 leases (zset worker -> end in ms)  2 what was seen of them  3.. records of workers
-- ARGV 1 length ms  2 at most so many  3 generation  4.. fields of records
-- reply {those whose lease holds, of each record the values of its fields}
local t = redis.call('TIME')
local now, length = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1])
seen(KEYS[1], KEYS[2], ARGV[3], now, length)
local counts = {}
for k = 3, #KEYS do counts[k - 2] = redis.call('HMGET', KEYS[k], unpack(ARGV, 4)) end
return {redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, now + length, 'LIMIT', 0, ARGV[2]), counts}
