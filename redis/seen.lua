-- seen.lua: put in front of lease.lua, live.lua, online.lua and jobs.lua at build time, so that all judge leases alike.
-- seen(): where no lease could be renewed for a while, those that held at its begin hold for one length from
-- now on: Redis is another one (generation), it was away (no call for 5 s), or its clock was set back.
-- key (hash): g generation, t the last call in ms, h until when it isn't known which leases are over: reply
local function seen(leases, key, gen, now, length)
  local s = redis.call('HMGET', key, 'g', 't', 'h')
  local t, h = tonumber(s[2] or 0), tonumber(s[3] or 0)
  redis.call('ZREMRANGEBYSCORE', leases, '-inf', t - 600000)    -- first: not refused at maxmemory
  if s[1] ~= gen or now - t > 5000 or t - now > 1000 then
    h = now + length
    for _, who in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. t, t + length)) do
      redis.call('ZADD', leases, h, who)
    end
  end
  redis.call('HSET', key, 'g', gen, 't', now, 'h', h)
  return h
end
