-- login.lua: one more token of a user, before the token itself is written: every token that lives is here.
-- KEYS 1 tokens of the user (zset token -> end in ms)
-- ARGV 1 token ('': none, only drop)  2 life ms  3 most
-- reply tokens that are too many now, the oldest first; theirs to delete by the caller
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[1] ~= '' then
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])   -- first: refused at maxmemory
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIRE', KEYS[1], math.max(math.ceil(last - now), 1))
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local over = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if over <= 0 then return {} end
local dropped = redis.call('ZRANGE', KEYS[1], 0, over - 1)
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, over - 1)
return dropped
