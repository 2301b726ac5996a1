# What a client may send and have read for it: frames, bytes, history, recovery.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

our $Text = CORE::join ' ', map { sprintf '818200000000%s', unpack 'H*', sprintf '%02d', $_ } 1 .. 30;
our $Pings = CORE::join ' ', map { sprintf '898200000000%s', unpack 'H*', sprintf '%02d', $_ } 1 .. 30;
our $Pongs = CORE::join ' ', ('8a8000000000') x 30;
our $Fragments = CORE::join ' ', '018000000000', ('008000000000') x 30, '8082000000007878';
our $Empty = CORE::join ' ', ('818000000000') x 30;

# each room's messages are longer than what an address has
our $Rooms = <<'CONF';
    im_room long  history=20 ttl=1h;
    im_room short history=20 ttl=1h;
    im_room 7     history=20 ttl=1h;
CONF

our $Cf = <<'CONF';
    location = /cf   { im_comet protocol=centrifuge; im_auth none; }
    location = /im   { im_comet protocol=im; im_auth none; }
    location = /status { im_status; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
CONF

run_tests();

__DATA__

=== TEST 1: text frames wait, in order; another address and a neighbour don't
--- http_config
    im_per_address frames=20;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket eval
"a: open /echo
a: raw $::Text
b: open /echo
b: send near
b: recv_text near
c: open from=127.0.0.2 /echo
c: send far
c: recv_text far
until: /status \"address_frames\":[1-9]
" . CORE::join('', map { sprintf "a: recv_text %02d\n", $_ } 1 .. 30) . "a: silent
log: 127\\.0\\.0\\.1 is refused: im_per_address frames=
"
--- no_error_log
[error]
[alert]



=== TEST 2: control frames are frames
--- http_config
    im_per_address frames=20;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket eval
"a: open /cf
a: send {\"id\":1,\"connect\":{}}
a: upto \"id\":1,
a: raw $::Pings
until: /status \"address_frames\":[1-9]
a: send {\"id\":2,\"unsubscribe\":{\"channel\":\"x\"}}
a: upto \"id\":2,
a: silent
"
--- no_error_log
[error]
[alert]



=== TEST 3: pongs that were not asked for
--- http_config
    im_per_address frames=20;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket eval
"a: open /echo
a: raw $::Pongs
a: send next
until: /status \"address_frames\":[1-9]
a: recv_text next
"
--- no_error_log
[error]
[alert]



=== TEST 4: fragments, of which many are empty
--- http_config
    im_per_address frames=20;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket eval
"a: open /echo
a: raw $::Fragments
until: /status \"address_frames\":[1-9]
a: recv_text xx
a: silent
"
--- no_error_log
[error]
[alert]



=== TEST 5: empty messages of im, and commands that share a frame
--- http_config
    im_per_address frames=20;
--- config
    location = /im   { im_comet protocol=im; im_auth none; }
    location = /cf   { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket eval
"a: open /im
a: send {\"roomId\":1}
a: upto \"op\":4
a: raw $::Empty
until: /status \"address_frames\":[1-9]
a: silent
http: GET /status 200 => \"address_frames\":(?<n>\\d+)
b: open from=127.0.0.2 /cf
b: send {\"id\":1,\"connect\":{}}
b: like ^\\{\"id\":1,\"connect\":
b: send_lines " . CORE::join(' | ', map { qq({"id":$_,"unsubscribe":{"channel":"x"}}) } 2 .. 30) . "
b: ping more
until: /status \"address_frames\":(?!\$n\\b)
b: upto \"id\":30,
b: recv_pong more
"
--- no_error_log
[error]
[alert]



=== TEST 6: bytes
--- http_config
    im_per_address bytes=64k;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
a: send_big 60000
a: recv_big 60000
a: send_big 60000
a: recv_big 60000
a: send_big 60000
a: recv_big 60000
a: send_big 60000
a: recv_big 60000
b: open from=127.0.0.2 /echo
b: send_big 60000
b: recv_big 60000
a: silent
until: /status "address_bytes":[1-9]
log: 127\.0\.0\.1 is refused: im_per_address bytes=
--- no_error_log
[error]
[alert]



=== TEST 7: no limits
--- http_config
    im_per_address frames=20 bytes=64k except=127.0.0.2 except=127.0.0.4/31;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket eval
"a: open from=127.0.0.2 /echo
a: raw $::Text $::Text $::Text $::Text
" . CORE::join('', map { sprintf "a: recv_text %02d\n", $_ } (1 .. 30) x 4) . "b: open from=127.0.0.5 /echo
b: raw $::Pings $::Pings $::Pings $::Pings
b: recv_pong 30
b: silent
until: /status \"address_frames\":0\\b
"
--- no_error_log
[error]
[alert]



=== TEST 8: a client that waits answers pings late, and one that is gone is noticed
--- http_config
    im_per_address frames=4;
--- config
    location = /late { im_comet protocol=echo; im_ping 1s timeout=5s; }
    location = /echo { im_comet protocol=echo; im_ping 1s timeout=2s; }
    location = /status { im_status; }
--- websocket eval
"a: open /late
a: raw $::Text
a: recv_text 01
a: upto ^30\$
a: silent
a: close
unlogged: no answer to ping
b: open from=127.0.0.2 /echo
b: raw " . CORE::join(' ', (split ' ', $::Text)[0 .. 8]) . "
b: eof
log: no answer to ping
until: /status \"address_frames\":[1-9]
"
--- no_error_log
[error]
[alert]



=== TEST 9: all pings that a waiting client answers late are answers
--- http_config
    im_limit commands=1;
--- config
    location = /cf { im_comet protocol=centrifuge; im_auth none; im_ping 3s timeout=6s; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket
a: open /cf
a: send {"id":1,"connect":{}}
a: like ^\{"id":1,"connect":
a: send_lines {"id":2,"unsubscribe":{"channel":"x"}} | {"id":3,"unsubscribe":{"channel":"x"}} | {"id":4,"unsubscribe":{"channel":"x"}} | {"id":5,"unsubscribe":{"channel":"x"}} | {"id":6,"unsubscribe":{"channel":"x"}} | {"id":7,"unsubscribe":{"channel":"x"}} | {"id":8,"unsubscribe":{"channel":"x"}} | {"id":9,"unsubscribe":{"channel":"x"}} | {"id":10,"unsubscribe":{"channel":"x"}} | {"id":11,"unsubscribe":{"channel":"x"}} | {"id":12,"unsubscribe":{"channel":"x"}}
a: recv {"id":2,"unsubscribe":{}}
a: recv {"id":3,"unsubscribe":{}}
a: recv {"id":4,"unsubscribe":{}}
a: recv {"id":5,"unsubscribe":{}}
a: recv {"id":6,"unsubscribe":{}}
a: recv {"id":7,"unsubscribe":{}}
a: recv {"id":8,"unsubscribe":{}}
a: recv {"id":9,"unsubscribe":{}}
a: recv {"id":10,"unsubscribe":{}}
a: recv {"id":11,"unsubscribe":{}}
a: recv {"id":12,"unsubscribe":{}}
a: send {"id":13,"unsubscribe":{"channel":"x"}}
a: recv {"id":13,"unsubscribe":{}}
a: silent
--- no_error_log
[error]
[alert]



=== TEST 10: history counts by bytes; the debt is the address', not the session's
--- http_config eval
"    im_per_address read=1k;
$::Rooms"
--- config eval
$::Cf
--- websocket
w: open from=127.0.0.9 /cf
w: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
w: upto "id":2,
flood: 15x12000 room long w
push: room short {"n":1}
a: open /cf
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
a: upto "id":2,
a: send {"id":3,"history":{"channel":"long","limit":-1}}
a: like ^\{"id":3,"history":\{"publications":\[.*"offset":15\}\}$
a: cut
b: open /cf
b: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"short"}} | {"id":3,"history":{"channel":"short","limit":-1}}
b: upto "id":2,
until: /status "address_read":1\b
c: open from=127.0.0.2 /cf
c: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
c: upto "id":2,
c: send {"id":3,"history":{"channel":"long","limit":-1}}
c: like ^\{"id":3,"history":\{"publications":\[.*"offset":15\}\}$
d: open /cf
d: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"short"}}
d: upto "id":2,
e: open /im
e: send {"roomId":7}
e: recv op 4
log: 127\.0\.0\.1 is refused: im_per_address read=
--- no_error_log
[error]
[alert]



=== TEST 11: a client that leaves without its answer owes it
--- http_config eval
"    im_per_address read=1k;
$::Rooms"
--- config eval
$::Cf
--- websocket
w: open from=127.0.0.9 /cf
w: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
w: upto "id":2,
flood: 15x12000 room long w
a: open /cf
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
a: upto "id":2,
b: open /cf
b: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
b: upto "id":2,
pause: redis
a: send {"id":3,"history":{"channel":"long","limit":-1}}
until: /status "reads":1\b
a: cut
until: /status "sessions":2\b
resume: redis
until: /status "reads":0\b
b: send {"id":3,"history":{"channel":"long","limit":1}}
until: /status "address_read":1\b
--- no_error_log
[alert]



=== TEST 12: recovery counts, too, and waits: no client hears that it is lost
--- http_config eval
"    im_per_address read=8k;
$::Rooms"
--- config eval
$::Cf
--- websocket
w: open from=127.0.0.9 /cf
w: send {"id":1,"connect":{}}
w: like "id":1,
w: send {"id":2,"subscribe":{"channel":"long"}}
w: like "id":2,.*"epoch":"(?<e>\w+)"
flood: 7x12000 room long w
a: open /cf
a: send {"id":1,"connect":{}}
a: like "id":1,
a: send {"id":2,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":0}}
a: like "id":2,.*"recovered":true
a: send_lines {"id":3,"unsubscribe":{"channel":"long"}} | {"id":4,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":6}}
a: like ^\{"id":3,
b: open from=127.0.0.2 /cf
b: send {"id":1,"connect":{}}
b: like "id":1,
b: send {"id":2,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":1}}
b: like "id":2,.*"recovered":true
a: like ^\{"id":4,.*"recovered":true
until: /status "recovered":3,"unrecovered":0,
--- no_error_log
[error]
[alert]



=== TEST 13: what a window reads is paid for, also by a client that leaves
--- http_config eval
"    im_per_address read=1k;
$::Rooms"
--- config eval
$::Cf
--- websocket
w: open from=127.0.0.9 /cf
w: send {"id":1,"connect":{}}
w: like "id":1,
w: send {"id":2,"subscribe":{"channel":"long"}}
w: like "id":2,.*"epoch":"(?<e>\w+)"
flood: 7x12000 room long w
a: open /cf
a: send {"id":1,"connect":{}}
a: like "id":1,
pause: redis
a: send {"id":2,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":0}}
until: /status "reads":1\b
a: cut
until: /status "sessions":1\b
resume: redis
until: /status "reads":0\b
b: open /cf
b: send {"id":1,"connect":{}}
b: like "id":1,
b: send {"id":2,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":7}}
until: /status "address_read":1\b
c: open /im
c: send {"roomId":7,"seq":0,"epoch":"$e"}
until: /status "address_read":2\b
d: open /cf
d: send {"id":1,"connect":{"subs":{"#":{"recover":true,"epoch":"$e","offset":0}}}}
until: /status "address_read":3\b
e: open from=127.0.0.2 /cf
e: send {"id":1,"connect":{}}
e: like "id":1,
e: send {"id":2,"subscribe":{"channel":"long","recover":true,"epoch":"$e","offset":1}}
e: like "id":2,.*"recovered":true
f: open /cf
f: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
f: upto "id":2,
until: /status "recovered":1,"unrecovered":0,
--- no_error_log
[alert]



=== TEST 14: an address has few calls out, others don't wait behind it
--- http_config eval
"    im_per_address read=1m;
$::Rooms"
--- config eval
$::Cf
--- websocket eval
"push: room short {\"n\":1}
" . CORE::join('', map { qq(a$_: open /cf
a$_: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"short"}}
a$_: upto "id":2,
) } 1 .. 9) . qq(b: open from=127.0.0.2 /cf
b: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"short"}}
b: upto "id":2,
pause: redis
) . CORE::join('', map { qq(a$_: send {"id":3,"history":{"channel":"short","limit":$_}}
) } 1 .. 9) . qq(until: /status "reads":4\\b
b: send {"id":3,"history":{"channel":"short","limit":1}}
until: /status "reads":5\\b
resume: redis
b: like ^\\{"id":3,"history":\\{"publications":
) . CORE::join('', map { qq(a$_: like ^\\{"id":3,"history":\\{"publications":
) } 1 .. 9) . qq(until: /status "reads":0\\b
)
--- no_error_log
[alert]



=== TEST 15: a client that leaves while it waits gives its place back
--- http_config eval
"    im_per_address read=1k frames=20;
$::Rooms"
--- config eval
$::Cf
--- websocket eval
qq(w: open from=127.0.0.9 /cf
w: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
w: upto "id":2,
flood: 15x12000 room long w
a: open /cf
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"long"}}
a: upto "id":2,
a: send {"id":3,"history":{"channel":"long","limit":-1}}
a: like ^\\{"id":3,
b: open /cf
b: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"short"}} | {"id":3,"history":{"channel":"short","limit":1}}
b: upto "id":2,
until: /status "address_read":1\\b
b: cut
until: /status "sessions":2\\b
c: open /cf
c: send {"id":1,"connect":{}}
c: upto "id":1,
c: send_lines {"id":2,"subscribe":{"channel":"short","recover":true,"epoch":"x","offset":1}} | {"id":3,"unsubscribe":{"channel":"short"}}
until: /status "address_read":2\\b
c: cut
until: /status "sessions":2\\b
d: open from=127.0.0.3 /im
d: send {"roomId":7}
d: upto "op":4
d: raw $::Empty
until: /status "address_frames":[1-9]
d: cut
until: /status "sessions":2\\b
)
--- no_error_log
[error]
[alert]



=== TEST 16: what a session owes, the next one of its address waits for
--- http_config
    im_per_address frames=320;
    im_limit       commands=0 message=1m auth_timeout=60s;
--- config
    location = /cf   { im_comet protocol=centrifuge; im_auth none; }
    location = /status { im_status; }
--- services: redis
--- not_ready
--- websocket eval
"a: open from=127.0.0.2 /cf
a: send {\"id\":1,\"connect\":{}}
a: like ^\\{\"id\":1,\"connect\":
a: send_lines " . CORE::join(' | ', map { qq({"id":$_,"unsubscribe":{"channel":"x"}}) } 2 .. 5000) . "
a: upto \"id\":5000,
until: /status \"address_frames\":1\\b
a: cut
b: open from=127.0.0.2 /cf
b: send {\"id\":1,\"connect\":{}}
until: /status \"address_frames\":2\\b
c: open from=127.0.0.3 /cf
c: send {\"id\":1,\"connect\":{}}
c: like ^\\{\"id\":1,\"connect\":
b: like ^\\{\"id\":1,\"connect\":
"
--- no_error_log
[error]
[alert]
