# The opening handshake: what is accepted, and the status of each fault.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: a good handshake
--- config
    location = /echo { im_comet protocol=echo; }
    location = /origin {
        im_comet protocol=echo;
        im_allow_origin https://chat.example.com http://localhost:8080;
    }
    location = /slow { im_comet protocol=echo; im_limit message=1k; }
--- raw_request eval
"GET /echo HTTP/1.1\r
Host: localhost\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
\r
"
--- shutdown
--- timeout: 1
--- abort
--- error_code: 101
--- response_headers
Upgrade: websocket
Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
--- no_error_log
[error]
[alert]



=== TEST 2: frames right behind the handshake are not lost
--- raw_request eval
"GET /echo HTTP/1.1\r
Host: localhost\r
Upgrade: websocket\r
Connection: Upgrade\r
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
Sec-WebSocket-Version: 13\r
\r
" . pack('H*', Test::Im::hex_frame(1, "hello"))
  . pack('H*', Test::Im::hex_frame(8, "\x03\xe8"))
--- error_code: 101
--- response_body eval
"\x81\x05hello\x88\x02\x03\xe8"
--- no_error_log
[error]
[alert]



=== TEST 3: names of any case, lists, and more in Connection
--- websocket
a: open /echo Upgrade: WebSocket | Connection: keep-alive, UPGRADE
a: send hi
a: recv_text hi
a: close 1000
b: open /echo Upgrade: h2c, websocket
b: close 1000
c: open /echo?with=args X-Other: yes | Origin: http://anywhere
c: send hi
c: recv_text hi
c: cut
--- no_error_log
[error]
[alert]



=== TEST 4: faults and their status
--- websocket
a: refused 405 /Allow: GET/ /echo =POST | Content-Length: 0
a: refused 405 /echo =HEAD
a: refused 400 /echo !Upgrade
a: refused 400 /echo Upgrade: h2c
a: refused 400 /echo !Connection
a: refused 400 /echo Connection: keep-alive
a: refused 400 /echo !Sec-WebSocket-Key
a: refused 400 /echo Sec-WebSocket-Key: tooshort
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=!
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZTEyMzQ1Ng==
a: refused 426 /(?i)Sec-WebSocket-Version: 13/ /echo Sec-WebSocket-Version: 8
a: refused 426 /(?i)Sec-WebSocket-Version: 13/ /echo Sec-WebSocket-Version: 014
a: refused 426 /(?i)Sec-WebSocket-Version: 13/ /echo !Sec-WebSocket-Version
a: refused 400 /echo HTTP/1.0
a: open /echo
a: send still here
a: recv_text still here
--- no_error_log
[alert]



=== TEST 5: an ordinary request to a WebSocket location
--- request
GET /echo
--- error_code: 400
--- no_error_log
[alert]



=== TEST 6: a body with the handshake
--- websocket
a: refused 400 /echo Content-Length: 5
--- no_error_log
[alert]



=== TEST 7: origins
--- websocket
a: open /origin Origin: https://chat.example.com
a: close 1000
b: open /origin Origin: http://localhost:8080
b: close 1000
c: refused 403 /origin Origin: https://evil.example.com
c: refused 403 /origin Origin: https://chat.example.com.evil.com
c: refused 403 /origin Origin: http://chat.example.com
c: refused 403 /origin Origin: null
d: open /origin
d: send not a browser
d: recv_text not a browser
d: close 1000
--- no_error_log
[alert]



=== TEST 8: the end before the handshake is complete
--- raw_request eval
"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgr"
--- shutdown
--- ignore_response
--- no_error_log
[alert]
