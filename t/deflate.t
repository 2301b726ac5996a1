# permessage-deflate (RFC 7692): what is negotiated, what is compressed and how
# often, and what clients may compress.

use lib 't/lib';
use Test::Im;
use Digest::MD5 ();
use Test::Nginx::Socket 'no_plan';

our $Chrome = 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits';

our $Noise = CORE::join '', map { Digest::MD5::md5_hex($_) } 1 .. 20;

our $X = 'x' x 600;

our $Echo = <<'CONF';
    location = /echo   { im_comet protocol=echo; im_deflate on; }
    location = /off    { im_comet protocol=echo; }
    location = /small  { im_comet protocol=echo; im_deflate on; im_limit message=8k; }
    location = /status { im_status; }
CONF

our $Rooms = <<'CONF';
    im_room * history=300 ttl=1h;
    im_deflate on min=400;
CONF

our $Comet = <<'CONF';
    location = /im     { im_comet protocol=im; im_auth none; }
    location = /cf     { im_comet protocol=centrifuge; im_auth none; }
    location = /plain  { im_comet protocol=centrifuge; im_auth none; im_deflate off; }
    location = /status { im_status; }
    location /im/      { fastcgi_pass im_logic; include im_params; }
CONF

run_tests();

__DATA__

=== TEST 1: the first offer that can be accepted; none without one or if it is off
--- config eval: $::Echo
--- websocket eval
"a: open /echo $::Chrome
a: answered Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover(?:\\r|\\z)
b: open /echo Sec-WebSocket-Extensions: permessage-deflate
b: answered permessage-deflate; server_no_context_takeover; client_no_context_takeover(?:\\r|\\z)
c: open /echo Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate
c: answered permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9(?:\\r|\\z)
d: open /echo Sec-WebSocket-Extensions: x-webkit-deflate-frame, permessage-deflate; foo=1 | Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=\"13\"
d: answered permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12(?:\\r|\\z)
e: open /echo
e: unanswered Sec-WebSocket-Extensions
f: open /off $::Chrome
f: unanswered Sec-WebSocket-Extensions
g: open /echo Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8, permessage-deflate; client_max_window_bits=16
g: unanswered Sec-WebSocket-Extensions
h: refused 400 /echo Sec-WebSocket-Extensions: permessage-deflate;
h: refused 400 /off Sec-WebSocket-Extensions: permessage-deflate;
"
--- no_error_log
[error]
[alert]



=== TEST 2: messages of min bytes and more are compressed, where that is smaller
--- http_config
    im_deflate min=100 level=9;
--- config eval: $::Echo
--- websocket eval
"a: open /echo $::Chrome
a: send FILL(99)
a: recv_text " . 'x' x 99 . "
a: send FILL(100)
a: recv_packed FILL(100)
a: send FILL(60000)
a: recv_packed FILL(60000)
a: send_packed FILL(60000)
a: recv_packed FILL(60000)
a: send_packed short
a: recv_text short
a: send_packed opcode=2: FILL(300)
a: recv_packed FILL(300)
a: frame 2x $::Noise
a: recv_hex $::Noise
a: ping FILL(120)
a: recv_pong FILL(120)
b: open /off $::Chrome
b: send FILL(1000)
b: recv_text " . 'x' x 1000 . "
c: open /echo Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9
c: send_packed FILL(60000)
c: recv_packed window=9: FILL(60000)
until: /status \"deflated\":5,\"deflate_saved\":180\\d{3},\"inflated\":4,
"
--- no_error_log
[error]
[alert]



=== TEST 3: compressed by others: levels, windows, final blocks, many blocks, fragments
--- config eval: $::Echo
--- websocket eval
"a: open /echo $::Chrome
" . CORE::join('', map { "a: send_packed $_: FILL(50000)\na: recv_packed FILL(50000)\n" }
    'level=0', 'level=1 window=9', 'level=9 memory=1', 'final=1', 'every=4000',
    'every=4000 final=1', 'pieces=1', 'pieces=7 final=1', 'level=0 pieces=1000')
. "a: frame 1r4
a: recv_text
a: frame 1r4x 00
a: recv_text
a: frame 1r4x f348cdc9c90700f200110000
a: recv_text HelloHello
a: frame 1r4-x f248
a: frame 9 ping
a: recv_pong ping
a: frame 0- 
a: frame 0x cdc9c90700
a: recv_text Hello
a: frame 1 plain
a: recv_text plain
"
--- no_error_log
[error]
[alert]



=== TEST 4: what ends a session: 1002, 1007, 1008, 1009
--- config eval: $::Echo
--- websocket eval
CORE::join '', map { my ($code, $why, @steps) = @$_; "a: open /small $::Chrome\na: send good\na: recv_text good\n"
                     . CORE::join('', map { "a: $_\n" } @steps) . "a: recv_close $code /$why/\n" }
    [ 1002, 'reserved bit set', 'frame 1r2x 00' ],
    [ 1002, 'reserved bit set', 'frame 1r6x 00' ],
    [ 1002, 'reserved bit set', 'frame 9r4x 00' ],
    [ 1002, 'reserved bit set', 'frame 8r4x 03e8' ],
    [ 1002, 'reserved bit set', 'frame 0r4x 00' ],
    [ 1002, 'reserved bit set', 'frame 1-r4x f248', 'frame 0r4x cdc9c90700' ],
    [ 1007, 'compressed data is invalid', 'frame 1r4x 07' ],
    [ 1007, 'compressed data is invalid', 'frame 1r4x f2001100 00' ],
    [ 1007, 'compressed data is invalid', 'frame 1r4x f248cdc9c907000000ffff' ],
    [ 1007, 'text is not UTF-8', 'frame 1r4x 000200fdffc32800' ],
    [ 1008, 'too many blocks', 'frame 1r4x ' . '000000ffff' x 200 . '00', 'recv_text ',
      'frame 1r4x ' . '000000ffff' x 1100 . '00' ],
    [ 1009, 'message too big', 'send_packed level=0: FILL(8192)', 'recv_packed FILL(8192)',
      'send_packed FILL(8193)' ],
    [ 1009, 'message too big', 'send_packed FILL(8000000)' ],
    [ 1009, 'message too big', 'send_packed level=0 pieces=1000: FILL(9000)' ]
--- no_error_log
[error]
[alert]



=== TEST 5: a message is compressed once for all followers of a room on a wire
--- http_config eval: $::Rooms
--- config eval: $::Comet
--- websocket eval
qq(a: many 101=100 /cf $::Chrome
each: a send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"1"}}
each: a upto "id":2,
b: open /plain $::Chrome
b: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"1"}}
b: upto "id":2,
c: open /cf Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9
c: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"1"}}
c: upto "id":2,
d: open /im $::Chrome
d: send {"roomId":1}
d: upto "op":4
) . CORE::join('', map { qq(push: room 1 {"msg":"$_ $::X"}
each: a recv_packed /"msg":"$_ x+"/
b: like "msg":"$_ x+"
c: recv_packed window=9: /"msg":"$_ x+"/
d: recv_packed /"msg":"$_ x+"/
) } 1 .. 5) . 'push: room 1 {"msg":6}
each: a like "msg":"?6
c: like "msg":"?6
d: like "msg":"?6
until: /status "deflated":15,
'
--- no_error_log
[error]
[alert]



=== TEST 6: messages that a client has missed, and answers to its commands
--- http_config eval: $::Rooms
--- config eval: $::Comet
--- websocket eval
qq(a: open /cf $::Chrome
a: send_lines {"id":1,"connect":{}} | {"id":2,"subscribe":{"channel":"r"}}
a: like_set ^\\{"id":1, || "id":2,.*"epoch":"(?<epoch>\\w+)"
) . CORE::join('', map { qq(push: room r {"n":$_,"text":"$::X"}\n) } 1 .. 20)
. 'b: open /cf Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9
b: send {"id":1,"connect":{}}
b: upto "id":1,
b: send {"id":2,"subscribe":{"channel":"r","recover":true,"epoch":"$epoch","offset":0}}
b: recv_packed window=9: /"id":2,.*"n":1,.*"n":20,/
b: send {"id":3,"history":{"channel":"r","limit":20}}
b: recv_packed window=9: /"id":3,.*"n":1,.*"n":20,/
'
--- no_error_log
[error]
[alert]



=== TEST 7: what is unpacked is paid for, in pieces of a read too
--- http_config
    im_per_address bytes=256k frames=100000 except=127.0.0.2;
--- config eval: $::Echo
--- websocket eval
"a: open /small $::Chrome
a: send_packed times=200: FILL(8000)
" . ("a: recv_packed FILL(8000)\n" x 30) . "until: /status \"address_bytes\":[1-9]
log: 127\\.0\\.0\\.1 is refused: im_per_address bytes=
b: open from=127.0.0.2 /small $::Chrome
b: send_packed times=200: FILL(8000)
" . ("b: recv_packed FILL(8000)\n" x 200)
--- no_error_log
[error]
[alert]



=== TEST 8: level= of im_deflate in a location
--- config
    location = /echo { im_comet protocol=echo; im_deflate on level=3; }
--- must_die
--- error_log eval
qr/im_deflate: "level=3" holds for all servers: set it in http\{\}/



=== TEST 9: min= of im_deflate in a location
--- config
    location = /echo { im_comet protocol=echo; im_deflate on min=3; }
--- must_die
--- error_log eval
qr/im_deflate: "min=3" holds for all servers: set it in http\{\}/



=== TEST 10: level= of im_deflate
--- http_config
    im_deflate on level=10;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_deflate: "level=10" must be from 1 to 9/



=== TEST 11: min= of im_deflate
--- http_config
    im_deflate min=0;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_deflate: "min=0" is below 1, the least that works/



=== TEST 12: an unknown option of im_deflate
--- http_config
    im_deflate yes;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_deflate: "yes" is unknown; there are on off min= level=/



=== TEST 13: im_deflate twice
--- http_config
    im_deflate on; im_deflate off;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/im_deflate: "off" is there twice/



=== TEST 14: over TLS
--- http_config eval: $::Rooms
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_TLS ssl;
    ssl_certificate $TEST_NGINX_IM_CERT;
    ssl_certificate_key $TEST_NGINX_IM_KEY;
    location = /cf     { im_comet protocol=centrifuge; im_auth none; im_limit message=1m; }
    location = /status { im_status; }
    location /im/      { fastcgi_pass im_logic; include im_params; }
--- websocket eval
qq(a: open tls /cf $::Chrome
a: answered permessage-deflate
a: send_packed {"id":1,"connect":{}}
a: upto "id":1,
a: send_packed pieces=9 final=1: {"id":2,"subscribe":{"channel":"1"}}
a: upto "id":2,
push: room 1 {"text":"$::X"}
a: recv_packed /"text":"x{600}"/
)
--- no_error_log
[error]
[alert]
