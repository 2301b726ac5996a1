-- route.lua: one worker's count and members of one topic; join, leave, change, assert again, or only ask.
-- KEYS 1 routes  2 members of this worker  3 meta  4 history  5 left mark of this worker  6 queue
--      7.. those of queue.lua
-- ARGV 1 worker ('': only ask)  2 count  3 version  4 routes ttl s  5 meta ttl s  6 generation
--      7 topic  8 control entry that tells the other workers of the members ('': none)  9 queue cap,
--      then pairs: '=' '' forget all members | '+SESSION' info | '-SESSION' ''
-- reply {applied, epoch, top, past, stored, told}: every message is routed to this worker or has seq <= top;
--       epoch '' where nothing is known of the topic, or it was left;
--       stored is what the routes hold when applied is 0 ('count:version', '' none); told 0: the queue
--       was full and the others know nothing yet
-- A topic that never had a message has no numbers to keep: its meta lives as long as the routes, and
-- goes with the last of them.  To ask makes no key.
local function tell()
  if ARGV[8] == '' then return 1 end
  local others = {}
  for _, w in ipairs(redis.call('HKEYS', KEYS[1])) do
    if w ~= ARGV[1] then others[#others + 1] = w end
  end
  if #others == 0 then return 1 end
  if full(KEYS[6], 7, ARGV[9]) then return 0 end
  entry(ARGV[7], nil, nil, others, ARGV[8])
  deliver(KEYS[6], 7)
  return 1
end
if ARGV[1] == '' then
  if redis.call('EXISTS', KEYS[3], KEYS[4]) == 0 then return {0, '', 0, '', '', 1} end
  local e, top, past = meta(KEYS[3], KEYS[4], ARGV[6], ARGV[5])
  return {0, e, top, past, '', 1}
end
local old = typed('HGET', KEYS[1], ARGV[1]) or redis.call('GET', KEYS[5])
if old and tonumber(ARGV[3]) <= tonumber(string.match(old, ':(%d+)')) then
  local m = typed('HMGET', KEYS[3], 'e', 's', 'p')
  return {0, m[1] or '', tonumber(m[2] or 0), m[3] or '', old, 1}
end
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
  redis.call('UNLINK', KEYS[2])
  redis.call('SET', KEYS[5], '0:' .. ARGV[3], 'EX', 50)   -- keeps a late join out for so long
  if redis.call('EXISTS', KEYS[1]) == 0 and typed('HGET', KEYS[3], 's') == '0' then
    redis.call('EXPIRE', KEYS[3], 50)
  end
  return {1, '', 0, '', '', tell()}
end
local e, top, past = meta(KEYS[3], KEYS[4], ARGV[6], ARGV[5], ARGV[4])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
for i = 10, #ARGV, 2 do
  local op, sid = string.sub(ARGV[i], 1, 1), string.sub(ARGV[i], 2)
  if op == '+' then typed('HSET', KEYS[2], sid, ARGV[i + 1])
  elseif op == '-' then typed('HDEL', KEYS[2], sid)
  else redis.call('UNLINK', KEYS[2]) end
end
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {1, e, top, past, '', tell()}
