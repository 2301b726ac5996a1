-- back.lua: what came before a number, the newest first. Writes nothing.
-- KEYS 1 meta  2 history
-- ARGV 1 before ('': from the top)  2 after  3 limit  4 bytes: about so many, at least one entry
-- reply {epoch, top, past, entries}
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'p')
if not m[1] then return {'', 0, '', {}} end
local limit, left, all = tonumber(ARGV[3]), tonumber(ARGV[4]), {}
local high = ARGV[1] == '' and '+' or '(' .. ARGV[1] .. '-0'
local low = '(' .. ARGV[2] .. '-18446744073709551615'
while #all < limit and left > 0 do
  local n = math.min(8, limit - #all)
  local r = redis.call('XREVRANGE', KEYS[2], high, low, 'COUNT', n)
  for i = 1, #r do
    all[#all + 1] = r[i]
    left = left - #r[i][2][2]
    if left <= 0 then break end
  end
  if #r < n then break end
  high = '(' .. r[n][1]
end
return {m[1], tonumber(m[2]), m[3], all}
