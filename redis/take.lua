-- take.lua: sessions have moved from one worker to another. Their share of the count and their members go with them, of
-- some topics of a partition, so that no reader of a topic finds a session twice or not at all.
-- KEYS four of each topic: routes, members of the new worker, members of the old worker, left mark of the new worker
-- ARGV 1 new worker  2 old worker  3 ttl s  4 fence: the old worker counts them no more in versions from it on
--      then of each topic: count of the new worker when this is done, its version, how many sessions have moved, how
--      many members follow, and for each of them: SESSION, info ('': it has left since)
-- reply two of each topic {applied, stored}: 1 done, by this call or by an earlier one with the same version
--     | 0 not: stored is what the routes hold, 'count:version...' | -1 it has failed: stored is the error
-- The old worker's next report has a later version, so it counts. A route of it that isn't there stays away.
local worker, from, ttl, fence = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
-- lend(): the old worker has that many sessions less; so has what it reports until it passes the fence
local function lend(routes, moved)
  local count, version, lent = string.match(typed('HGET', routes, from) or '', '^(%d+):(%d+):?(%d*)$')
  if not count or tonumber(version) >= fence then return end
  if tonumber(version) < fence - 4294967296 then version, lent = format('%.0f', fence - 4294967296), 0 end
  redis.call('HSET', routes, from, format('%d:%s:%d', math.max(count - moved, 0), version, (tonumber(lent) or 0) + moved))
end
-- move(): members, the first of which is the argument a
local function move(new, old, a, n)
  for i = a, a + 2 * n - 1, 2 do
    typed('HDEL', old, ARGV[i])
    if ARGV[i + 1] ~= '' then typed('HSET', new, ARGV[i], ARGV[i + 1]) end
  end
  if n > 0 then redis.call('EXPIRE', new, ttl) end
end
-- take(): of the topic whose keys and arguments are from k and a on
local function take(k, a, n)
  local routes, version = KEYS[k], ARGV[a + 1]
  redis.call('EXPIRE', routes, ttl)                      -- the first write: so maxmemory refuses nothing
  local old = typed('HGET', routes, worker) or redis.call('MGET', KEYS[k + 3])[1]
  local last = old and tonumber(string.match(old, ':(%d+)')) or 0
  if last == tonumber(version) then return 1, '' end
  if last > tonumber(version) then return 0, old end
  lend(routes, ARGV[a + 2])
  redis.call('HSET', routes, worker, counted(old, ARGV[a], version))
  redis.call('EXPIRE', routes, ttl)
  move(KEYS[k + 1], KEYS[k + 2], a + 4, n)
  return 1, ''
end
local r, a = {}, 5
for k = 1, #KEYS, 4 do
  local n = tonumber(ARGV[a + 3])
  local ok, applied, stored = pcall(take, k, a, n)
  if not ok then
    local why, all = fault(applied)
    if all then return {err = why} end
    applied, stored = -1, why
  end
  r[#r + 1], r[#r + 2] = applied, stored
  a = a + 4 + 2 * n
end
return r
