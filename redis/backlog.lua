-- backlog.lua: what waits in the queue of a partition.
-- KEYS 1 queue  2 owner
-- reply {entries, age of the oldest in ms, owner or ''}
local n, age = redis.call('XLEN', KEYS[1]), 0
if n > 0 then
  local t, first = redis.call('TIME'), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
  age = math.max(0, t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(string.match(first[1][1], '^%d+')))
end
return {n, age, redis.call('GET', KEYS[2]) or ''}
