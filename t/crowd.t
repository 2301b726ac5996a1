# A machine where many processes wait for a CPU: a Redis of that machine has more
# time for an answer, and no connection is cut.  What Linux says of them is a
# file of this test, in a mount namespace.

use strict;
use warnings;

use File::Temp ();
use Test::More;

BEGIN {
    plan skip_all => 'needs root' if $> != 0;
    plan skip_all => 'unshare(1) makes no mounts here'
        if system('unshare -m true 2> /dev/null') != 0;

    if (!$ENV{IM_TEST_LOADAVG}) {
        my ($fh, $file) = File::Temp::tempfile('im-load-XXXXXX', TMPDIR => 1);
        print $fh "0.10 0.10 0.10 1000000/1000001 1000\n";
        close($fh) or die "$file: $!\n";

        $ENV{IM_TEST_LOADAVG} = $file;
        my $status = system('unshare', '-m', '--', 'sh', '-c',
                            'mount --bind "$IM_TEST_LOADAVG" /proc/loadavg '
                            . '&& exec "$@"', 'sh', $^X,
                            (map { "-I$_" } @INC), $0, @ARGV);
        unlink($file);
        exit($status ? 1 : 0);
    }
}

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();

run_tests();

__DATA__

=== TEST 1: a crowd, and a Redis that gets no CPU for a while
--- http_config
    im_redis $TEST_NGINX_IM_REDIS timeout=1s;
--- config
    location = /none {
        im_comet protocol=im; im_auth none; im_ping 1s timeout=60s;
    }
    location /im/ { fastcgi_pass im_logic; include im_params; }
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 1
a: upto "msg":1
redis: CLIENT LIST TYPE normal => (?s)id=(?<c1>\d+) addr=/.*?id=(?<c2>\d+) addr=/.*?id=(?<c3>\d+) addr=/
redis: CLIENT LIST TYPE pubsub => (?s)id=(?<p1>\d+) addr=/.*?id=(?<p2>\d+) addr=/
running: 1000000
a: recv_ping
a: recv_ping
pause: redis
a: recv_ping
a: recv_ping
a: recv_ping
a: recv_ping
a: recv_ping
resume: redis
until: POST /im/push {"rooms":["7"],"data":2} => ^200
a: upto "msg":2
redis: CLIENT LIST ID $c1 $c2 $c3 => (?s)id=.*\nid=.*\nid=
redis: CLIENT LIST ID $p1 $p2 => (?s)id=.*\nid=
unlogged: is away|no heartbeat|\[(warn|error|alert)\]



=== TEST 2: the crowd is gone, and Redis still says nothing
--- websocket
a: open /none
a: send {"roomId":7}
a: recv op 4
push: room 7 3
a: upto "msg":3
pause: redis
a: recv_ping
a: recv_ping
a: recv_ping
unlogged: is away
running: 1
log: Redis at .* is away \((commands|pub/sub)\): no answer in time
resume: redis
log: Redis at .* is there
until: POST /im/push {"rooms":["7"],"data":4} => ^200
a: upto "msg":4
--- no_error_log
[alert]
