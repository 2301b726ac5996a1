# goim over TCP: im_listen.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: packets over TCP, beside WebSocket
--- http_config
    im_room *     history=0;
    im_broadcast  history=0;
    im_auth mid;

    server {
        listen    127.0.0.1:$TEST_NGINX_IM_PORT2;
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim backlog=64 sndbuf=64k;
        im_listen 127.0.0.1:$TEST_NGINX_IM_TLS protocol=goim ssl reuseport;
        ssl_certificate     $TEST_NGINX_IM_CERT;
        ssl_certificate_key $TEST_NGINX_IM_KEY;
        location / { return 200 "http\n"; }
    }
--- config
    location = /sub { im_comet protocol=goim; }
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":123,"key":"a","room_id":"live://1","accepts":[1000]}
b: login tls :$TEST_NGINX_IM_TLS {"mid":123,"room_id":"live://1","accepts":[1000]}
c: open /sub
c: packet 7,1,1 {"mid":123,"room_id":"live://1","accepts":[1000]}
c: recv_packet 8,1,1
a: heartbeat 3
b: heartbeat 3
http: POST /im/push?user=123&operation=1000 200 (Content-Type: text/plain) mid
a: pushed 1000 mid
b: pushed 1000 mid
c: pushed 1000 mid
http: POST /im/push?room=live://1&operation=9 200 (Content-Type: text/plain) room
a: pushed 9 room
b: pushed 9 room
c: pushed 9 room
http: POST /im/push?all=1&operation=1000 200 (Content-Type: text/plain) all
http: POST /im/push?key=a&operation=1000 200 (Content-Type: text/plain) key
b: pushed 1000 all
c: pushed 1000 all
a: pushed_set 1000 all || 1000 key

# several packets in a read, and a packet in several
a: raw 00000010001000010000000200000001 00000013001000010000000e00000002 312c32 0000001000100001000003e800000003 00
a: recv_packet 3,1,1 \x00\x00\x00\x03
a: recv_packet 15,1,2 1,2
a: recv_packet 1000,1,3
a: raw 0000
a: raw 10001000
a: raw 010000000200000004
a: recv_packet 3,1,4 \x00\x00\x00\x03

# op 9 has nothing to send here; a length below 16 has no body
a: packet 9,1,5
a: packet l0 1,1,6
a: recv_packet 1,1,6

# the end of one without a word
a: packet h17 2,1,1
a: eof
d: connect :$TEST_NGINX_IM_HTTP2
d: raw 00001011
d: eof
e: connect :$TEST_NGINX_IM_HTTP2
e: packet 7,1,1 []
e: eof
f: connect tls :$TEST_NGINX_IM_TLS
f: packet 7,1,1 {"key":"a\n"}
f: eof
http: :$TEST_NGINX_IM_PORT2 GET / 200 => http
b: heartbeat 2
log: session ended: client: 127.0.0.1, user: "123", protocol: goim, transport: tcp, .*code: 1008, why: header of the packet
--- no_error_log
[error]



=== TEST 2: the time-outs: no auth, and silence
--- http_config
    im_room *  history=0;
    im_limit auth_timeout=1s;
    im_ping 1s timeout=2s;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {}
b: connect :$TEST_NGINX_IM_HTTP2
b: packet 2,1,1
b: eof
a: eof
log: code: 1008, why: no first frame in time
log: why: no answer to ping
--- no_error_log
[error]



=== TEST 3: what an address may have
--- http_config
    im_room *  history=0;
    im_per_address sessions=2 pending=1 handshakes=0;

    server {
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
    }
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {}
b: connect :$TEST_NGINX_IM_HTTP2
b: packet 2,1,1
until: /status "total":.*"unauthenticated":1,
c: connect :$TEST_NGINX_IM_HTTP2
c: gone
log: connection refused
b: packet 7,1,1 {}
b: recv_packet 8,1,1
d: connect :$TEST_NGINX_IM_HTTP2
d: gone
e: login from=127.0.0.2 :$TEST_NGINX_IM_HTTP2 {}
a: heartbeat 0
--- no_error_log
[error]



=== TEST 4: reload: those that are there end, and new ones come to the new workers
--- http_config
    im_handover off;
    im_room *  history=0;
    im_auth mid;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
    im_listen 127.0.0.1:$TEST_NGINX_IM_PORT2 protocol=goim reuseport;
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
b: login :$TEST_NGINX_IM_PORT2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) before
a: pushed 1 before
b: pushed 1 before
reload:
a: eof
b: eof
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
b: login :$TEST_NGINX_IM_PORT2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) after
a: pushed 1 after
b: pushed 1 after
log: code: 1012, why: worker ends
--- no_error_log
[error]



=== TEST 5: a backend is asked at a location of the server
--- http_config
    im_room *  history=0;

    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2;
        location = /who { return 200 '{"code":0,"data":{"user":"7"}}'; }
    }
    server {
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
        im_auth token;
        im_connect /who;
        location = /who { internal; proxy_pass http://127.0.0.1:$TEST_NGINX_IM_PORT2; }
    }
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":8,"accepts":[1]}
http: POST /im/push?user=7&operation=1 200 (Content-Type: text/plain) 7
a: pushed 1 7
--- no_error_log
[error]



=== TEST 6: the address of a listen
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_SERVER_PORT protocol=goim;
--- config
    location = /x { return 200; }
--- must_die
--- error_log eval
qr/im_listen: "127.0.0.1:\d+" in \S+:\d+ can't have the address of another listen, "[^"]+": give it a port of its own/



=== TEST 7: twice
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
    im_listen *:$TEST_NGINX_IM_HTTP2 protocol=goim;
--- config
    location = /x { return 200; }
--- must_die
--- error_log eval
qr/can't have the address of another listen/



=== TEST 8: another protocol
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=im;
--- config
    location = /x { return 200; }
--- must_die
--- error_log
im_listen: "protocol=im" can't be spoken over TCP alone: it must be protocol=goim



=== TEST 9: no port
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1 protocol=goim;
--- config
    location = /x { return 200; }
--- must_die
--- error_log
im_listen: "127.0.0.1" has no port



=== TEST 10: ssl without a certificate
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim ssl;
--- config
    location = /x { return 200; }
--- must_die
--- error_log
needs the directives ssl_certificate and ssl_certificate_key of its server



=== TEST 11: an unknown word
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim http2;
--- config
    location = /x { return 200; }
--- must_die
--- error_log
im_listen: "http2" is unknown; there are protocol= ssl



=== TEST 12: no server that it asks
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;
    im_auth token;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
--- config
    location = /x { return 200; }
--- must_die
--- error_log
"im_auth token" asks im_logic who a token is



=== TEST 13: operations change while a client does not read: nothing is lost or out of order
--- http_config
    im_room *  history=0;
    im_auth mid;
    im_limit topic_log=4m;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim sndbuf=64k;
    im_listen 127.0.0.1:$TEST_NGINX_IM_TLS protocol=goim sndbuf=64k ssl;
--- config
    ssl_certificate     $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
b: login tls :$TEST_NGINX_IM_TLS {"mid":1,"accepts":[1]}
c: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1,2]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 1FILL(200000)
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 2FILL(200000)
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 3FILL(200000)
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 4FILL(200000)
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 5
c: pushed 1 1FILL(200000)
c: pushed 1 2FILL(200000)
c: pushed 1 3FILL(200000)
c: pushed 1 4FILL(200000)
c: pushed 1 5
a: packet 14,1,1 2
b: packet 14,1,1 2
a: packet 14,1,2 3
b: packet 14,1,2 3
a: packet 16,1,3 1
b: packet 16,1,3 1
a: pushed 1 1FILL(200000)
a: pushed 1 2FILL(200000)
a: pushed 1 3FILL(200000)
a: pushed 1 4FILL(200000)
a: pushed 1 5
a: recv_packet 15,1,1 2
a: recv_packet 15,1,2 3
a: recv_packet 17,1,3 1
b: pushed 1 1FILL(200000)
b: pushed 1 2FILL(200000)
b: pushed 1 3FILL(200000)
b: pushed 1 4FILL(200000)
b: pushed 1 5
b: recv_packet 15,1,1 2
b: recv_packet 15,1,2 3
b: recv_packet 17,1,3 1
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) 6
http: POST /im/push?user=1&operation=2 200 (Content-Type: text/plain) 7
a: pushed 2 7
b: pushed 2 7
c: pushed 1 6
c: pushed 2 7
--- no_error_log
[error]



=== TEST 14: one that does not read ends, whatever it changes
--- http_config
    im_room *  history=0;
    im_auth mid;
    im_limit topic_log=64k;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim sndbuf=64k;
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) FILL(900000)
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) FILL(900000)
a: packet 14,1,1 2
a: packet 16,1,2 1
log: protocol: goim, .*why: too slow
b: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"accepts":[1]}
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) on
b: pushed 1 on
--- no_error_log
[alert]



=== TEST 15: packets that are cut at any byte, over TCP and TLS
--- http_config
    im_room *  history=0;
    im_auth mid;

    server {
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
        im_listen 127.0.0.1:$TEST_NGINX_IM_TLS protocol=goim ssl;
        ssl_certificate     $TEST_NGINX_IM_CERT;
        ssl_certificate_key $TEST_NGINX_IM_KEY;
    }
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login :$TEST_NGINX_IM_HTTP2 {"mid":1,"room_id":"x","accepts":[1]}
a: cuts 14,1,2 1,2 || 1000,1,3 || 16,1,4 2 => 15,1,2 1,2 || 1000,1,3 || 17,1,4 2
b: login tls :$TEST_NGINX_IM_TLS {"mid":1,"room_id":"x","accepts":[1]}
b: cuts 14,1,2 1,2 || 1000,1,3 || 16,1,4 2 => 15,1,2 1,2 || 1000,1,3 || 17,1,4 2
http: POST /im/push?user=1&operation=1 200 (Content-Type: text/plain) both
a: pushed 1 both
b: pushed 1 both
--- no_error_log
[error]



=== TEST 16: certificates of clients, and what a responder says of them
--- http_config
    im_room *  history=0;

    ssl_certificate        $TEST_NGINX_IM_CERTS/server.pem;
    ssl_certificate_key    $TEST_NGINX_IM_CERTS/server.key;
    ssl_client_certificate $TEST_NGINX_IM_CERTS/ca.pem;

    server {
        im_listen 127.0.0.1:$TEST_NGINX_IM_TLS protocol=goim ssl;
        ssl_verify_client on;
    }
    server {
        listen 127.0.0.1:$TEST_NGINX_IM_PORT2;
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim ssl;
        ssl_verify_client  on;
        ssl_ocsp           leaf;
        ssl_ocsp_responder http://127.0.0.1:$TEST_NGINX_IM_PORT2/;
        location / { return 503; }
    }
--- config
    location /im/   { fastcgi_pass im_logic; include im_params; }
--- services: redis logic job
--- websocket
a: login tls cert=client :$TEST_NGINX_IM_TLS {}
b: connect tls :$TEST_NGINX_IM_TLS
b: gone
log: connection refused: client sent no certificate
c: connect tls cert=other :$TEST_NGINX_IM_TLS
c: gone
log: connection refused: unable to
d: connect tls cert=client :$TEST_NGINX_IM_HTTP2
d: gone
log: connection refused: certificate status request failed
a: heartbeat 0
--- no_error_log
[alert]



=== TEST 17: a question that leads nowhere
--- http_config
    im_redis 127.0.0.1:1;
    im_room * history=0;

    server {
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
        im_auth token;
        im_connect /nowhere;
    }
--- config
    location = /x { return 200; }
--- must_die
--- error_log
leads to no location that answers: add "location = /nowhere { internal; fastcgi_pass im_logic; include im_params; }" to the server that has "im_listen"



=== TEST 18: no protocol
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 ssl;
--- config
    location = /x { return 200; }
--- must_die
--- error_log eval
qr/im_listen: "127.0.0.1:\d+" has no protocol: add protocol=goim/



=== TEST 19: without Redis
--- http_config
    im_room * history=0;
    im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
    # im_redis is missing
--- no_redis
--- config
    location = /x { return 200; }
--- must_die
--- error_log
"im_listen ... protocol=goim" needs Redis: add "im_redis 127.0.0.1:6379;" to http{}
