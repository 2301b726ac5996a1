# The plain protocol: the payload and nothing else, by WebSocket, server-sent
# events and HTTP streaming.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: WebSocket: messages are payloads, and a client's message is a publish
--- http_config
    im_room open       history=10 ttl=1h publish=member;
    im_room other      history=10 ttl=1h;
    im_room quiet:*    history=0 publish=anyone;
    im_room users      history=10 ttl=1h join=user publish=member;
    im_room $*         history=10 ttl=1h;
    im_limit           topics=5;
    im_jwt_key         HS256 file=$TEST_NGINX_IM_KEYS/hs256;
--- config
    im_connect /im_connect;
    location = /sub { im_comet protocol=plain; im_join $arg_room; }
    location ~ ^/sub/(.+)$ { im_comet protocol=plain; im_join $1; }
    location = /two { im_comet protocol=plain; im_join other $arg_room; }
    location = /fixed { im_comet protocol=plain transport=websocket; im_join open; }
    location = /user {
        im_comet protocol=plain;
        im_join  $arg_room;
        im_user  $arg_user;
    }
    location = /jwt {
        im_comet protocol=plain;
        im_join  $arg_room;
        im_auth  jwt from=$arg_key;
    }
    location = /token {
        im_comet protocol=plain;
        im_join  $arg_room;
        im_auth  token;
    }
    location = /short {
        im_comet protocol=plain;
        im_join  $arg_room;
        im_ping  1s timeout=3s;
    }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
    location /api/ { fastcgi_pass im_logic; include im_params; }
--- tokens
0123456789abcdef u1 Ann
--- websocket
a: open /sub?room=open
a: unanswered (?i)Sec-WebSocket-Protocol
until: /im/rooms/open "count":\s*1\b
push: room open {"n":1}
a: recv_text {"n":1}
a: send hello, world
a: recv_text hello, world
a: frame 2x 0001ff
a: recv_hex 0001ff
a: send_binary {"b":1}
a: recv_text {"b":1}
b: open /fixed
b: send from b
a: recv_text from b
b: recv_text from b
c: open /sub/quiet:x
until: /im/rooms/quiet:x "count":\s*1\b
push: room quiet:x 1
c: recv_text 1
d: open /sub?room=quiet%3Ax
d: send 2
d: recv_text 2
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: what is refused before the answer begins
--- websocket
a: refused 400 /^HTTP/ /sub
a: refused 404 /^HTTP/ /sub?room=nothing
a: refused 403 /^HTTP/ /sub?room=users
a: refused 401 /^HTTP/ /jwt?room=open
http: GET /sub 400 => no room is named
http: GET /sub?room= 400 => no room is named
http: GET /sub?room=,, 400 => no room is named
http: GET /sub?room=x%7 400 => a % without two hexadecimal digits
http: GET /sub?room=x%00 400 => not 1 to 253 bytes
http: GET /sub?room=quiet:1,quiet:2,quiet:3,quiet:4,quiet:5,quiet:6 400 => too many rooms
http: GET /sub?room=nothing 404 => no such room
http: GET /sub?room=open,nothing 404 => no such room
http: GET /sub?room=users 403 => signed-in users
http: GET /sub?room=$x 403 => a token for it
http: GET /jwt?room=open 401 => no token
http: GET /token?room=open 401 => no token
http: GET /sub?room=open&last=301 400 => from 0 to 300
http: GET /sub?room=open&last=x 400 => from 0 to 300
http: GET /sub?room=open&last=-1 400 => from 0 to 300
http: GET /sub?room=open&last_event_id=%7 400 => last_event_id
http: GET /sub 400 (Accept: text/event-stream) => no room is named
http: GET /sub?room=nothing 404 (Accept: text/event-stream) => no such room
http: GET /sub?room=users 403 => signed-in users
http: GET /jwt?room=open 401 => no token
http: HEAD /sub?room=open 405
http: POST /sub?room=open 405 => Allow: GET
http: GET /fixed 400 => WebSocket
--- no_error_log
[error]
[alert]



=== TEST 3: what ends a session: publishing that is not allowed, bad tokens
--- websocket
a: open /sub?room=other
a: send no
a: recv_close 1008 /publishing is not allowed/
b: open /two?room=open
b: send no
b: recv_close 1008 /a client with several rooms can't publish/
c: open /jwt?room=open&key=nonsense
c: recv_close 1008
d: open /jwt?room=open&key=JWT(HS256 hs256 {"sub":"u1","exp":now-60})
d: recv_close 1008 /the token has expired/
e: open /token?room=open&token=nonsense
e: recv_close 1008 /invalid token/
--- no_error_log
[error]
[alert]



=== TEST 4: users: im_user, JWT and tokens; publishing by members and users
--- websocket
a: open /user?room=users&user=u7
a: send hello
a: recv_text hello
push: user u7 {"for":"u7"}
a: recv_text {"for":"u7"}
b: open /jwt?room=users&key=JWT(HS256 hs256 {"sub":"u8"})
b: send from u8
b: recv_text from u8
a: recv_text from u8
c: open /token?room=users&token=0123456789abcdef
c: send from u1
c: recv_text from u1
a: recv_text from u1
push: user u1 1
c: recv_text 1
http: GET /user?room=users 403 => signed-in users
http: DELETE /im/users/u7?for=60 200
a: recv_close 1008 /disconnected by the backend/
until: /user?room=users&user=u7 ^403 (?s).*kept out
http: GET /user?room=users&user=u7 204 (Accept: text/event-stream)
--- no_error_log
[error]
[alert]



=== TEST 5: EventSource: positions, event names, lines, the end
--- websocket
http: POST /api/history_remove 200 {"channel":"open"}
push: room open 1
a: get /sub?room=open Accept: text/event-stream
a: answered ^HTTP/1.1 200 OK\r\n
a: answered (?m)^Content-Type: text/event-stream; charset=utf-8\r?$
a: answered (?m)^Cache-Control: private, no-cache, no-store, must-revalidate, max-age=0\r?$
a: answered (?m)^X-Accel-Buffering: no\r?$
a: event ^retry: 2000$
a: event ^id: (?<epoch>\w+):(?<seq>\d+)$
push: room open {"n":1}
a: event ^id: $epoch:(?<one>\d+)\|data: \{"n":1\}$
http: POST /api/publish 200 {"channel":"open","data":"x","tags":{"event":"news"}}
a: event ^id: $epoch:\d+\|event: news\|data: "x"$
w: open /sub?room=open
w: frame 1x 610a620d630d0a64
a: event ^id: $epoch:(?<last>\d+)\|data: a\|data: b\|data: c\|data: d$
a: cut
b: get /sub?room=open Accept: text/event-stream | Last-Event-ID: $epoch:$one
b: event ^retry: 2000$
b: event ^id: $epoch:\d+\|event: news\|data: "x"$
b: event ^id: $epoch:$last\|data: a
c: get /sub?room=open&last_event_id=$epoch:$last Accept: text/event-stream
c: event ^retry: 2000$
c: event ^id: $epoch:$last$
d: get /sub?room=open&last=2 Accept: text/event-stream
d: event ^retry: 2000$
d: event ^id: $epoch:\d+\|event: news\|data: "x"$
d: event ^id: $epoch:$last\|data: a
push: room open 5
b: event ^id: $epoch:(?<five>\d+)\|data: 5$
c: event ^id: $epoch:$five\|data: 5$
d: event ^id: $epoch:$five\|data: 5$
e: get /sub?room=open Accept: text/event-stream | Last-Event-ID: no
e: event ^retry: 2000$
e: event ^event: reset\|data: \{"reset":"messages are missing","room":"open"\}$
e: event ^id: $epoch:$five$
f: get /sub?room=open&last=1&last_event_id=1795840048:1 Accept: text/event-stream
f: event ^retry: 2000$
f: event ^event: reset\|data:
f: event ^id: $epoch:$five\|data: 5$
g: get /sub?room=open&last_event_id=0:0 Accept: text/event-stream
g: event ^retry: 2000$
g: event ^id: $epoch:$five$
h: get /sub?room=quiet:1 Accept: text/event-stream
h: event ^retry: 2000$
push: room quiet:1 1
h: event ^data: 1$
w: close 1000
v: open /sub?room=quiet:1
v: frame 1x
v: send behind an empty one
h: event ^data: behind an empty one$
--- no_error_log
[error]
[alert]



=== TEST 6: HTTP streaming: payloads and line feeds; the last messages; pings
--- websocket
a: get /sub?room=open&last=1
a: answered (?m)^Content-Type: text/plain; charset=utf-8\r?$
a: recv_text 5
push: room open {"n":2}
a: recv_text {"n":2}
b: get /short?room=quiet:2
b: recv_text 
c: get /short?room=quiet:2 Accept: text/event-stream
c: event ^retry: 2000$
c: recv_ping
d: open /short?room=quiet:2
d: recv_ping
--- no_error_log
[error]
[alert]



=== TEST 7: ws+meta.nchan
--- websocket
a: open /sub?room=open Sec-WebSocket-Protocol: ws+meta.nchan
a: answered (?m)^Sec-WebSocket-Protocol: ws\+meta\.nchan\r?$
w: open /sub?room=open
w: send hello
w: recv_text hello
a: like ^id: (?<epoch>\w+):(?<seq>\d+)\n\nhello$
w: send {"a":1}
w: recv_text {"a":1}
a: like ^id: $epoch:\d+\ncontent-type: application/json\n\n\{"a":1\}$
w: frame 2x ff00
w: recv_hex ff00
a: like ^id: $epoch:(?<last>\d+)\ncontent-type: application/octet-stream\n\n(?s)..$
a: send from a
a: like ^id: $epoch:\d+\n\nfrom a$
b: open /sub?room=open&last_event_id=$epoch:$seq Sec-WebSocket-Protocol: ws+meta.nchan
b: like ^id: $epoch:\d+\ncontent-type: application/json\n\n\{"a":1\}$
b: like ^id: $epoch:$last\ncontent-type: application/octet-stream
b: like ^id: $epoch:\d+\n\nfrom a$
c: open /sub?room=open&last_event_id=1795840048:1 Sec-WebSocket-Protocol: ws+meta.nchan
c: upto (?s)\n\nfrom a$
d: open /sub?room=quiet:3 Sec-WebSocket-Protocol: ws+meta.nchan
d: send 1
d: like ^id: 0:0\ncontent-type: application/json\n\n1$
e: open /sub?room=open Sec-WebSocket-Protocol: other
e: unanswered (?i)Sec-WebSocket-Protocol
--- no_error_log
[error]
[alert]



=== TEST 8: several rooms: positions of all, behind the messages
--- websocket
a: get /two?room=open Accept: text/event-stream
a: event ^retry: 2000$
a: event ^id: (?<none>\w+:0),(?<open>\w+:\d+)$
push: room open 7
a: event ^data: 7$
a: event ^id: $none,(?<next>\w+:\d+)$
push: room other 8
a: event ^data: 8$
a: event ^id: (?<other>\w+:\d+),$next$
a: cut
push: room open 9
push: room other 10
b: get /two?room=open Accept: text/event-stream | Last-Event-ID: $other,$next
b: event ^retry: 2000$
b: upto ^10$
b: event ^id: (?<both>\w+:\d+,\w+:\d+)$
c: get /two?room=open Accept: text/event-stream | Last-Event-ID: $none,$next
c: event ^retry: 2000$
c: like_set ^8$ || ^10$ || ^9$
c: event ^id: $both$
d: get /two?room=open&last_event_id=no Accept: text/event-stream
d: event ^retry: 2000$
d: event ^event: reset\|data: \{"reset":"messages are missing","room":"other"\}$
d: event ^id: $both$
e: open /two?room=open Sec-WebSocket-Protocol: ws+meta.nchan
until: /im/rooms/other "count":\s*4\b
push: room other 11
e: like ^id: 0:0\ncontent-type: application/json\n\n11$
f: open /two?room=open&last=1
f: like_set ^9$ || ^11$
--- no_error_log
[error]
[alert]



=== TEST 9: bodies as messages; as nchan's publishers send them
--- config
    location = /sub {
        im_comet        protocol=plain;
        im_join         $arg_id;
        im_allow_origin self http://ok.example;
    }
    location = /pub {
        proxy_set_header Content-Type application/octet-stream;
        proxy_pass       http://127.0.0.1:$TEST_NGINX_IM_HTTP/im/push?room=$arg_id;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /sub?id=open
until: /im/rooms/open "count":\s*1\b
http: POST /im/push?room=open 200 (Content-Type: application/octet-stream) {"n":1}
a: recv_text {"n":1}
http: POST /im/push?room=open 200 (Content-Type: text/plain) 7
a: recv_text 7
http: POST /pub?id=open 200 (Content-Type: application/x-www-form-urlencoded) from nchan
a: recv_text from nchan
http: POST /pub?id= 400 x
b: get /sub?id=open Accept: text/event-stream | Origin: http://ok.example
b: answered (?m)^Access-Control-Allow-Origin: http://ok\.example\r?$
http: GET /sub?id=open 403 (Origin: http://foreign.example)
http: OPTIONS /sub 204 (Origin: http://ok.example) => Access-Control-Allow-Methods: GET, OPTIONS
--- no_error_log
[alert]



=== TEST 10: why a stream ends, and when to come back
--- config
    location = /sub {
        im_comet protocol=plain;
        im_join  $arg_id;
        im_user  $arg_user;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: get /sub?id=open&user=u9 Accept: text/event-stream
a: event ^retry: 2000$
a: event ^id: 
b: get /sub?id=open&user=u9
http: DELETE /im/users/u9?reason=bye 200
a: event ^event: close\|retry: 60000\|data: \{"code":1008,"reason":"bye"\}$
a: eof
b: eof
--- no_error_log
[error]
[alert]



=== TEST 11: the publish webhook
--- http_config
    im_room quiet:*    history=0 publish=anyone;
--- config
    im_connect /im_connect;
    location = /sub {
        im_comet   protocol=plain;
        im_join    $arg_id;
        im_webhook publish /hook;
    }
    location = /no {
        im_comet   protocol=plain;
        im_join    $arg_id;
        im_webhook publish /refuse;
    }
    location = /away {
        im_comet   protocol=plain;
        im_join    $arg_id;
        im_webhook publish /broken;
    }
    location = /hook {
        internal;
        return 200 '{"result":{"data":"changed"}}';
    }
    location = /refuse {
        internal;
        return 200 '{"error":{"code":1234,"message":"too rude"}}';
    }
    location = /broken { internal; return 500; }
    location = /im_connect {
        internal;
        fastcgi_pass im_logic;
        include im_params;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /sub?id=quiet:5
a: send hello
a: recv_text "changed"
b: open /no?id=quiet:5
b: send hello
b: recv_close 1008 /^too rude$/
c: open /away?id=quiet:5
c: send hello
c: recv_close 1013 /the backend can't do it now/
--- no_error_log
[alert]



=== TEST 12: what nginx -t says
--- must_die
--- config
    location = /sub { im_comet protocol=plain; }
--- error_log
"im_comet protocol=plain" has no im_join: name the rooms



=== TEST 13: a room that no rule matches
--- must_die
--- http_config
    im_room a history=0;
--- config
    location = /sub { im_comet protocol=plain; im_join a,b; }
--- error_log
im_join: no im_room matches "b"



=== TEST 14: im_join of another protocol
--- must_die
--- config
    location = /ws { im_comet protocol=im; im_join a; }
--- error_log
im_join is of no use to "im_comet protocol=im"



=== TEST 15: from= without a token to look for
--- must_die
--- config
    location = /sub { im_comet protocol=plain; im_join a; im_auth none from=$arg_t; }
--- error_log
im_auth: "none" must be token or jwt, beside from=



=== TEST 17: over HTTP/2
--- http_config
    im_room open history=10 ttl=1h;
    im_room other history=10 ttl=1h;
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2 http2;
        location = /sub { im_comet protocol=plain; im_join $arg_room; }
    }
--- config
    location = /x { im_comet protocol=plain; im_join open; }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: get h2 :$TEST_NGINX_IM_PORT2 /sub?room=open Accept: text/event-stream
a: event ^retry: 2000$
a: event ^id: 
push: room open 1
a: event data: 1$
b: get h2 :$TEST_NGINX_IM_PORT2 /sub?room=open,other Accept: text/event-stream
b: event ^retry: 2000$
b: event ^id: \w+:\d+,\w+:\d+
push: room other 1
b: event ^data: 1$
b: event ^id: \w+:\d+,\w+:\d+
c: get h2 :$TEST_NGINX_IM_PORT2 /sub?room=open&last=1
c: recv_text 1
--- no_error_log
[error]
[alert]
