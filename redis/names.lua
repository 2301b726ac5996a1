-- names.lua: which name has a look: names that look alike have a key in common.
-- KEYS 1 names (hash: key -> the name that has it)
-- ARGV 1 'take' | 'keep' what is free | 'free'  2 name  3 .. its keys
-- reply 1 | 0 of 'take': another name has one, nothing was taken
if ARGV[1] == 'take' then
  for i = 3, #ARGV do
    local owner = redis.call('HGET', KEYS[1], ARGV[i])
    if owner and owner ~= ARGV[2] then return 0 end
  end
end
for i = 3, #ARGV do
  if ARGV[1] ~= 'free' then
    redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[2])
  elseif redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[2] then
    redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return 1
