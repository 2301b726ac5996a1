-- pub.lua: accepts messages in their order, each for one topic; in a cluster all are of one partition.
-- KEYS five of each message: 1 meta  2 history  3 queue  4 idempotency  5 routes; then those of queue.lua
-- ARGV nine of each: 1 topic  2 envelope  3 hash16  4 generation (the first one's is for all)  5 history length
--      (0: none, '': as below)  6 history ttl s  7 meta ttl s  8 idempotency ttl s (0: none, key 4 is any)  9 queue cap
-- A message outside of the history has no number: it is '-:0', of any epoch, and only sent.
-- reply three of each: 0, 'epoch:seq', workers: accepted | 1, 'epoch:seq', 0: seen before
--     | 2, '', 0: queue full: 503 | 3, '', 0: same id, another payload: 409
--     | 4, error, 0: one of several has failed
local at, now = #KEYS - #KEYS % 5 + 1, nil
-- number(): the next number; stores the message.  Lives are an eighth longer, and renewed when that is over.
local function number(key, history, d, length, ttl, life)
  local e, s, _, due = meta(key, history, ARGV[4])
  local more = math.floor((length == '0' and life or ttl) / 8)
  now = now or tonumber(redis.call('TIME')[1])
  due = not due or now >= due or due - now > more          -- or ttl is less, or the clock was set back
  s = s + 1
  if due then
    redis.call('HSET', key, 's', s, 'x', now + more)
    redis.call('EXPIRE', key, life + more)
  else
    redis.call('HSET', key, 's', s)
  end
  if length == '0' then return e, s end
  local cut, id = tonumber(length) < 1000 and '=' or '~', s .. '-1'          -- '~' leaves up to 100 more
  if due or not typed('XADD', history, 'NOMKSTREAM', 'MAXLEN', cut, length, id, 'd', d) then
    typed('XADD', history, 'MAXLEN', cut, length, id, 'd', d)
    redis.call('EXPIRE', history, ttl + more)
  end
  return e, s
end
local function accept(k, a)
  local topic, d, hash, life = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 8]
  local seen = life ~= '0' and typed('GET', KEYS[k + 4])
  if seen then
    local id, of = string.match(seen, '^(.*):([^:]*)$')
    if of ~= hash then return 3, '', 0 end
    redis.call('EXPIRE', KEYS[k + 4], life)                -- a write: WAIT is about those of its connection alone
    return 1, id, 0
  end
  local w = topic ~= 'b' and typed('HKEYS', KEYS[k + 5])   -- b goes to all workers, whatever its routes are
  local sent = not w or #w > 0
  if sent and full(KEYS[k + 3], at, ARGV[a + 9]) then return 2, '', 0 end
  local e, s = '-', 0
  if ARGV[a + 5] ~= '' then e, s = number(KEYS[k + 1], KEYS[k + 2], d, ARGV[a + 5], ARGV[a + 6], ARGV[a + 7]) end
  local id = e .. ':' .. s
  if life ~= '0' then redis.call('SET', KEYS[k + 4], id .. ':' .. hash, 'EX', life) end
  return 0, id, w and #w or 0, sent and entry(KEYS[k + 3], topic, e, s, w or nil, d)
end
if at == 6 then
  local status, id, n = accept(0, 0)
  local why = deliver(at)
  return why and {err = why} or {status, id, n}
end
local r, x, accepted = {}, {}, false
for i = 0, (at - 6) / 5 do
  local ok, status, id, n, sent = pcall(accept, i * 5, i * 9)
  if not ok then
    local why, every = fault(status)
    if every and not accepted then return {err = why} end
    status, id, n = 4, why, 0
  end
  x[i + 1] = sent or {}
  accepted = accepted or status == 0
  r[#r + 1] = status
  r[#r + 1] = id
  r[#r + 1] = n
end
if deliver(at) then
  for i = 1, #x do
    if x[i].failed then r[3 * i - 2], r[3 * i - 1], r[3 * i] = 4, x[i].failed, 0 end
  end
end
return r
