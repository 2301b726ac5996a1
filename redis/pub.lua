-- pub.lua: accepts one message for one topic.
-- KEYS 1 meta  2 history  3 queue  4 idempotency  5 routes
-- ARGV 1 topic  2 envelope  3 hash16  4 generation  5 history length (0: none, '': as below)  6 history ttl s
--      7 meta ttl s  8 idempotency ttl s  9 queue cap
-- A message outside of the history has no number: it is '-:0', of any epoch, and only queued.
-- reply {0, 'epoch:seq', workers} accepted | {1, 'epoch:seq', 0} seen before
--     | {2, '', 0} queue full: 503 | {3, '', 0} same id, another payload: 409
local seen = typed('GET', KEYS[4])
if seen then
  local id, hash = string.match(seen, '^(.*):([^:]*)$')
  if hash ~= ARGV[3] then return {3, '', 0} end
  redis.call('EXPIRE', KEYS[4], ARGV[8])         -- a write: WAIT is about those of its connection alone
  return {1, id, 0}
end
local all = ARGV[1] == 'b'                       -- it goes to all workers, whatever its routes are
local w = all and {} or typed('HKEYS', KEYS[5])
local queued = all or #w > 0
local n = queued and redis.call('XLEN', KEYS[3])
if queued and n >= tonumber(ARGV[9]) then return {2, '', 0} end
local id = '-:0'
if ARGV[5] ~= '' then
  local e = meta(KEYS[1], KEYS[2], ARGV[4])
  local s = redis.call('HINCRBY', KEYS[1], 's', 1)
  redis.call('EXPIRE', KEYS[1], ARGV[7])
  if ARGV[5] ~= '0' then
    local cut = tonumber(ARGV[5]) < 1000 and '=' or '~'  -- '~' leaves up to 100 more
    typed('XADD', KEYS[2], 'MAXLEN', cut, ARGV[5], s .. '-1', 'd', ARGV[2])
    redis.call('EXPIRE', KEYS[2], ARGV[6])
  end
  id = e .. ':' .. s
end
redis.call('SET', KEYS[4], id .. ':' .. ARGV[3], 'EX', ARGV[8])
if queued then queue(KEYS[3], n, ARGV[1], id, table.concat(w, ' '), ARGV[2]) end
return {0, id, #w}
