-- forget.lua: a topic's history is emptied; its epoch and its numbers go on.
-- KEYS 1 meta  2 history
-- reply {top}: what has gone is numbered up to it; 0: nothing is known of the topic
redis.call('UNLINK', KEYS[2])
return {tonumber(redis.call('HGET', KEYS[1], 's') or 0)}
