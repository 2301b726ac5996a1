# Frames of RFC 6455, by the echo protocol: whatever a client sends, whole, cut
# or wrong.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: text and binary come back with their opcode
--- http_config
    im_per_address bytes=0;
--- config
    location = /echo { im_comet protocol=echo; im_limit message=16m; }
    location = /small { im_comet protocol=echo; im_limit message=1k; }
    location = /ping { im_comet protocol=echo; im_ping 1s timeout=3s; }
--- websocket
a: open /echo
a: send hello
a: recv_text hello
a: send_binary hello
a: recv_binary hello
a: send Grüße, 世界, 𝄞
a: recv_text Grüße, 世界, 𝄞
a: frame 1
a: recv_text 
a: frame 2
a: recv_binary 
a: silent
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 2: one byte at a time
--- websocket
a: open /echo
a: chop one byte at a time
a: recv_text one byte at a time
a: chop Grüße
a: recv_text Grüße
a: close 1000 bye
--- no_error_log
[error]
[alert]



=== TEST 3: lengths at their borders, and longer forms than needed
--- websocket
a: open /echo
a: send_big 125
a: recv_big 125
a: send_big 126
a: recv_big 126
a: send_big 127
a: recv_big 127
a: send_big 65535
a: recv_big 65535
a: send_big 65536
a: recv_big 65536
a: send_big 65537
a: recv_big 65537
a: send_big 1000000
a: recv_big 1000000
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 4: a message of 16 MB, whole and in fragments
--- websocket
a: open /echo
a: send_big 16777216
a: recv_big 16777216
a: send_big 16777216 100000
a: recv_big 16777216
a: send still here
a: recv_text still here
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 5: fragments with control frames between them
--- websocket
a: open /echo
a: frame 1- hel
a: ping one
a: recv_pong one
a: frame 0- lo,
a: pong unasked
a: frame 0-
a: ping two
a: recv_pong two
a: frame 0 world
a: recv_text hello,world
a: frame 2-
a: frame 0
a: recv_binary 
a: send after
a: recv_text after
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 6: the payload of a ping comes back
--- websocket
a: open /echo
a: ping
a: recv_pong 
a: ping payload
a: recv_pong payload
a: frame 9 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123A
a: recv_pong 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123A
a: pong not asked for
a: silent
a: close
--- no_error_log
[error]
[alert]



=== TEST 7: faults of the protocol are 1002
--- websocket
a: open /echo
a: frame 1u no mask
a: recv_close 1002
b: open /echo
b: frame 1r4 reserved bit 1
b: recv_close 1002
c: open /echo
c: frame 1r2 reserved bit 2
c: recv_close 1002
d: open /echo
d: frame 1r1 reserved bit 3
d: recv_close 1002
e: open /echo
e: frame 3 unknown data opcode
e: recv_close 1002
f: open /echo
f: frame 7 unknown data opcode
f: recv_close 1002
g: open /echo
g: frame 11 unknown control opcode
g: recv_close 1002
h: open /echo
h: frame 15 unknown control opcode
h: recv_close 1002
i: open /echo
i: frame 9- fragmented ping
i: recv_close 1002
j: open /echo
j: frame 8- fragmented close
j: recv_close 1002
k: open /echo
k: frame 0 continues nothing
k: recv_close 1002
l: open /echo
l: frame 1- a
l: frame 1 b
l: recv_close 1002
m: open /echo
m: frame 2- a
m: frame 2- b
m: recv_close 1002
n: open /echo
n: raw 89 fe 00 7e 00 00 00 00
n: recv_close 1002
o: open /echo
o: raw 82 ff 80 00 00 00 00 00 00 01 00 00 00 00
o: recv_close 1002
--- no_error_log
[error]
[alert]



=== TEST 8: what was sent before a fault is answered first
--- websocket
a: open /echo
a: send first
a: frame 1r4 wrong
a: recv_text first
a: recv_close 1002
--- no_error_log
[error]
[alert]



=== TEST 9: close frames, good ones
--- websocket
a: open /echo
a: close
b: open /echo
b: close 1000
c: open /echo
c: close 1001 going away
d: open /echo
d: close 3000
e: open /echo
e: close 4999 Grüße
f: open /echo
f: close 1012
--- no_error_log
[error]
[alert]



=== TEST 10: close frames, bad ones
--- websocket
a: open /echo
a: frame 8x 03
a: recv_close 1002
b: open /echo
b: frame 8x 0000
b: recv_close 1002
c: open /echo
c: frame 8x 03e7
c: recv_close 1002
d: open /echo
d: frame 8x 03ec
d: recv_close 1002
e: open /echo
e: frame 8x 03ed
e: recv_close 1002
f: open /echo
f: frame 8x 03ee
f: recv_close 1002
g: open /echo
g: frame 8x 03f7
g: recv_close 1002
h: open /echo
h: frame 8x 07d0
h: recv_close 1002
i: open /echo
i: frame 8x 1388
i: recv_close 1002
j: open /echo
j: frame 8x 03e8ff
j: recv_close 1007
--- no_error_log
[error]
[alert]



=== TEST 11: nothing is read after a close frame
--- websocket
a: open /echo
a: raw 88 82 00 00 00 00 03 e8 81 82 00 00 00 00 68 69
a: recv_close 1000
--- no_error_log
[error]
[alert]



=== TEST 12: text that isn't UTF-8 is 1007
--- websocket
a: open /echo
a: frame 1x ff
a: recv_close 1007
b: open /echo
b: frame 1x c0af
b: recv_close 1007
c: open /echo
c: frame 1x eda080
c: recv_close 1007
d: open /echo
d: frame 1x f4908080
d: recv_close 1007
e: open /echo
e: frame 1x 61e282
e: recv_close 1007
f: open /echo
f: frame 1-x 61e2
f: frame 0x 62
f: recv_close 1007
g: open /echo
g: frame 1-x 61e282
g: frame 0
g: recv_close 1007
h: open /echo
h: frame 2x ff
h: recv_hex ff
h: silent
h: close 1000
--- no_error_log
[error]
[alert]



=== TEST 13: wrong text is refused before its message ends
--- websocket
a: open /echo
a: frame 1-x 61ff62
a: recv_close 1007
b: open /echo
b: raw 81 fe 03 e8 00 00 00 00 61 c0 af
b: recv_close 1007
--- no_error_log
[error]
[alert]



=== TEST 14: the message limit
--- websocket
a: open /small
a: send_big 1024
a: recv_big 1024
a: frame 2l1025 starts
a: recv_close 1009
b: open /small
b: raw 82 ff 7f ff ff ff ff ff ff ff 00 00 00 00
b: recv_close 1009
c: open /small
c: frame 2- 0123456789
c: frame 0-l1015 starts
c: recv_close 1009
d: open /small
d: send_big 1024 100
d: recv_big 1024
d: close 1000
--- no_error_log
[error]
[alert]



=== TEST 15: the server pings who is silent, and closes who never answers
--- websocket
a: open /ping
b: open /ping
a: recv_ping
b: recv_ping
a: recv_ping
b: eof
--- error_log eval
qr/\[info\].*no answer to ping/
--- no_error_log
[error]
[alert]



=== TEST 16: a client that leaves without a word
--- websocket
a: open /echo
a: frame 1l1000 half of a message
a: cut
b: open /echo
b: raw 81
b: cut
c: open /echo
c: cut
d: open /echo
d: send hi
d: recv_text hi
d: close 1000
--- no_error_log
[error]
[alert]



=== TEST 17: a log line at the end of each session
--- websocket
a: open /echo
a: send hi
a: recv_text hi
a: close 1000
log: \[info\].*127\.0\.0\.1.*echo.*1000
--- no_error_log
[alert]



=== TEST 18: ten pings of a read are answered each; of more, the last one
--- websocket eval
"a: open /echo
a: raw 89 81 00000000 61 89 81 00000000 62 89 81 00000000 63
a: recv_pong a
a: recv_pong b
a: recv_pong c
a: send next
a: recv_text next
a: raw 89 80 00000000 81 82 00000000 6869 89 81 00000000 64 8a 80 00000000
a: recv_pong
a: recv_text hi
a: recv_pong d
a: silent
a: raw " . CORE::join(' ', map { sprintf '8982 00000000 %04x', $_ } 0x3031 .. 0x303a) . "
a: recv_pong 01
a: recv_pong 02
a: recv_pong 03
a: recv_pong 04
a: recv_pong 05
a: recv_pong 06
a: recv_pong 07
a: recv_pong 08
a: recv_pong 09
a: recv_pong 0:
a: raw " . CORE::join(' ', map { sprintf '8982 00000000 %04x', $_ } 0x3031 .. 0x303b) . "
a: recv_pong 0;
a: silent
a: raw 89 81 00000000 65 89 81 00000000 66 88 82 00000000 03e8
a: recv_pong e
a: recv_pong f
a: recv_close 1000
b: open /echo
b: raw 89 81 00000000 61 89 81 00000000 62 81 00
b: recv_pong a
b: recv_pong b
b: recv_close 1002
"
--- no_error_log
[error]
[alert]
