# UTF-8 is checked as it streams: characters of each length, cut at every byte,
# by fragments and by the network.

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

run_tests();

__DATA__

=== TEST 1: every cut of a text into two fragments
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: open /echo
a: frame 1-x 
a: frame 0x 61c3bce282acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61
a: frame 0x c3bce282acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3
a: frame 0x bce282acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bc
a: frame 0x e282acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce2
a: frame 0x 82acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282
a: frame 0x acf09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282ac
a: frame 0x f09d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282acf0
a: frame 0x 9d849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282acf09d
a: frame 0x 849e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282acf09d84
a: frame 0x 9e7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282acf09d849e
a: frame 0x 7a
a: recv_text aü€𝄞z
a: frame 1-x 61c3bce282acf09d849e7a
a: frame 0x 
a: recv_text aü€𝄞z
--- no_error_log
[error]
[alert]



=== TEST 2: a fragment for each byte, with pings between
--- websocket
a: open /echo
a: frame 1-x 61
a: ping 0
a: recv_pong 0
a: frame 0-x c3
a: ping 1
a: recv_pong 1
a: frame 0-x bc
a: ping 2
a: recv_pong 2
a: frame 0-x e2
a: ping 3
a: recv_pong 3
a: frame 0-x 82
a: ping 4
a: recv_pong 4
a: frame 0-x ac
a: ping 5
a: recv_pong 5
a: frame 0-x f0
a: ping 6
a: recv_pong 6
a: frame 0-x 9d
a: ping 7
a: recv_pong 7
a: frame 0-x 84
a: ping 8
a: recv_pong 8
a: frame 0-x 9e
a: ping 9
a: recv_pong 9
a: frame 0x 7a
a: recv_text aü€𝄞z
a: close 1000
--- no_error_log
[error]
[alert]



=== TEST 3: each bad byte after each good beginning
--- websocket
b: open /echo
b: frame 1x 6180
b: recv_close 1007
c: open /echo
c: frame 1x 61c3c3
c: recv_close 1007
d: open /echo
d: frame 1x 61e2e2
d: recv_close 1007
e: open /echo
e: frame 1x 61e28261
e: recv_close 1007
f: open /echo
f: frame 1x 61f0808080
f: recv_close 1007
g: open /echo
g: frame 1x 61f09d8461
g: recv_close 1007
h: open /echo
h: frame 1x 61f5
h: recv_close 1007
i: open /echo
i: frame 1x 61fe
i: recv_close 1007
j: open /echo
j: frame 1x 61f8888080
j: recv_close 1007
--- no_error_log
[error]
[alert]
