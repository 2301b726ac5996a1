-- live.lua: who holds a lease, by one reading of the clock: a lease holds while now < end <= now + length.
-- KEYS 1 leases (zset member -> end in ms)  2 what was seen of them
-- ARGV 1 length ms  2 one member, or '': all  3 at most so many  4 generation
--      5 '1': only what is sure: nil while leases may be over that could not be renewed
-- reply: those members whose lease holds; where it isn't sure, one that is asked for does
local t = redis.call('TIME')
local now, length = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[1])
local sure = now >= seen(KEYS[1], KEYS[2], ARGV[4], now, length)
if ARGV[2] == '' then
  if ARGV[5] == '1' and not sure then return false end
  return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, now + length, 'LIMIT', 0, ARGV[3])
end
local last = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or nil)
if not sure or (last and now < last and last <= now + length) then return {ARGV[2]} end
return {}
