-- own.lua: a job process holds or gives up the lease of one partition.
-- KEYS 1 owner
-- ARGV 1 process  2 length ms (0: give it up)
-- reply 1 it is this process's (or was given up) | 0 another's
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
  return 1
end
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then      -- first: not refused at maxmemory
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
