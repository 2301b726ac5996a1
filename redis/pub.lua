-- pub.lua: accepts messages in their order, each for one topic; in a cluster all are of one partition.
-- KEYS five of each message: 1 meta  2 history  3 queue  4 idempotency  5 routes; then those of queue.lua
-- ARGV nine of each: 1 topic  2 envelope  3 hash16  4 generation (the first one's is for all)  5 history length
--      (0: none, '': as below)  6 history ttl s  7 meta ttl s  8 idempotency ttl s (0: none, key 4 is any)  9 queue cap
-- A message outside of the history has no number: the answer is '-:0', and it is only sent, as 0 of the epoch
-- '-MARK', or '-' at maxmemory.
-- reply three of each: 0, 'epoch:seq', workers: accepted | 1, 'epoch:seq', 0: seen before
--     | 2, '', 0: queue full: 503 | 3, '', 0: same id, another payload: 409
--     | 4, error, 0: one of several has failed
local at, now = #KEYS - #KEYS % 5 + 1, nil
local gen, eighths = ARGV[4], {}
-- more(): lives are an eighth longer, and renewed when that is over
local function more(life)
  local n = eighths[life] or math.floor(life / 8)
  eighths[life] = n
  return n
end
-- number(): epoch, next number, and whether lives are to be renewed; life: of what lives shortest.  A repetition begins
-- no epoch: nil, and what idem has
local function number(key, history, life, idem)
  local m, e, s, _, due = try('HMGET', key, 'e', 's', 'g', 'x')
  if m[1] and m[3] == gen then e, s, due = m[1], m[2] or 0, tonumber(m[4] or nil)
  else
    local seen = idem and typed('GET', idem)
    if seen then return nil, seen end
    e, s, _, due = meta(key, history, gen)
  end
  return e, format('%d', s + 1), not due or now >= due or due - now > more(life)    -- less life, or clock back
end
-- add(): the message to the history; an error of it
local function add(history, d, s, due, length, ttl)
  local cut, id, r = tonumber(length) < 1000 and '=' or '~', s .. '-1', nil     -- '~' leaves up to 100 more
  if not due then
    r = try('XADD', history, 'NOMKSTREAM', 'MAXLEN', cut, length, id, 'd', d)
    if type(r) == 'string' then return end
  end
  if type(r) == 'table' and not wrong(history, r) then return r end
  r = try('XADD', history, 'MAXLEN', cut, length, id, 'd', d)
  if type(r) == 'table' and wrong(history, r) then r = try('XADD', history, 'MAXLEN', cut, length, id, 'd', d) end
  if type(r) == 'table' then return r end
  call('EXPIRE', history, ttl + more(ttl))
end
-- store(): the number and the message; an error of the history
local function store(key, history, d, s, due, length, ttl, life)
  if due then
    local longer = more(length == '0' and life or ttl)
    call('HSET', key, 's', s, 'x', now + longer)
    call('EXPIRE', key, life + longer)
  else
    call('HSET', key, 's', s)
  end
  return length ~= '0' and add(history, d, s, due, length, ttl)
end
-- repeated(): the answer to a message that has been accepted as seen says
local function repeated(key, seen, hash, life)
  local id, of = string.match(seen, '^(.*):([^:]*)$')
  if of ~= hash then return 3, '', 0 end
  call('EXPIRE', key, life)                                -- a write: WAIT is about those of its connection alone
  return 1, id, 0
end
-- first(): what was accepted with this id before; none: the id is taken now
local function first(key, id, life)
  local seen = try('SET', key, id, 'NX', 'GET', 'EX', life)
  if type(seen) ~= 'table' then return seen end
  if wrong(key, seen) then return call('SET', key, id, 'NX', 'GET', 'EX', life) end
  return call('GET', key) or error(seen)                   -- at maxmemory
end
local function accept(k, a)
  local topic, d, hash, length, ttl, life = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 5], ARGV[a + 6], ARGV[a + 8]
  local idem = life ~= '0' and KEYS[k + 4]
  local w = topic ~= 'b' and typed('HKEYS', KEYS[k + 5])   -- b goes to all workers, whatever its routes are
  local sent = not w or #w > 0
  if sent and full(KEYS[k + 3], at, ARGV[a + 9]) then
    local seen = idem and typed('GET', idem)
    if seen then return repeated(idem, seen, hash, life) end
    return 2, '', 0
  end
  local e, s, due = '-', '0', nil
  if length ~= '' then
    now = now or tonumber(call('TIME')[1])
    e, s, due = number(KEYS[k + 1], KEYS[k + 2], length == '0' and ARGV[a + 7] or ttl, idem)
    if not e then return repeated(idem, s, hash, life) end
  end
  local id = e .. ':' .. s
  if idem then
    local seen = first(idem, id .. ':' .. hash, life)
    if seen then return repeated(idem, seen, hash, life) end
  end
  local failed = length ~= '' and store(KEYS[k + 1], KEYS[k + 2], d, s, due, length, ttl, ARGV[a + 7])
  if failed then
    if idem then call('DEL', idem) end
    error(failed)
  end
  if length == '' and sent then e = '-' .. mark(KEYS[k + 1]) end
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
