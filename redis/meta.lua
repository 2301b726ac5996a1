-- meta.lua: put in front of pub.lua and route.lua at build time, so that both number a topic alike.
-- meta(): the topic's epoch, seq and past under this generation; starts an epoch where one is due.
local function meta(key, history, gen)
  local m = redis.call('HMGET', key, 'e', 's', 'g', 'p')
  if m[3] == gen then return m[1], tonumber(m[2]), m[4] end
  local t, s, past = redis.call('TIME'), tonumber(m[2] or 0), ''
  if m[1] then                                   -- another generation: the old epoch ended at s
    past = m[1] .. ':' .. m[2]
    local n = 1
    for pair in string.gmatch(m[4], '%S+') do
      n = n + 1
      if n <= 8 then past = past .. ' ' .. pair end
    end
  end
  if redis.call('EXISTS', history) == 1 then     -- never below an entry, also when meta was lost alone
    local last = redis.call('XREVRANGE', history, '+', '-', 'COUNT', 1)[1]
    if last then s = math.max(s, tonumber(string.match(last[1], '^%d+'))) end
  end
  local e = string.sub(gen, 1, 4) .. string.format('%08x%05x', t[1], t[2])
  redis.call('HSET', key, 'e', e, 's', s, 'g', gen, 'p', past)
  return e, s, past
end
