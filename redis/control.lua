-- control.lua: sends one control entry (a kick, room info): not numbered, not stored, at most once.
-- KEYS 1 queue  2 routes of the topic  3.. those of queue.lua
-- ARGV 1 topic  2 envelope  3 queue cap  4 '*': to every live worker | '': to those that hold the topic
-- reply {0, workers} sent; 0 workers: nobody holds the topic, nothing was | {1, 0} queue full: 503
local w
if ARGV[4] == '' then w = redis.call('HKEYS', KEYS[2]) end
if w and #w == 0 then return {0, 0} end
if full(KEYS[1], 3, ARGV[3]) then return {1, 0} end
entry(KEYS[1], ARGV[1], nil, nil, w, ARGV[2])
local why = deliver(3)
return why and {err = why} or {0, w and #w or 1}
