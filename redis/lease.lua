-- lease.lua: a worker renews its lease. A lease holds while now < end <= now + length (both bounds:
-- a clock that was set back, or a replica's clock, must not keep the dead alive).
-- KEYS 1 leases (zset worker -> end in ms)  2 record of the worker  3 tokens of its node  4 revoked
--      5 what was seen of the leases  then records of other workers: to which sessions have moved from this one, and
--      from which sessions have moved to this one
-- ARGV 1 worker  2 length ms (0: give it up)  3 token  4 generation, then pairs: fields of the record that changed
--      then of each key of the first kind: '>' that worker, and the fence of the last channel to it
--      then '=' '1' or '0', the fence of the last channel, and pairs: fields that depend on sessions.  They are written
--      if the record has them not, or with '0' once the records of all those workers that live have all that came
--      through these channels.  From then on no sessions that came through channels up to the last one are lent.
--      then of each key of the second kind: '<' number of the move, above those of earlier ones, fence of the channel,
--      '1': with it, all that came through the channel is counted; and pairs: a field,
--      how much of it moves from that record to this one (to this one only if the field isn't written by this call):
--      a number, or of protocols 'NAME SESSIONS', with commas between.  A move that was made before does nothing.
-- reply {state, now ms, tokens, dead, revoked, taken}: 0 held | 1 had lapsed | 2 wasn't there; on 1 and 2 write the
--       whole record and assert all routes again; tokens > 1: another nginx uses this node's name; dead: workers
--       that have died in the last ten minutes, the latest 64; revoked: another after each change of these; taken:
--       three of each key of the first kind: that worker, fence, and 0 it has not counted all | 1 it has | 2 it is dead
-- change(): a field of a record gets more (sign 1) or less (-1)
local function change(key, field, value, sign)
  local had, by, all = redis.call('HGET', key, field) or '', {}, {}
  if field ~= 'protocols' then
    redis.call('HSET', key, field, string.format('%d', math.max((tonumber(had) or 0) + sign * value, 0)))
    return
  end
  for name, n in string.gmatch(value, '([^ ,]+) (%d+)') do by[name] = sign * n end
  for name, n in string.gmatch(had, '([^ ,]+) (%d+)') do by[name] = (by[name] or 0) + n end
  for name, n in pairs(by) do
    if n > 0 then all[#all + 1] = string.format('%s %d', name, n) end
  end
  table.sort(all)
  redis.call('HSET', key, field, table.concat(all, ','))
end
-- move(): what moves from a record is said from the argument a on; where the next one's begins
local given = {}
local function move(key, a)
  local last, number, fence = 'from:' .. key, tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local there = redis.call('EXISTS', key) == 1 and fence > tonumber(redis.call('HGET', key, 'off') or 0)
  local due = number > tonumber(redis.call('HGET', KEYS[2], last) or 0)
  if due then redis.call('HSET', KEYS[2], last, number) end
  if due and ARGV[a + 3] == '1' then redis.call('HSET', KEYS[2], 'took:' .. key, fence) end
  a = a + 4
  while ARGV[a] and ARGV[a] ~= '<' do
    if due and there then change(key, ARGV[a], ARGV[a + 1], -1) end
    if due and not given[ARGV[a]] then change(KEYS[2], ARGV[a], ARGV[a + 1], 1) end
    a = a + 2
  end
  return a
end
local t = redis.call('TIME')
local now, length = t[1] * 1000 + math.floor(t[2] / 1000), tonumber(ARGV[2])
if length == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('UNLINK', KEYS[2])
  return {0, now, 0, {}, '', {}}
end
seen(KEYS[1], KEYS[5], ARGV[4], now, length)            -- first: not refused at maxmemory
local old = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
local state = 0
if not old or redis.call('EXISTS', KEYS[2]) == 0 then state = 2 end
if old and (old <= now or old > now + length) then state = 1 end
redis.call('ZADD', KEYS[1], now + length, ARGV[1])
local a, k = 5, 6
while ARGV[a] and not string.find(ARGV[a], '^[<=>]$') do
  given[ARGV[a]] = true
  a = a + 2
end
redis.call('HSET', KEYS[2], unpack(ARGV, 5, a - 1))
redis.call('PEXPIRE', KEYS[2], 600000)                 -- an outage may be longer than the lease
local lent, taken = false, {}
while ARGV[a] == '>' do
  local last, what = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[a + 1]) or nil), 0
  if tonumber(redis.call('HGET', KEYS[k], 'took:' .. KEYS[2]) or 0) >= tonumber(ARGV[a + 2]) then what = 1
  elseif not last or last <= now or last > now + length then what = 2 end
  taken[#taken + 1], taken[#taken + 2], taken[#taken + 3] = ARGV[a + 1], ARGV[a + 2], what
  lent = lent or what == 0
  a, k = a + 3, k + 1
end
if ARGV[a] == '=' then
  lent = lent or ARGV[a + 1] == '1'
  if not lent and ARGV[a + 2] ~= '0' then redis.call('HSET', KEYS[2], 'off', ARGV[a + 2]) end
  a = a + 3
  while ARGV[a] and ARGV[a] ~= '<' do
    local new = redis.call(lent and 'HSETNX' or 'HSET', KEYS[2], ARGV[a], ARGV[a + 1])
    given[ARGV[a]] = not lent or new == 1
    a = a + 2
  end
end
for i = k, #KEYS do a = move(KEYS[i], a) end
redis.call('ZADD', KEYS[3], now + length, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('PEXPIRE', KEYS[3], length)
return {state, now, redis.call('ZCARD', KEYS[3]),
  redis.call('ZREVRANGEBYSCORE', KEYS[1], now, '-inf', 'LIMIT', 0, 64),
  redis.call('ZSCORE', KEYS[4], '') or '', taken}
