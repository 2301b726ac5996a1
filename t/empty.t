# What guests bring into being goes with them: a minute after the last follower
# of a room without a message, Redis has nothing of it.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

# keys of topics that live for longer than a minute, and how many there are; the
# harness pushes to a room of its own
my $keys = q{local r={}for _,k in ipairs(redis.call('keys','im:{*}:[rub]*'))do }
    . q{if not string.find(k,'_ready')then };
my $long = "${keys}local t=redis.call('TTL',k)if t<0 or t>60 then r[#r+1]=k end "
    . "end end table.sort(r)return table.concat(r,',')";
my $topics = "${keys}r[#r+1]=k end end return(#r)";

$ENV{TEST_NGINX_IM_LONG} = 'EVAL ' . join('\_', split / /, $long) . ' 0';
$ENV{TEST_NGINX_IM_TOPICS} = 'EVAL ' . join('\_', split / /, $topics)
    . ' 0';

run_tests();

__DATA__

=== TEST 1: rooms, an inbox and everybody, followed and left
--- http_config
    im_room p:*  history=10 ttl=1h presence;
    im_room *    history=10 ttl=1h;
    im_inbox     history=10 ttl=1h;
    im_broadcast history=10 ttl=1h;
--- config
    location = /ws {
        im_comet protocol=centrifuge;
        im_auth token;
        im_connect /im_connect;
    }
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /none { im_comet protocol=im; im_auth none; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
until: /im/health ^200
redis: $TEST_NGINX_IM_TOPICS => ^0$
http: GET /im/rooms/x 200 => "count":0
http: GET /im/rooms/x/history 200 => "epoch":"","seq":0,"messages":\[\]
http: GET /im/rooms/x/history?since=%3A0 200 => "messages":\[\]\}\}
http: GET /im/users/x 200
http: POST /api/history 200 {"channel":"x"} => "epoch":"","offset":0
http: POST /api/history 200 {"channel":"x","since":{"offset":0,"epoch":""}} => "offset":0
http: POST /api/history_remove 200 {"channel":"x"}
http: POST /api/presence 200 {"channel":"p:x"}
http: POST /api/presence_stats 200 {"channel":"p:x"}
http: POST /api/unsubscribe 200 {"channel":"x","user":"u"}
redis: $TEST_NGINX_IM_TOPICS => ^0$
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
a: subscribe 20 r
a: send {"subscribe":{"channel":"p:1"},"id":99}
a: like "id":99,"subscribe":
b: open /none
b: send {"roomId":1}
b: recv op 4
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":
c: send {"subscribe":{"channel":"p:1"},"id":2}
c: like "id":2,"subscribe":.*"epoch":"(?<epoch>\w+)"
redis: $TEST_NGINX_IM_LONG => :u:u1:m,.*:p:1:k:.*:p:1:m,.*:p:1:w.*:b:m,
a: close 1000
b: cut
c: send {"unsubscribe":{"channel":"p:1"},"id":3}
c: like "id":3,"unsubscribe":
await: $TEST_NGINX_IM_LONG => ^im:\{\d+-\d+\}:b:m,im:\{\d+-\d+\}:b:w$
c: send {"subscribe":{"channel":"p:1","recover":true,"epoch":"$epoch","offset":0},"id":4}
c: like "id":4,"subscribe":.*"recovered":true
c: cut
await: $TEST_NGINX_IM_LONG => ^$
redis: EVAL for\__,k\_in\_ipairs(redis.call('keys','im:{*}:[rub]*'))do\_redis.call('PEXPIRE',k,1)end 0
await: $TEST_NGINX_IM_TOPICS => ^0$
c: open /cf
c: send {"connect":{},"id":1}
c: like ^\{"id":1,"connect":
c: send {"subscribe":{"channel":"p:1","recover":true,"epoch":"$epoch","offset":0},"id":4}
c: like "id":4,"subscribe":(?!.*"recovered":true)
c: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: refused half-way
--- websocket
a: open /cf
a: send {"connect":{"subs":{"q1":{"recover":true,"epoch":"e","offset":7}}},"id":1}
a: like ^\{"id":1,"connect":
a: send_lines {"subscribe":{"channel":"q2"},"id":2} | {"subscribe":{"channel":"$q3"},"id":3} | {"subscribe":{"channel":"#u9"},"id":4}
a: like_set "id":2,"subscribe": || "id":3,"error": || "id":4,"error":
a: cut
b: open /cf
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"q4"},"id":2}
b: cut
await: $TEST_NGINX_IM_LONG => ^$
--- no_error_log
[error]
[alert]



=== TEST 3: a killed worker: all of its routes go, also of rooms without messages
--- websocket
a: open /ws
a: send {"connect":{"token":"0123456789abcdef"},"id":1}
a: like ^\{"id":1,"connect":
a: subscribe 20 k
a: send {"subscribe":{"channel":"p:2"},"id":99}
a: like "id":99,"subscribe":
push: room k3 "kept"
kill: worker
a: eof
redis: EVAL for\__,w\_in\_ipairs(redis.call('ZRANGE','im:{reg}:nodes',0,-1))do\_redis.call('ZADD','im:{reg}:nodes',1,w)end 0
await: $TEST_NGINX_IM_LONG => ^im:\{\d+-\d+\}:r:k3:h,im:\{\d+-\d+\}:r:k3:m$
unlogged: \[error\]



=== TEST 4: im_job begins with what an earlier one has left
--- websocket
stop: job
redis: EVAL for\_i=1,1000\_do\_local\_t='im:{3}:r:old'..i..':'redis.call('HSET',t..'w','n.0.1','1:1')redis.call('HSET',t..'k:n.0.1','s','{}')redis.call('HSET',t..'m','e','x','s',0,'g','','p','')end 0
start: job
await: $TEST_NGINX_IM_LONG => ^im:\{\d+-\d+\}:r:k3:h,im:\{\d+-\d+\}:r:k3:m$
unlogged: \[(error|alert)\]
