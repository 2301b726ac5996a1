-- queue.lua: put in front of pub.lua, route.lua and control.lua at build time, so that all append alike.
-- queue(): appends an entry to a queue that had n, and rings for its owner: publishes on the channel that
-- is named like the queue.  A queue of 64 doesn't ring: its owner has to read it anyway.
-- bell, big-endian: u32 n, u8+ID | the same, u8+t, u8+i, u32+w, d; a long entry has to be read
local function queue(key, n, t, i, w, d)
  local id = redis.call('XADD', key, '*', 't', t, 'i', i, 'w', w, 'd', d)
  if n >= 64 then return end
  local bell = struct.pack('>I4Bc0', n, #id, id)
  if #w + #d <= 8192 then bell = bell .. struct.pack('>Bc0Bc0I4c0', #t, t, #i, i, #w, w) .. d end
  redis.call('SPUBLISH', key, bell)
end
