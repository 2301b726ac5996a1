-- sweep.lua: removes a dead worker's route and members of one topic, unless it has written since.
-- The caller reads the route's value first, then the lease (over), then calls this.
-- KEYS 1 routes  2 members of that worker
-- ARGV 1 worker  2 value as read
-- reply 1 removed | 0 not: the value is another now
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2])
return 1
