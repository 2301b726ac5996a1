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
c: open /echo?with=args X-Other: yes | Origin: http://localhost
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



=== TEST 9: headers in odd forms that are right
--- config
    location = /echo { im_comet protocol=echo; }
    location = /c { im_comet protocol=centrifuge; im_auth none; }
--- websocket
a: open /echo Upgrade: h2c | Upgrade: websocket | Connection: keep-alive | Connection: Upgrade
a: close 1000
a: open /echo Connection: ,, close,	 UPGRADE	 ,
a: close 1000
a: open /echo Sec-WebSocket-Version:	13	
a: close 1000
a: open /echo Sec-WebSocket-Version:    13
a: close 1000
a: open /echo sec-websocket-VERSION: 13 | SEC-WEBSOCKET-EXTENSIONS: permessage-deflate; client_max_window_bits, x-a; b="c"
a: close 1000
a: open /echo Sec-WebSocket-Extensions: a | Sec-WebSocket-Extensions: | Sec-WebSocket-Extensions: ,b;c=1
a: close 1000
a: open /echo Sec-WebSocket-Protocol: chat, superchat
a: close 1000
a: open /echo Sec-WebSocket-Protocol:
a: close 1000
a: open /echo Content-Length: 0
a: close 1000
a: open /echo Origin:
a: close 1000
a: open /c Sec-WebSocket-Protocol:
a: close 1000
a: open /c Sec-WebSocket-Protocol: ,
a: close 1000
a: open /c Sec-WebSocket-Protocol: mqtt, chat
a: close 1000
a: open /c Sec-WebSocket-Protocol: mqtt | Sec-WebSocket-Protocol: x ,	centrifuge-json
a: close 1000
a: open /c Sec-WebSocket-Protocol: centrifuge-protobuf | Sec-WebSocket-Protocol: centrifuge-json
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 10: headers in odd forms that are wrong
--- websocket
a: refused 426 /(?si)Upgrade: websocket.*Sec-WebSocket-Version: 13|Sec-WebSocket-Version: 13.*Upgrade: websocket/ /echo Sec-WebSocket-Version: 8
a: refused 426 /echo Sec-WebSocket-Version: 013
a: refused 426 /echo Sec-WebSocket-Version: 13.0
a: refused 426 /echo Sec-WebSocket-Version: 1 3
a: refused 426 /echo Sec-WebSocket-Version: 8, 13
a: refused 426 /echo Sec-WebSocket-Version: 13, 13
a: refused 426 /echo Sec-WebSocket-Version: "13"
a: refused 426 /echo Sec-WebSocket-Version:
a: refused 400 /echo Sec-WebSocket-Version: 13 | Sec-WebSocket-Version: 13
a: refused 400 /echo Sec-WebSocket-Version: 8 | Sec-WebSocket-Version: 13
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ== | Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==
a: refused 400 /echo Sec-WebSocket-Key:
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ_-=
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25-_Q==
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2=jZQ==
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ
a: refused 400 /echo Sec-WebSocket-Key: dGhlIHNhbXBs ZSBub25jZQ=
a: refused 400 /echo Sec-WebSocket-Extensions: ;;
a: refused 400 /echo Sec-WebSocket-Extensions: a b
a: refused 400 /echo Sec-WebSocket-Extensions: a | Sec-WebSocket-Extensions: b;c="
a: refused 400 /echo Origin: http://localhost | Origin: http://localhost
a: refused 400 /echo Upgrade: websocket/13
a: refused 400 /echo Upgrade: web, socket
a: refused 400 /echo Connection: upgraded
a: refused 400 /echo Transfer-Encoding: chunked
a: refused 400 /echo !Host
a: refused 405 /Allow: GET/ /echo =PUT | Content-Length: 0
a: refused 405 /Allow: GET/ /echo =OPTIONS
a: refused 400 /echo =GET | HTTP/1.0
--- no_error_log
[alert]



=== TEST 11: the subprotocol of the answer
--- websocket
a: open /c Sec-WebSocket-Protocol: x, centrifuge-json
a: answered (?i)Sec-WebSocket-Protocol: centrifuge-json(?:\r|\z)
a: close 1000
a: open /c Sec-WebSocket-Protocol: mqtt
a: unanswered (?i)Sec-WebSocket-Protocol
a: close 1000
a: open /c
a: unanswered (?i)Sec-WebSocket-Protocol
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 12: the address in a browser
--- config
    location = /echo { im_comet protocol=echo; }
    location = /own {
        im_comet protocol=echo;
        error_page 400 426 = @page;
    }
    location @page { return 200 "a page"; }
--- websocket
http: GET /echo 400 => This is a WebSocket address
http: GET /echo 400 => (?i)Content-Type: text/plain
http: GET /echo 426 (Upgrade: websocket | Connection: Upgrade) => (?s)WebSocket address.*426: websocket version is not 13
http: HEAD /echo 405
http: GET /own 200 => a page
http: GET /own 200 (Upgrade: websocket | Connection: Upgrade) => a page
a: open /own
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 13: origins: the server's own host, masks, and how people write them
--- config
    server_name localhost;
    location = /self   { im_comet protocol=echo; }
    location = /any    { im_comet protocol=echo; im_allow_origin *; }
    location = /masks  {
        im_comet protocol=echo;
        im_allow_origin https://*.example.com HTTP://Localhost:*/ https://bÃ¼cher.example:443;
        im_allow_origin null file:/// app://. capacitor://localhost "http://[0:0::1]:8080";
    }
    location = /more   { im_comet protocol=echo; im_allow_origin self https://other.example; }
--- websocket
a: open /self Origin: http://localhost
a: close 1000
a: open /self Origin: HTTPS://LocalHost:9999
a: close 1000
a: open /self Host: chat.example.com | Origin: https://chat.example.com
a: close 1000
a: open /self Host: [::1]:8080 | Origin: http://[::1]:3000
a: close 1000
a: open /self !Origin
a: close 1000
b: refused 403 /self Origin: https://evil.example
b: refused 403 /self Origin: null
b: refused 403 /self Origin: file://
b: refused 403 /self Origin: https://localhost.evil.example
b: refused 403 /self Origin: https://a.localhost
b: refused 403 /self Host: chat.example.com | Origin: https://chat.example.com.evil.example
b: refused 403 /self Origin: nonsense
a: open /any Origin: nonsense
a: close 1000
a: open /any Origin: https://evil.example
a: close 1000
a: open /masks Origin: https://a.b.example.com
a: close 1000
a: open /masks Origin: http://localhost:3000
a: close 1000
a: open /masks Origin: null
a: close 1000
a: open /masks Origin: file://
a: close 1000
a: open /masks Origin: app://.
a: close 1000
a: open /masks Origin: capacitor://localhost
a: close 1000
a: open /masks Origin: http://[::1]:8080
a: close 1000
b: refused 403 /masks Origin: https://example.com
b: refused 403 /masks Origin: http://a.example.com
b: refused 403 /masks Origin: https://*.example.com
b: refused 403 /masks Origin: https://localhost:3000
a: open /more Origin: https://other.example
a: close 1000
a: open /more Origin: http://localhost
a: close 1000
b: refused 403 /more Origin: https://evil.example
log: a page of "https://evil.example" is refused: if it may come in, add "im_allow_origin self https://evil.example;"
b: refused 403 /more Origin: https://FILL(3000)
log: a page of "https://x+" is refused: if it may come in, add "im_allow_origin self https://x+;" to the location "/more"
--- no_error_log
[alert]

