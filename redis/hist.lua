-- hist.lua: what follows (epoch, seq). Writes nothing.
-- KEYS 1 meta  2 history  3 queue of a topic that keeps no history, or none
-- ARGV 1 epoch ('': no position, the window after seq)  2 seq  3 limit (0: only top)
-- reply {status, epoch, top, past, entries, mark}: 0 complete | 1 more: ask again with (epoch, last entry)
--     | 2 hole: tell it, go on at (epoch, top); for the window ask with epoch ''
--     | 3 it may be in the queue: ask again later
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'p', 'u')
local e, from, seq, limit = m[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not e then return {from == '' and 0 or 2, '', 0, '', {}, '0'} end
local top, past, mark = tonumber(m[2]), m[3], string.match(m[4] or '0', '%d+')
local bound = top
if from ~= '' and from ~= e then                 -- an older epoch is good up to where it ended
  local p = ' ' .. past
  local _, at = string.find(p, ' ' .. from .. ':', 1, true)
  bound = at and tonumber(string.match(p, '^%d+', at + 1)) or -1
end
if seq > bound then return {2, e, top, past, {}, mark} end
if seq == top or limit == 0 then return {seq == top and 0 or 1, e, top, past, {}, mark} end
local function hole()
  local n = KEYS[3] and from == e and redis.pcall('XLEN', KEYS[3])
  return type(n) == 'number' and n > 0 and 3 or 2
end
local r = redis.call('XRANGE', KEYS[2], (seq + 1) .. '-0', '+', 'COUNT', limit)
if #r == 0 then return {from == '' and 0 or hole(), e, top, past, r, mark} end
local first, last = tonumber(string.match(r[1][1], '^%d+')), tonumber(string.match(r[#r][1], '^%d+'))
if last - first + 1 ~= #r or (from ~= '' and first ~= seq + 1) then
  return {from == '' and 2 or hole(), e, top, past, from == '' and r or {}, mark}   -- a window with a jump is good after the jump
end
return {last == top and 0 or 1, e, top, past, r, mark}
