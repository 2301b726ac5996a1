-- route.lua: one worker's count and members of one topic; join, leave, change, assert again, or only ask.
-- KEYS 1 routes  2 members of this worker  3 meta  4 history  5 left mark of this worker
-- ARGV 1 worker ('': only ask)  2 count  3 version  4 routes ttl s  5 meta ttl s  6 generation,
--      then pairs: '=' '' forget all members | '+SESSION' info | '-SESSION' ''
-- reply {applied, epoch, top, past, stored}: every message is routed to this worker or has seq <= top;
--       stored is what the routes hold when applied is 0 ('count:version', '' none)
local known = redis.call('EXPIRE', KEYS[3], ARGV[5])   -- first, so that maxmemory refuses no join or leave
local e, top, past = meta(KEYS[3], KEYS[4], ARGV[6])
if known == 0 then redis.call('EXPIRE', KEYS[3], ARGV[5]) end
if ARGV[1] == '' then return {0, e, top, past, ''} end
local old = redis.call('HGET', KEYS[1], ARGV[1]) or redis.call('GET', KEYS[5])
if old and tonumber(ARGV[3]) <= tonumber(string.match(old, ':(%d+)')) then
  return {0, e, top, past, old}
end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('UNLINK', KEYS[2])
  redis.call('SET', KEYS[5], '0:' .. ARGV[3], 'EX', 60)   -- keeps a late join out for a minute
  return {1, e, top, past, ''}
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
for i = 7, #ARGV, 2 do
  local op, sid = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
  if op == '+' then redis.call('HSET', KEYS[2], sid, ARGV[i + 1])
  elseif op == '-' then redis.call('HDEL', KEYS[2], sid)
  else redis.call('UNLINK', KEYS[2]) end
end
if #ARGV > 6 then redis.call('EXPIRE', KEYS[2], ARGV[4]) end
return {1, e, top, past, ''}
