-- control.lua: queues one control entry (a kick, room info): not numbered, not stored, at most once.
-- KEYS 1 queue  2 routes of the topic
-- ARGV 1 topic  2 envelope  3 queue cap  4 '*': to every live worker | '': to those that hold the topic
-- reply {0, workers} queued; 0 workers: nobody holds the topic, nothing was | {1, 0} queue full: 503
local w, n = ARGV[4], 1
if w == '' then
  local r = redis.call('HKEYS', KEYS[2])
  w, n = table.concat(r, ' '), #r
end
if n == 0 then return {0, 0} end
local length = redis.call('XLEN', KEYS[1])
if length >= tonumber(ARGV[3]) then return {1, 0} end
queue(KEYS[1], length, ARGV[1], '', w, ARGV[2])
return {0, n}
