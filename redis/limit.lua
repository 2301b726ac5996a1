-- limit.lua: one more attempt of so many in a period, refilled evenly (a token bucket as one time).
-- KEYS 1 the subject
-- ARGV 1 attempts  2 period ms
-- reply 0 allowed | ms until the next is
local t = redis.call('TIME')
local now, step = t[1] * 1000 + math.floor(t[2] / 1000), ARGV[2] / ARGV[1]
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or nil) or 0, now)   -- when it is empty again
full = math.min(full, now + ARGV[2])             -- the clock was set back
if full - now > ARGV[2] - step + 1 then return math.max(math.ceil(full - now - ARGV[2] + step), 1) end
redis.call('SET', KEYS[1], string.format('%.3f', full + step), 'PX', math.ceil(full + step - now))
return 0
