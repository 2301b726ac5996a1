# The handover: live sessions of workers that end move to those that come after
# them.

# nginx executes itself by the name that it was started with
BEGIN {
    $ENV{TEST_NGINX_BINARY} ||=
        (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];
}

use lib 't/lib';
use File::Temp ();
use Test::Im;
use Test::Nginx::Socket 'no_plan';

# a folder of its owner alone
my $shut = File::Temp->newdir;
$ENV{TEST_NGINX_SHUT} = "$shut";

# in the place of a socket
mkdir("$shut/dir.0") or die $!;

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: im_handover twice
--- http_config
    im_handover on;
    im_handover off;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/"im_handover" directive is duplicate/



=== TEST 2: nothing
--- http_config
    im_handover "";
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr/"im_handover" directive is empty: it must be on, off or a path/



=== TEST 3: a folder that isn't there
--- http_config
    im_handover none/im;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr{im_handover: "\S+/none/im" can't be made in "\S+/none" \(2: No such file or directory\): name a path in a directory that nginx can write to, such as /run/nginx.im in }



=== TEST 4: a path that is too long
--- http_config
    im_handover /tmp/00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr{im_handover: "/tmp/0+" is 100 bytes long, and 98 fit into the name of a unix socket: name a shorter one, such as /run/nginx.im in }



=== TEST 5: what isn't a worker is refused
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: open /echo
channel: 0 00
log: im: handover from worker process -?\d+ was cut off: .*
channel: 0 0100
log: its message "hello" is malformed
channel: 1 0300
log: its message "topics" doesn't belong there
channel: 0 01007fffffff
log: im: worker process 0 offers its sessions in version 2147483647, and this binary has version 4: it closes them itself
channel: 1 0100
channel: 0 010000000004000000070000000000000000000000000000000000000000000178 050000000004000000010000000400000002 05000000000400000004
log: its message "sessions" is malformed
channel: 0 uid=65534 0100
log: im: a process of user 65534 wanted to hand sessions over, and only those of user 0 may
a: send x
a: recv_text x
--- no_error_log
[alert]
[crit]



=== TEST 6: one that says nothing keeps its channel for 5 s
--- websocket
hold_channel: 0
log: im: handover from worker process 0 was cut off: it said nothing for 5 s
--- no_error_log
[alert]
[crit]



=== TEST 7: a socket that has no process any more
--- websocket
a: open /echo
stale: 0
stale: 1
reload:
a: send x
a: recv_text x
channel: 0 00
channel: 1 00
reload:
a: send y
a: recv_text y
--- no_error_log
[alert]
[crit]
open socket



=== TEST 8: quit: no worker comes after this one
--- websocket
a: open /echo
b: open /echo
quit:
a: recv_close 1012
b: recv_close 1012
exit: nginx
--- no_shutdown_error_log
[alert]
can't be handed over
open socket



=== TEST 9: reload: sessions of every protocol move
--- main_config
    env LD_PRELOAD;
--- http_config
    im_handover on;
    im_room live://*  history=0;
    im_room h:*       history=100 ttl=1h presence;
    im_room *         history=0;
    im_broadcast      history=0;
    im_inbox          history=100 ttl=1h;

    server {
        listen    127.0.0.1:$TEST_NGINX_IM_PORT2;
        im_listen 127.0.0.1:$TEST_NGINX_IM_HTTP2 protocol=goim;
        im_auth   mid;
        location / { return 200 "http\n"; }
    }
--- config
    location = /im   { im_comet protocol=im; im_auth none; }
    location = /cent { im_comet protocol=centrifuge transport=websocket,sse,http_stream; im_auth none; }
    location = /goim { im_comet protocol=goim; im_auth mid; }
    location = /sub  { im_comet protocol=plain; im_join $arg_room; }
    location = /echo { im_comet protocol=echo; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
e: open /echo
e: frame 1-
e: frame 0- half
a: open /im
a: send {"roomId":1}
a: recv op 4
b: open /cent
b: send {"id":1,"connect":{}}
b: like "connect"
b: send {"id":2,"subscribe":{"channel":"h:1","positioned":true}}
b: like "subscribe"
c: get /cent?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"1"}})
c: like "connect"
c: like "subscribe"
d: get /sub?room=1
g: open /goim
g: packet 7,1,1 {"mid":123,"room_id":"live://1","accepts":[1000]}
g: recv_packet 8,1,1
t: login :$TEST_NGINX_IM_HTTP2 {"mid":123,"room_id":"live://1","accepts":[1000]}
reload:
until: /status "workers":2,.*"moved_in":7,"moved_out":7\b
push: room 1 "after"
a: recv msg "after"
c: like "after"
d: like "after"
push: room h:1 "cent"
b: like "cent"
http: POST /im/push?room=live://1&operation=9 200 (Content-Type: text/plain) room
g: pushed 9 room
t: pushed 9 room
e: frame 0 whole
e: recv_text halfwhole
until: /im/online "connections":\s*7\b
until: /im/rooms/1 "count":\s*3\b
log: im: \d+ sessions moved to worker process \d+ in \d+ ms, 0 stay\n
reload:
until: /status "workers":2,.*"moved_in":14,"moved_out":14\b
push: room 1 "again"
a: recv msg "again"
c: like "again"
d: like "again"
e: send more
e: recv_text more
unlogged: session ended
--- no_error_log
[alert]
[crit]
open socket



=== TEST 10: a new binary, and back to the old one
--- websocket
a: open /im
a: send {"roomId":1}
a: recv op 4
e: open /echo
upgrade:
until: /status "moved_in":2\b
push: room 1 "new"
a: recv msg "new"
e: send x
e: recv_text x
downgrade:
push: room 1 "old"
a: recv msg "old"
e: send y
e: recv_text y
--- no_error_log
[alert]
[crit]
open socket



=== TEST 11: one reload after the other
--- websocket
a: open /im
a: send {"roomId":1}
a: recv op 4
c: get /cent?cf_connect=URI({"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"1"}})
c: like "connect"
c: like "subscribe"
e: open /echo
until: /im/rooms/1 "count":\s*2\b
generations: 6 0 /echo
push: room 1 "one"
a: recv msg "one"
c: like "one"
e: send x
e: recv_text x
until: /status "workers":2,
until: /im/rooms/1 "count":\s*2\b
until: /im/online "connections":\s*3\b
push: room 1 "two"
a: recv msg "two"
c: like "two"
unlogged: session ended
--- no_error_log
[alert]
[crit]
open socket



=== TEST 12: another number of workers
--- websocket
a: open /im
a: send {"roomId":1}
a: recv op 4
b: open /im
b: send {"roomId":1}
b: recv op 4
a: open /im
a: send {"roomId":1}
e: open /echo
conf: 3 worker_processes 2 => worker_processes 3
until: /status "total":\{"workers":3,"sessions":3,
conf: 1 worker_processes 3 => worker_processes 1
until: /status "total":\{"workers":1,"sessions":3,
push: room 1 "few"
b: recv msg "few"
e: send x
e: recv_text x
conf: 2 worker_processes 1 => worker_processes 2
conf: 2 accept_mutex off => accept_mutex on
until: /status "total":\{"workers":2,"sessions":3,
push: room 1 "two"
b: recv msg "two"
e: send y
e: recv_text y
--- no_error_log
[alert]
[crit]
open socket



=== TEST 13: a location that is gone
--- websocket
a: open /im
e: open /echo
conf: 2 location = /echo => location = /echo2
e: recv_close 1012
log: im: \d+ sessions moved to worker process \d+ in \d+ ms, 1 stay \(place: 1\)
until: /status "stayed":\{"tls":0,"http2":0,"time":0,"place":1,
a: send {"roomId":1}
a: recv op 4
conf: 2 location = /echo2 => location = /echo
--- no_error_log
[alert]
[crit]
open socket



=== TEST 14: what comes after these workers speaks another version
--- websocket
e: open /echo
successor: get 02000000000400000007000000010000000000000000000178
quit:
e: recv_close 1012
log: im: sessions can't be handed over to the next worker of slot 0: its answer can't be read
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 15: it takes no connection
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor:
quit:
e: recv_close 1012
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 16: it refuses the session
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor: get 020000000004000000070000000100000000000000000000000000000000000178 get 06000000000103 get 0a00
quit:
e: recv_close 1012
log: im: 0 sessions moved to worker process 7 in \d+ ms, 1 stay \(place: 1\)
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 17: it dies with the session
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor: get 020000000004000000070000000100000000000000000000000000000000000178 get
quit:
e: gone
log: the channel to the next worker of slot \d is lost: it closed the channel; 1 sessions were in flight
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 18: it stands still
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor: get 020000000004000000070000000100000000000000000000000000000000000178 get hang
quit:
e: gone
log: the channel to the next worker of slot \d is lost: it said nothing for 5 s; 1 sessions were in flight
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 19: it says what makes no sense
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor: get 020000000004000000070000000100000000000000000000000000000000000178 0300
quit:
log: the channel to the next worker of slot \d is lost: it sent a message that doesn't belong there
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 20: a limit of the new configuration
--- http_config
    im_limit sessions=100;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
b: open /echo
c: open /echo
d: open /echo
conf: 1 worker_processes 2 => worker_processes 1
until: /status "total":\{"workers":1,"sessions":4,
conf: 1 sessions=100 => sessions=1
until: /status "total":\{"workers":1,"sessions":1,.*"stayed":\{"tls":0,"http2":0,"time":0,"place":0,"limit":3,
log: im: 1 sessions moved to worker process \d+ in \d+ ms, 3 stay \(limit: 3\)
--- no_error_log
[alert]
[crit]
open socket



=== TEST 21: Redis is away
--- http_config
    im_room * history=0;
--- config
    location = /im { im_comet protocol=im; im_auth none; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
a: open /im
a: send {"roomId":1}
a: recv op 4
pause: redis
reload:
a: recv_close 1012
log: im: 0 sessions moved to worker process \d+ in \d+ ms, 1 stay \(time: 1\)
resume: redis
a: open /im
a: send {"roomId":1}
a: recv op 4
reload:
until: /status "total":\{"workers":2,"sessions":1,
push: room 1 "after"
a: recv msg "after"
--- no_error_log
[alert]
[crit]
open socket



=== TEST 22: a worker that names topics, and dies
--- websocket
a: open /im
a: send {"roomId":1}
a: recv op 4
channel: 0 01000000000400000007000000000000000000000000000000000000000000017a 03000000000003723a390000000503723a38
log: im: handover from worker process 7 was cut off: its message "topics" is malformed
push: room 1 "after"
a: recv msg "after"
--- no_error_log
[alert]
[crit]
open socket



=== TEST 23: the new worker has few descriptors
--- main_config
    worker_rlimit_nofile 500;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
conf: 1 worker_processes 2 => worker_processes 1
s: many 101=40 /echo
conf: 1 worker_rlimit_nofile 500 => worker_rlimit_nofile 40
log: im: \d+ sessions moved to worker process \d+ in \d+ ms, \d+ stay \(limit: \d+\)
conf: 1 worker_rlimit_nofile 40 => worker_rlimit_nofile 500
a: open /echo
a: send x
a: recv_text x
--- no_error_log
[alert]



=== TEST 24: topics whose sessions don't move are ready last
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
successor: get 020000000004000000070000000100000000000000000000000000000000000178 get 06000000000100 get 0400 0a00
quit:
e: gone
log: im: 1 sessions moved to worker process 7 in \d+ ms, 0 stay
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 25: sessions that Redis doesn't count at the next worker yet
--- http_config
    im_handover on;
    im_drain 10m;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /im { im_comet protocol=im; im_auth none; }
--- websocket
conf: 1 worker_processes 2 => worker_processes 1
e: open /echo
f: open /echo
g: open /echo
record: sessions 3
redis: EVAL for\__,k\_in\_ipairs(redis.call('KEYS','im:{reg}:n:*'))\_do\_if\_redis.call('HGET',k,'sessions')=='3'\_then\_return\_k\_end\_end 0 => (?<old>.+)
redis: EVAL return\_redis.call('ZADD','im:{reg}:nodes',redis.call('TIME')[1]*1000+11000,'x') 0
successor: get 020000000004000000070000000100000000000000000000000000000000000178 get 0600000000010000000002030000000303 hang
redis: EVAL return\_tostring(redis.call('TIME')[1]*1000+9000) 0 => (?<t>\d+)
quit:
await: EVAL redis.call('ZADD','im:{reg}:nodes',redis.call('TIME')[1]*1000+11000,'x')\_return\_tostring(redis.call('HGET',KEYS[1],'time')>ARGV[1]) 1 $old $t => ^true$
log: im: the channel to the next worker of slot 0 is lost: it said nothing for 5 s
e: gone
redis: HGET $old sessions => ^3$
redis: EVAL redis.call('HSET','im:{reg}:n:x','took:'..KEYS[1],4294967296)\_return\_redis.call('HINCRBY',KEYS[1],'sessions',-1) 1 $old => ^2$
log: im: 1 sessions moved to worker process 7 in \d+ ms, 2 stay \(place: 2\)
redis: EVAL return\_tostring(redis.call('TIME')[1]*1000+1000) 0 => (?<t>\d+)
await: EVAL return\_tostring(redis.call('HGET',KEYS[1],'time')>ARGV[1]) 1 $old $t => ^true$
redis: HGET $old sessions => ^2$
f: close
await: HGET $old sessions => ^1$
g: close
exit: nginx
--- no_shutdown_error_log
[alert]
open socket



=== TEST 26: an unknown word
--- http_config
    im_handover of;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr{im_handover: "of" is unknown: do you mean "on"\? A path begins with "/" or "./" in }



=== TEST 27: a folder that workers can't enter
--- http_config
    im_handover $TEST_NGINX_SHUT/im;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
a: open /echo
edit: user root; => user nobody nogroup;
reload:
a: recv_close 1012
log: \[emerg\] .*im_handover: "\S+/im" is in "\S+", which the workers' user "nobody" can't enter \(13: Permission denied\): let it in, by "chmod o\+x" of each folder on the way, or name a path such as /run/nginx.im, or set "im_handover off"
--- no_error_log
[alert]
[crit]



=== TEST 28: the old master of an upgrade is killed; files that aren't sockets of ours
--- main_config
    env LD_PRELOAD;
    env ASAN_OPTIONS;
    env UBSAN_OPTIONS;
--- http_config
    im_handover on;
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
e: open /echo
sockets: 0 1
upgrade:
until: /status "moved_in":1\b
sockets: 0 0.old 1 1.old
kill: old
stale: 0.new
stale: 7
stale: 8 666
stale: 9x
reload:
until: /status "moved_in":2\b
sockets: 0 1 8 9x
e: send x
e: recv_text x
reload:
sockets: 0 1 8 9x
quit:
e: recv_close 1012
sockets: 8 9x



=== TEST 29: a new worker accepts once it has reached Redis
--- http_config
    im_redis $TEST_NGINX_IM_REDIS timeout=60s;
--- config
    location = /ready { im_status ready; }
    location = /im { im_comet protocol=im; im_auth none; }
    location /im/  { fastcgi_pass im_logic; include im_params; }
--- websocket
pause: redis
reload:
ask: GET /ready
resume: redis
answer: 200 ready
hide: redis
reload:
ask: GET /ready
answer: 503 Redis
show: redis
until: /ready ready
--- no_error_log
[alert]
[crit]
open socket



=== TEST 30: neither on nor off nor a path
--- http_config
    im_handover no;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr{im_handover: "no" is unknown: it must be on, off or a path, such as /run/nginx.im in }



=== TEST 31: an address
--- http_config
    im_handover unix:/run/nginx.im;
--- config
    location = /echo { im_comet protocol=echo; }
--- must_die
--- error_log eval
qr{im_handover: "unix:/run/nginx.im" is unknown: it must be on, off or a path, such as /run/nginx.im in }



=== TEST 32: in capitals, as nginx takes its own; another path; then off
--- http_config
    im_handover ON;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
e: open /echo
conf: 2 im_handover ON => im_handover $TEST_NGINX_SHUT/im
e: recv_close 1012
log: im: closing 1 sessions in \d+ ms, this worker ends: no worker comes after it at the path of im_handover
a: open /echo
conf: 2 im_handover \S+; => im_handover OFF;
a: recv_close 1012
log: im: closing 1 sessions in \d+ ms, this worker ends: no worker comes after it at the path of im_handover
b: open /echo
reload:
b: recv_close 1012
log: im: closing 1 sessions in \d+ ms, this worker ends: im_handover is off
--- no_error_log
[alert]
[crit]
open socket



=== TEST 33: what has the name of a socket is a folder
--- http_config
    im_handover $TEST_NGINX_SHUT/dir;
--- config
    location = /echo { im_comet protocol=echo; }
--- websocket
log: im_handover: rename\(\) of "\S+/dir.0" failed: sessions will not move to this worker; let nginx make sockets there, or name a path such as /run/nginx.im \(21: Is a directory\)
a: open /echo
a: send x
a: recv_text x
--- no_error_log
[alert]
[crit]
open socket



=== TEST 34: a socket that would block the new worker
--- config
    location = /echo { im_comet protocol=echo; }
    location = /status { im_status; }
--- websocket
a: open /echo
blocking: a
reload:
until: /status "moved_in":1\b
blocking: a 0
a: send x
a: recv_text x
--- no_error_log
[alert]
[crit]
open socket
