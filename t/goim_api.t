# /goim/: pushes, counts and nodes as goim's logic has them, messages that go
# together, and pushes that reach so many sessions a second.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: pushes, and what is wrong with them
--- http_config
    im_room live://*  history=10 ttl=1h;
    im_room 1         history=0;
    im_inbox          history=10 ttl=1h;
    im_broadcast      history=10 ttl=1h;
--- config
    location = /ws {
        im_comet protocol=im;
        im_auth token;
        im_connect /im_connect;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /goim/ { fastcgi_pass im_logic; include im_params; }
--- tokens
t1 123 Ann
--- websocket
a: open /ws
a: send {"Auth":"t1","room":"live://1000"}
a: recv op 4
http: POST /goim/push/mids?operation=1000&mids=123&mids=124 200 {"test":1} => \A\{"code":0,"message":""\}\z
a: recv msg {"test":1}
http: POST /goim/push/room?operation=1000&type=live&room=1000 200 a text => \A\{"code":0,"message":""\}\z
a: recv msg "a text"
http: POST /goim/push/all?operation=1000 200 [1] => \A\{"code":0,"message":""\}\z
a: recv msg [1]
http: POST /goim/push/all?operation=1000&speed=100 200 2
a: recv msg 2
http: POST /goim/push/keys?operation=1000&keys=nobody&keys=x 200 3 => \A\{"code":0,"message":""\}\z
http: :$TEST_NGINX_IM_HTTP POST /goim/push/mids?mids=123 200 4
a: recv msg 4
http: POST /goim/push/keys 400 x => \A\{"code":-400,"message":"no keys="\}\z
http: POST /goim/push/mids?operation=1 400 x => "code":-400,"message":"no mids="
http: POST /goim/push/mids?mids=0 400 x => mids must be numbers from 1 on
http: POST /goim/push/mids?mids=01 400 x => mids must be numbers
http: POST /goim/push/mids?mids=x 400 x
http: POST /goim/push/mids?mids=1&operation=2147483648 400 x => operation must be a number
http: POST /goim/push/room?type=live&room=1 400 x => operation must be a number from 1
http: POST /goim/push/room?operation=1&room=1 400 x => type must have a value
http: POST /goim/push/room?operation=1&type=live 400 x => room must have a value
http: POST /goim/push/room?operation=1&type=other&room=1 404 x => "code":-400,"message":"no im_room rule"
http: POST /goim/push/all 400 x => operation must be
http: POST /goim/push/all?operation=1&speed=x 400 x => speed must be
http: GET /goim/push/all?operation=1 405
a: silent
--- no_error_log
[error]
[alert]



=== TEST 2: counts and nodes
--- websocket
a: open /ws
a: send {"room":"live://1000"}
a: recv op 4
b: open /ws
b: send {"room":"live://1000"}
b: recv op 4
c: open /ws
c: send {"room":"live://7"}
c: recv op 4
d: open /ws
d: send {"room":"1"}
d: recv op 4
until: /goim/online/total \{"code":0,"message":"","data":\{"conn_count":4,"ip_count":1\}\}
until: /goim/online/top?type=live&limit=5 "data":\[\{"room_id":"1000","count":2\},\{"room_id":"7","count":1\}\]
http: GET /goim/online/top?type=live&limit=1 200 => "data":\[\{"room_id":"1000","count":2\}\]
http: GET /goim/online/top?type=liv&limit=5 200 => "data":\[\]
http: GET /goim/online/top?type=live 400 => limit must be
http: GET /goim/online/top?limit=1 400 => type must have
http: GET /goim/online/room?type=live&rooms=1000&rooms=8&rooms=7 200 => "data":\{"1000":2,"8":0,"7":1\}
http: GET /goim/online/room?type=live 400 => "no rooms="
http: GET /goim/online/room?rooms=1 400 => type must have
http: GET /goim/nodes/instances 200 => "data":\[\{"region":"","zone":"","env":"","appid":"goim.comet","hostname":"[^"]+","addrs":\[\],.*"conn_count":"4","ip_count":"1","offline":"false"
http: GET /goim/nodes/weighted?platform=web 404 => --goim-domain
stop: logic
start: logic --goim-domain=conn.example.com
until: /goim/nodes/weighted?platform=web "data":\{"domain":"conn.example.com","tcp_port":3101,"ws_port":3102,"wss_port":3103,"heartbeat":240,"nodes":\["conn.example.com"\],"backoff":\{"max_delay":300,"base_delay":3,"factor":1.8,"jitter":0.3\},"heartbeat_max":2\}
stop: logic
start: logic --goim-domain=conn.example.com --goim-host-domain=.example.com --goim-wss-port=0 --goim-heartbeat=1m
until: /goim/nodes/weighted "ws_port":3102,"heartbeat":60,"nodes":\["[^."]+\.example\.com"\]
--- no_error_log
[error]
[alert]



=== TEST 3: messages of a room go together
--- http_config
    im_room 1  history=0 batch=1s;
    im_room 2  history=0 batch=10s;
    im_broadcast history=0;
--- config
    location = /ws { im_comet protocol=im; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /goim/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /ws
b: send {"roomId":1}
b: recv op 4
push: room 1 "one"
push: room 1 "two"
push: room 1 "three"
elapsed: 0
a: recv msg "one"
a: recv msg "two"
a: recv msg "three"
b: recv msg "one"
b: recv msg "two"
b: recv msg "three"
elapsed: 1
push: room 1 "four"
a: recv msg "four"
b: recv msg "four"
elapsed: 2
c: open /ws
c: send {"roomId":2}
c: recv op 4
push: room 2 5
push: all 6
c: recv_set 5 6
--- no_error_log
[error]
[alert]



=== TEST 4: a push that reaches so many sessions a second
--- http_config
    im_room *  history=0;
    im_broadcast history=10 ttl=1h;
--- config
    location = /ws { im_comet protocol=im; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /goim/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /ws
a: send {"roomId":1}
a: recv op 4
b: open /ws
b: send {"roomId":2}
b: recv op 4
c: open /ws
c: send {"roomId":3}
c: recv op 4
d: open /ws
d: send {"roomId":4}
d: recv op 4
http: POST /goim/push/all?operation=1&speed=1 200 "slow"
a: recv msg "slow"
b: recv msg "slow"
c: recv msg "slow"
d: recv msg "slow"
elapsed: 4
http: POST /goim/push/all?operation=1&speed=1 200 "again"
http: POST /goim/push/all?operation=1 200 "at once"
a: recv msg "again"
a: recv msg "at once"
b: recv msg "again"
b: recv msg "at once"
c: recv msg "again"
c: recv msg "at once"
d: recv msg "again"
d: recv msg "at once"
http: POST /goim/push/all?operation=1&speed=1 200 "last"
a: close 1000
b: close 1000
c: close 1000
d: recv msg "last"
--- no_error_log
[error]
[alert]



=== TEST 5: clients of goim: what they accept, rooms, keys, all
--- http_config
    im_room live://*  history=0 batch=1s;
    im_inbox      history=0;
    im_broadcast  history=0;
--- config
    location = /sub { im_comet protocol=goim; im_auth mid; }
    location /goim/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /sub
a: packet 7,1,1 {"mid":123,"key":"k1","room_id":"live://1","accepts":[1000,1001]}
a: recv_packet 8,1,1
b: open /sub
b: packet 7,1,1 {"mid":124,"key":"k2","room_id":"live://1","accepts":[2000]}
b: recv_packet 8,1,1
http: POST /goim/push/mids?operation=2000&mids=123&mids=124 200 not for 123
b: pushed 2000 not for 123
http: POST /goim/push/keys?operation=1000&keys=k1&keys=k2 200 for k1
a: pushed 1000 for k1
http: POST /goim/push/all?operation=1001 200 (Content-Type: application/octet-stream) all of 1001
a: pushed 1001 all of 1001
http: POST /goim/push/all?operation=2000&speed=1000 200 all of 2000
b: pushed 2000 all of 2000
http: POST /goim/push/room?operation=3000&type=live&room=1 200 one
http: POST /goim/push/room?operation=3001&type=live&room=1 200 two
a: pushed 3000 one
a: pushed 3001 two
b: pushed 3000 one
b: pushed 3001 two
elapsed: 1
until: /goim/online/room?type=live&rooms=1 "data":\{"1":2\}
--- no_error_log
[error]
[alert]
