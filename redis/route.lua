-- route.lua: one worker's count and members of some topics of a partition; join, leave, change, assert again, or only
-- ask.
-- KEYS 1 routes  2 members of this worker  3 meta  4 history  5 left mark of this worker  6 queue
--      then those of each other topic as 1 to 5, then those of queue.lua
-- ARGV 1 worker ('': only ask)  2 count ('-': it leaves, '': only ask)  3 version  4 routes ttl s  5 meta ttl s (with a minus: lives
--      are not renewed, but where a key is new)  6 generation  7 topic  8 control entry that tells the other workers of
--      the members ('': none; behind a '+': it has joins and leaves, gets a mark, and comes to this worker, too, so that
--      each of them knows the order)  9 queue cap, then pairs: '=' '' forget all members | '+SESSION' info | '-SESSION' ''
--      then of each other topic: '.', those like 2, 3, 5, 7, 8, and its pairs
-- reply seven of each topic {applied, epoch, top, past, stored, told, mark}: every message is routed to this worker or
--       has seq <= top, or, without a number, a mark <= mark; epoch '' where nothing is known of the topic, or it was left;
--       stored is what the routes hold when applied is 0 ('count:version...', '' none); told 0: the queue
--       was full and the others know nothing yet; a string: the mark of the entry; 1: it has none, or there are no others
--     | of one of several topics that has failed: -1, error, 0, '', '', 0, '0'
-- A topic that never had a message has no numbers to keep: its meta lives as long as the routes, and
-- goes with the last of them.  To ask makes no key.
local worker, ttl, gen, at = ARGV[1], ARGV[4], ARGV[6], #KEYS - (#KEYS - 1) % 5 + 1
-- all(): the keys of all topics that have the number which among theirs
local function all(keys, which)
  for k = which, at - 1, 5 do keys[#keys + 1] = KEYS[k == which and k or k + 1] end
  return keys
end
-- left(): what has the left mark of the i'th topic
local marks
local function left(i)
  marks = marks or redis.call('MGET', unpack(all({}, 5)))
  return marks[i]
end
-- unknown(): nothing is known of any of these topics
local known
local function unknown()
  known = known or redis.call('EXISTS', unpack(all(all({}, 3), 4)))
  return known == 0
end
-- tell(): of the topic whose keys are from k on
local function tell(k, topic, notice)
  if notice == '' then return 1 end
  local others, own = {}, nil
  for _, w in ipairs(redis.call('HKEYS', KEYS[k])) do
    if w ~= worker then others[#others + 1] = w else own = w end
  end
  if #others == 0 then return 1 end
  if full(KEYS[6], at, ARGV[9]) then return 0 end
  local u = ''
  if string.sub(notice, 1, 1) == '+' then u, notice = mark(KEYS[k + 2]), string.sub(notice, 2) end
  if u ~= '' then others[#others + 1] = own end
  entry(KEYS[6], topic, u ~= '' and '-' .. u or nil, nil, others, notice)
  return u ~= '' and u or 1
end
local function leave(k, version)
  redis.call('HDEL', KEYS[k], worker)
  redis.call('UNLINK', KEYS[k + 1])
  redis.call('SET', KEYS[k + 4], '0:' .. version, 'EX', 50)   -- keeps a late join out for so long
  if redis.call('EXISTS', KEYS[k]) == 0 and typed('HGET', KEYS[k + 2], 's') == '0' then
    redis.call('EXPIRE', KEYS[k + 2], 50)
  end
end
-- take(): the routes get what this worker says, unless they have something later, or its left mark does: what that is;
-- then whether they had nothing
local written
local function take(i, k, count, version, due)
  local routes, value, old = KEYS[k], count .. ':' .. version, nil
  if due then
    if not written then redis.call('EXPIRE', routes, ttl) end      -- the first write: so maxmemory refuses no join
    written, old = true, left(i)
    if not old and typed('HSETNX', routes, worker, value) == 1 then return nil, true end
  end
  old = typed('HGET', routes, worker) or old or left(i)
  if old and tonumber(version) <= tonumber(string.match(old, ':(%d+)')) then return old end
  if count == '-' then return end
  if redis.call('HSET', routes, worker, counted(old, count, version)) == 1 and not due then    -- others removed it
    redis.call('EXPIRE', routes, ttl)
    redis.call('EXPIRE', KEYS[k + 2], ttl, 'GT')
  end
end
-- report(): of the i'th topic, whose keys and arguments are from k and a on; pairs up to the argument z
local function report(i, k, count, version, life, topic, notice, a, z)
  local routes, members, due = KEYS[k], KEYS[k + 1], string.sub(life, 1, 1) ~= '-'
  if not due then life = string.sub(life, 2) end
  if worker == '' or count == '' then
    if redis.call('EXISTS', KEYS[k + 2], KEYS[k + 3]) == 0 then return 0, '', 0, '', '', 1, '0' end
    local e, top, past, _, last = meta(KEYS[k + 2], KEYS[k + 3], gen, life)
    return 0, e, top, past, '', 1, last
  end
  local old, new = take(i, k, count, version, due and count ~= '-')
  if old then
    local m = typed('HMGET', KEYS[k + 2], 'e', 's', 'p', 'u')
    return 0, m[1] or '', tonumber(m[2] or 0), m[3] or '', old, 1, marked(m[4])
  end
  if count == '-' then
    leave(k, version)
    return 1, '', 0, '', '', tell(k, topic, notice), '0'
  end
  local e, top, past, _, last
  if due and unknown() then
    e, top, past = begin(KEYS[k + 2], gen, 0, '', ttl)
  else
    e, top, past, _, last = meta(KEYS[k + 2], KEYS[k + 3], gen, life, ttl, not due)
  end
  if due then redis.call('EXPIRE', routes, ttl) end
  local lives = due and not new
  for p = a, z, 2 do
    local op, sid = string.sub(ARGV[p], 1, 1), string.sub(ARGV[p], 2)
    if op == '+' then lives = typed('HSET', members, sid, ARGV[p + 1]) == 1 or lives
    elseif op == '-' then typed('HDEL', members, sid)
    else redis.call('UNLINK', members) end
  end
  if lives then redis.call('EXPIRE', members, ttl) end
  return 1, e, top, past, '', tell(k, topic, notice), last or '0'
end
local r, i, k, a = {}, 1, 1, 10
local count, version, life, topic, notice = ARGV[2], ARGV[3], ARGV[5], ARGV[7], ARGV[8]
while k < at do
  local z = a
  while z <= #ARGV and ARGV[z] ~= '.' do z = z + 2 end
  local seven
  if at == 7 then
    seven = {report(i, k, count, version, life, topic, notice, a, z - 1)}
  else
    seven = {pcall(report, i, k, count, version, life, topic, notice, a, z - 1)}
    if not table.remove(seven, 1) then
      local why, all = fault(seven[1])
      if all then return {err = why} end
      seven = {-1, why, 0, '', '', 0, '0'}
    end
  end
  for j = 1, 7 do r[#r + 1] = seven[j] end
  count, version, life, topic, notice = ARGV[z + 1], ARGV[z + 2], ARGV[z + 3], ARGV[z + 4], ARGV[z + 5]
  i, k, a = i + 1, k + (k == 1 and 6 or 5), z + 6
end
local why = #entries > 0 and deliver(at)
return why and {err = why} or r
