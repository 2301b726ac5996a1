-- members.lua: the routes of a topic, and the members of workers that the caller names. Writes nothing.
-- KEYS 1 routes  2.. members of one worker each
-- ARGV 1 at most so many members  2 bytes, about  3 key to go on with (2..)  4 HSCAN cursor in it
--      5.. the workers of keys 2..  then sessions: only these are read, from all keys at once
-- reply {routes, total, next, cursor, members}: routes as HGETALL gives them, with the first page and the last one;
--       how many members the keys have, with the first page; key and cursor of the next page, 0: this was the last
--       one; members: for each key that gave some {key, {session, JSON, session, JSON, ...}}, none of a worker without a route
local left, bytes, k, cursor = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local first = k == 2 and cursor == '0'
local routes, total, all, routed = {}, 0, {}, {}
if first then
  routes = redis.call('HGETALL', KEYS[1])
  for i = 1, #routes, 2 do routed[routes[i]] = true end
end
-- members(): how many members a key has, 0 of a worker without a route
local counts = {}
local function members(i)
  if not counts[i] then
    local there = routed[ARGV[i + 3]] or (not first and redis.call('HEXISTS', KEYS[1], ARGV[i + 3]) == 1)
    counts[i] = there and redis.call('HLEN', KEYS[i]) or 0
  end
  return counts[i]
end
if first then
  for i = 2, #KEYS do total = total + members(i) end
end
local only = {unpack(ARGV, #KEYS + 4)}
if #only > 0 then
  for i = 2, #KEYS do
    local r = {}
    for j, info in pairs(members(i) > 0 and redis.call('HMGET', KEYS[i], unpack(only)) or {}) do
      if info then r[#r + 1], r[#r + 2] = only[j], info end
    end
    if #r > 0 then all[#all + 1] = {i, r} end
  end
  return {routes, total, 0, '0', all}
end
while k <= #KEYS and left > 0 and bytes > 0 do
  local r = {'0', {}}
  if members(k) > 0 then r = redis.call('HSCAN', KEYS[k], cursor, 'COUNT', math.min(left, 100)) end
  if #r[2] > 0 then
    all[#all + 1] = {k, r[2]}
    left = left - #r[2] / 2
    for i = 1, #r[2] do bytes = bytes - #r[2][i] end
  end
  cursor = r[1]
  if cursor == '0' then k = k + 1 end
end
if not first and k > #KEYS then routes = redis.call('HGETALL', KEYS[1]) end
return {routes, total, k <= #KEYS and k or 0, cursor, all}
