-- check.lua: whether Redis still has what one worker has told it of some topics. Writes nothing.
-- KEYS three of each topic: routes, members of that worker, meta
-- ARGV 1 worker, then three of each topic: epoch and number of its position, '1' if it has members
-- reply {topic, what, top, ...} of each that differs: what 0: route, members or epoch have gone
--     | 1: there are later messages | 2: there is less than the position says
local call, worker, r = redis.pcall, ARGV[1], {}          -- an error: a value of another type
for i = 3, #KEYS, 3 do
  local m, what = call('HMGET', KEYS[i], 'e', 's'), nil
  local members = ARGV[i + 1] ~= '1' or call('HLEN', KEYS[i - 1])
  if m[1] ~= ARGV[i - 1] or call('HEXISTS', KEYS[i - 2], worker) ~= 1
     or members == 0 or type(members) == 'table' then
    what = 0
  elseif m[2] ~= ARGV[i] then
    what = tonumber(m[2]) > tonumber(ARGV[i]) and 1 or 2
  end
  if what then
    r[#r + 1] = string.match(KEYS[i - 2], '^[^}]*}:(.*):w$')
    r[#r + 1] = what
    r[#r + 1] = tonumber(m[2] or 0)
  end
end
return r
