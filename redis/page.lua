-- page.lua: some of a topic's history, from either end. Writes nothing.
-- KEYS 1 meta  2 history
-- ARGV 1 '': behind number 2, upwards | '1': before number 2, downwards  2 number ('': from the end)
--      3 limit (0: only where it stands)  4 bytes: about so many, at least one entry
-- reply {epoch, top, past, entries}
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'p')
if not m[1] then return {'', 0, '', {}} end
local down, limit, left, all = ARGV[1] ~= '', tonumber(ARGV[3]), tonumber(ARGV[4]), {}
local edge, last = down and '+' or '-', down and '-' or '+'
if ARGV[2] ~= '' then
  edge = '(' .. ARGV[2] .. (down and '-0' or '-18446744073709551615')
end
while #all < limit and left > 0 do
  local n = math.min(8, limit - #all)
  local r = redis.call(down and 'XREVRANGE' or 'XRANGE', KEYS[2], edge, last, 'COUNT', n)
  for i = 1, #r do
    all[#all + 1] = r[i]
    left = left - #r[i][2][2]
    if left <= 0 then break end
  end
  if #r < n then break end
  edge = '(' .. r[n][1]
end
return {m[1], tonumber(m[2]), m[3], all}
