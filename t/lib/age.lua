-- ARGV 1 seconds: lives of keys, leases, and what was seen of them, are as much older
local ms = ARGV[1] * 1000
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, math.max(left - ms, 1)) end
end
for _, whose in ipairs({'nodes', 'jobs'}) do
  for _, who in ipairs(redis.call('ZRANGE', 'im:{reg}:' .. whose, 0, -1)) do
    redis.call('ZINCRBY', 'im:{reg}:' .. whose, -ms, who)
  end
  for _, field in ipairs({'t', 'h'}) do
    redis.call('HINCRBY', 'im:{reg}:s:' .. whose, field, -ms)
  end
end
return 'aged'
