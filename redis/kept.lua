-- kept.lua: whether a user is kept out now.
-- KEYS 1 revoked
-- ARGV 1 user
-- reply 1 yes | 0 no
local t = redis.call('TIME')
local till = redis.call('ZSCORE', KEYS[1], ARGV[1])
return till and tonumber(till) > t[1] * 1000 + t[2] / 1000 and 1 or 0
