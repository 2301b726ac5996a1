-- live.lua: who holds a lease, by one reading of the clock: a lease holds while now < end <= now + length.
-- KEYS 1 leases (zset member -> end in ms)
-- ARGV 1 length ms  2 one member, or '': all  3 at most so many
-- reply: those members whose lease holds
local t = redis.call('TIME')
local now, length = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1])
if ARGV[2] == '' then
  return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, now + length, 'LIMIT', 0, ARGV[3])
end
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or nil)
if last and now < last and last <= now + length then return {ARGV[2]} end
return {}
