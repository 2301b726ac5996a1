# Handovers where the kernel gives the sockets of workers small buffers.

BEGIN {
    require Cwd;
    require File::Temp;

    our $dir = File::Temp->newdir;
    my $build = $ENV{IM_BUILD} || Cwd::cwd() . '/build';
    my ($nginx) = $ENV{TEST_NGINX_BINARY}
        || (grep { -x } map { "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin')[0];

    open my $script, '>', "$dir/nginx" or die "$dir: $!\n";
    print $script <<SCRIPT;
#!/bin/sh
LD_PRELOAD="\${LD_PRELOAD:+\$LD_PRELOAD }$build/t/small.so"
export LD_PRELOAD
exec $nginx "\$@"
SCRIPT
    close $script;
    chmod 0755, "$dir/nginx";

    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
}

use lib 't/lib';
use Test::Im;
use Test::Nginx::Socket 'no_plan';

master_on();
workers(2);

run_tests();

__DATA__

=== TEST 1: messages of some packets each
--- http_config
    im_handover on;
    im_limit topic_log=8m logs=64m;
    im_room * history=0;
    im_per_address off;
--- config
    listen 127.0.0.1:$TEST_NGINX_IM_PORT2 sndbuf=16k;
    location = /cent { im_comet protocol=centrifuge; im_auth none; }
    location = /echo { im_comet protocol=echo; }
    location /im/    { fastcgi_pass im_logic; include im_params; }
    location = /status { im_status; }
--- websocket
b: open :$TEST_NGINX_IM_PORT2 /cent
b: send_lines {"connect":{},"id":1} | {"subscribe":{"channel":"long"},"id":2}
b: like ^\{"id":1,"connect":
b: like ^\{"id":2,"subscribe":
e: many 101=40 /echo
flood: 60x60000 room long
reload:
until: /status "moved_in":41,"moved_out":41\b
push: room long "behind"
b: recv_long 60x60000
b: like "behind"
log: \d+ sessions moved to worker process \d+ in \d+ ms, 0 stay
--- no_error_log
[alert]
[error]
is lost
