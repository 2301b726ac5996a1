-- token.lua: writes a token of ours, or deletes one.
-- KEYS 1 a key that the token may have: {p}:t:HASH or im_TOKEN
-- ARGV 1 'set'  2 user id  3 name  4 life ms: reply 1 written | 0 there already
--      1 'del'  2 user id ('': anybody's)  3 '1': ours only: reply the user it was, '' nobody
--      (a hash without the mark was written by another program; other types are not logins)
if ARGV[1] == 'set' then
  if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
  redis.call('HSET', KEYS[1], 'UserId', ARGV[2], 'UserName', ARGV[3], 'Im', '1')
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return 1
end
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return '' end
local h = redis.call('HMGET', KEYS[1], 'UserId', 'Im')
if (ARGV[3] == '1' and not h[2]) or (ARGV[2] ~= '' and h[1] ~= ARGV[2]) then return '' end
redis.call('DEL', KEYS[1])
return h[1] or ''
