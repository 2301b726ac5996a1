-- meta.lua: put in front of pub.lua, route.lua and take.lua at build time, so that all number a topic alike.
local call, try, format = redis.call, redis.pcall, string.format
-- wrong(): r is an error, since the key has a value of another type: it makes way
local function wrong(key, r)
  return string.find(r.err, 'WRONGTYPE', 1, true) and call('UNLINK', key)
end
-- typed(): a command on a key of ours; a value of another type makes way for it.
local function typed(command, key, ...)
  local r = try(command, key, ...)
  if type(r) ~= 'table' or not r.err then return r end
  wrong(key, r)
  return call(command, key, ...)
end
-- counted(): what routes hold of a worker: 'count:version', and ':lent' where others have taken so many of its sessions
-- since versions passed a multiple of 2^32 (a fence).  The worker counts them on until it passes the next one.
local function counted(old, count, version)
  local last, lent = string.match(old or '', ':(%d+):(%d+)$')
  if not last or math.floor(last / 4294967296) ~= math.floor(version / 4294967296) then return count .. ':' .. version end
  return format('%d:%s:%s', math.max(count - lent, 0), version, lent)
end
-- micros(): the time, us
local function micros()
  local t = call('TIME')
  return t[1] * 1000000 + t[2]
end
-- marked(): the last mark, of what u of a topic's meta has. Behind a '+' the next one skips those that Redis may have
-- lost.
local function marked(u) return string.match(u or '0', '%d+') end
-- mark(): the next mark of a topic, for an entry that has no number. Marks rise, also when meta was lost. '': there is
-- no memory.
local function mark(key)
  local n = try('HINCRBY', key, 'u', 1)
  if type(n) == 'table' then
    if not string.find(n.err, 'not an integer', 1, true) then return '' end
    n = math.max(marked(call('HGET', key, 'u')) + 1000000, micros())
    call('HSET', key, 'u', format('%.0f', n))
  elseif n == 1 then
    n = micros()
    call('HSET', key, 'u', format('%.0f', n))
    call('EXPIRE', key, 172800, 'NX')
  end
  return format('%.0f', n)
end
-- begin(): a topic's epoch begins under this generation, above the number s; it lives for ttl seconds
local epoch
local function begin(key, gen, s, past, ttl)
  if not epoch then
    local t = redis.call('TIME')
    epoch = string.sub(gen, 1, 4) .. string.format('%08x%05x', t[1], t[2])
  end
  redis.call('HSET', key, 'e', epoch, 's', s, 'g', gen, 'p', past)
  if ttl then redis.call('EXPIRE', key, ttl) end
  return epoch, s, past
end
-- fault(): what an error of pcall() says, and whether it concerns all of a call and not the keys of one topic.
local function fault(e)
  local why = tostring(type(e) == 'table' and e.err or e)
  local code = string.match(why, '^(%u+) ')
  return why, code ~= nil and code ~= 'ERR' and code ~= 'WRONGTYPE'
end
-- meta(): the topic's epoch, seq, past, when its life is to be renewed (s), and its last mark, under this generation;
-- starts an epoch where one is due.  life, empty: seconds that it lives from now on, at least, with a message and
-- without; nil: as before; kept: only if it is new.
local function meta(key, history, gen, life, empty, kept)
  local m = typed('HMGET', key, 'e', 's', 'g', 'p', 'x', 'u')
  local s, past, last = tonumber(m[2] or 0), '', m[6]
  local ttl = not kept and (s > 0 and life or empty)
  if ttl and s > 0 then redis.call('EXPIRE', key, ttl, 'GT')       -- a push may have renewed it for longer
  elseif ttl then redis.call('EXPIRE', key, ttl) end
  if m[1] and m[3] == gen then return m[1], s, m[4], tonumber(m[5] or nil), marked(last) end
  if m[1] then                                   -- another generation: the old epoch ended at s
    past = m[1] .. ':' .. m[2]
    local n = 1
    for pair in string.gmatch(m[4], '%S+') do
      n = n + 1
      if n <= 16 then past = past .. ' ' .. pair end
    end
  end
  if redis.call('EXISTS', history) == 1 then     -- never below an entry, also when meta was lost alone
    local newest = typed('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
    if newest then s = math.max(s, tonumber(string.match(newest[1], '^%d+'))) end
  end
  local e = begin(key, gen, s, past, s > 0 and life or empty)
  if last then call('HSET', key, 'u', marked(last) .. '+') end
  return e, s, past, nil, marked(last)
end
