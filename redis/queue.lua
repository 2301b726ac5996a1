-- queue.lua: put in front of pub.lua, route.lua and control.lua at build time, so that all append alike.
-- queue(): appends an entry to a queue that had n, and rings for its owner: publishes on the channel that
-- is named like the queue.  A queue of 64 doesn't ring: its owner has to read it anyway.
-- bell: 'n ID #t #i #w ' t i w d | 'n ID' where the entry is long, and has to be read
local function queue(key, n, t, i, w, d)
  local id = redis.call('XADD', key, '*', 't', t, 'i', i, 'w', w, 'd', d)
  if n >= 64 then return end
  local bell = n .. ' ' .. id
  if #w + #d <= 8192 then bell = table.concat({bell, #t, #i, #w, t}, ' ') .. i .. w .. d end
  redis.call('PUBLISH', key, bell)
end
