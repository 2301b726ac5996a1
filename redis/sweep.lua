-- sweep.lua: removes a dead worker's route and members of one topic, unless it has written since.
-- The caller reads the route's value first, then the lease (over), then calls this.
-- KEYS 1 routes  2 members of that worker  3 meta: of a topic that never had a message, it goes with the last route
-- ARGV 1 worker  2 value as read
-- reply 1 removed | 0 not: the value is another now
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2])
if KEYS[3] and redis.call('EXISTS', KEYS[1]) == 0 and redis.call('HGET', KEYS[3], 's') == '0' then
  redis.call('EXPIRE', KEYS[3], 40)   -- with the lease of 12 s, a minute after the worker's end
end
return 1
