-- token.lua: writes a token of ours, reads one or deletes one.
-- KEYS 1 .. the keys that the token may have: {p}:t:HASH, im_TOKEN; of 'get' revoked comes last
-- ARGV 1 'set'  2 user id  3 name  4 life ms: reply 1 written | 0 there already
--      1 'get': reply {user id, name, rooms, mark, '1': the user is kept out}; nil: not there
--      1 'del'  2 user id ('': anybody's)  3 '1': ours only: reply the user it was, '' nobody
--      (a hash without the mark was written by another program; other types are not logins)
if ARGV[1] == 'set' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
  redis.call('HSET', KEYS[1], 'UserId', ARGV[2], 'UserName', ARGV[3], 'Im', '1')
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1
end
local revoked = ARGV[1] == 'get' and table.remove(KEYS)
for _, key in ipairs(KEYS) do
  local h = redis.call('TYPE', key).ok == 'hash' and redis.call('HMGET', key, 'UserId', 'UserName', 'Rooms', 'Im')
  if h and revoked then
    local t = redis.call('TIME')
    local till = h[1] and redis.call('ZSCORE', revoked, h[1])
    h[5] = till and tonumber(till) > t[1] * 1000 + t[2] / 1000 and '1'
    return h
  end
  if h and (ARGV[3] ~= '1' or h[4]) and (ARGV[2] == '' or h[1] == ARGV[2]) then
    redis.call('DEL', key)
    return h[1] or ''
  end
end
return revoked and {} or ''
