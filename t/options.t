#!/usr/bin/perl
# Copyright (C) The im authors
#
# The command line and the file of im_logic and im_job: an impossible value ends
# the program at once, with status 2 and one line that has name, value and cure.

use strict;
use warnings;

use lib 't/lib';

use Cwd ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(MSG_DONTWAIT SOCK_DGRAM);
use Test::Im::Cert qw(certificates);
use Test::Im::Daemon qw(start stop ended wrote until_true refused);
use Test::Im::File qw(slurp spew);
use Test::Im::Ports qw(ports);
use Test::More;

my $port = ports();
my $build = Cwd::abs_path($ENV{IM_BUILD} || 'build');
my $dir = File::Temp::tempdir('im-options-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $conf = "$dir/im.conf";
my $group = getgrgid($) + 0);

# what each program needs to start
my %needs = (im_logic => [ "--http=127.0.0.1:$port" ], im_job => []);
my $away = "--redis=unix:$dir/none.sock";


sub bad {
    my ($program, $like, @options) = @_;

    refused("$program @options", 2, $like, $program, @options);
}


# How the kernel schedules it: 3 is SCHED_BATCH, 5 is SCHED_IDLE.
sub policy {
    my ($how, $program, @options) = @_;
    my $daemon = start($how, $program, @options);

    until_true(sub { wrote($daemon) =~ /$program \S+ started/
                     || ended($daemon) });
    my $policy = (split ' ', slurp("/proc/$daemon->{pid}/stat")
                             =~ s/.*\)//sr)[38];
    stop($daemon);

    return $policy;
}


# It ends at once; its status and what it wrote.
sub run {
    my $daemon = start(@_);

    until_true(sub { ended($daemon) });

    return (stop($daemon), wrote($daemon));
}


sub runs {
    my ($name, $like, $program, @options) = @_;
    my $daemon = start($program, @options);

    until_true(sub { wrote($daemon) =~ /$program \S+ started/
                     || ended($daemon) });
    like(wrote($daemon), qr/$program \S+ started/, "$name: it runs");
    until_true(sub { wrote($daemon) =~ $like }) if $like;
    like(wrote($daemon), $like, "$name: what it does") if $like;
    is(stop($daemon), 0, "$name: ends when told to");
    like(wrote($daemon), qr/\] \d+: stopping.*\n(?:.*\n)*.*\] \d+: $program ended\n\z/,
         "$name: it says so");
}


# addresses: the same parser as im_redis

my %addresses = (
    'bad:port' => 'has no valid port: use a number from 1 to 65535',
    '127.0.0.1:70000' => 'has no valid port', '127.0.0.1:0' => 'has no valid',
    '127.0.0.1:22222222' => 'has no valid port', 'h:' => 'has no valid port',
    'h:+1' => 'has no valid port', 'h: 1' => 'has no valid port',
    'h:6379 ' => 'has no valid port', '[::1]:99999' => 'has no valid port',
    ':6379' => 'has no host: use', '6379' => 'is a port without a host',
    '::1' => 'is IPv6 without brackets: use [::1]:PORT',
    '[::1' => 'has no "]"', '[localhost]:1' => 'has no IPv6 address',
    '256.1.1.1:1' => 'is no IPv4 address', '127.1:1' => 'is no IPv4 address',
    '0x7f.1:1' => 'is no IPv4 address', 'a b:1' => 'is no host name',
    'a_-:1' => 'is no host name', 'redis://h:1' => 'is a URL',
    'unix:' => 'has no path', 'unix:x.sock' => 'has a path that depends on the current',
    'unix:@x' => 'is abstract', '/run/x' => 'is no host: use',
    'unix:/' . 'x' x 107 => 'has a path that is too long', 'unix:/run/' => 'has a path that is not one of a file',
    "a\nb" => 'is no host name',
);

for my $option ([ 'im_job', 'redis' ], [ 'im_logic', 'redis' ],
                [ 'im_logic', 'fcgi' ], [ 'im_logic', 'http' ])
{
    my ($program, $name) = @$option;

    # blanks separate words of --redis
    for my $value (sort grep { $name ne 'redis' || !/\s/ } keys %addresses) {
        my $shown = $value =~ s/\n/?/r;
        bad($program, qr/ --$name="\Q$shown\E" \Q$addresses{$value}\E/,
            "--$name=$value");
    }
}

bad($_, qr/--redis="h:" has no valid port/, '--redis=h: 1')
    for qw(im_logic im_job);
bad('im_job', qr/--redis="\*:1" is no host to connect to/, '--redis=*:1');
bad('im_logic', qr/--http="\*" has no port: use HOST:PORT/, '--http=*');
bad('im_logic', qr/--fcgi="h" has no port/, '--fcgi=h');

# im_redis has the same parser and the same words

sub nginx {
    my ($redis) = @_;
    my $build = $ENV{IM_BUILD} || 'build';
    my $preload = $ENV{IM_PRELOAD}
        ? "LD_PRELOAD='$ENV{IM_PRELOAD}' ASAN_OPTIONS=detect_leaks=0 " : '';
    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my $module = Cwd::abs_path("$build/ngx_im_module.so");

    spew("$dir/nginx.conf", (-e $module ? "load_module \"$module\";\n" : '')
         . "pid $dir/nginx.pid;\nevents {}\nhttp { access_log off;\n"
         . join('', map { "${_}_temp_path $dir/$_;\n" }
                qw(client_body proxy fastcgi uwsgi scgi))
         . "im_redis $redis;\n}\n");

    my $out = `PATH=\$PATH:/usr/sbin $preload$binary -t -p $dir -e $dir/error.log -c $dir/nginx.conf 2>&1`;

    return ($? >> 8, $out);
}


sub quoted {
    my ($text) = @_;

    return $text =~ /[\s"]/ ? '"' . $text =~ s/"/\\"/gr . '"' : $text;
}


my %redis = ((map { quoted($_) => qr/"\Q$_\E" \Q$addresses{$_}\E/ }
              keys %addresses),
    '*:1' => qr/"\*:1" is no host to connect to/, '""' => qr/"" is empty/,
    'h user=a' => qr/has user= but no password: add password_file=/,
    'h password=' => qr/"password=" is empty/,
    'h user= password=x' => qr/"user=" is empty/,
    'h password=a password=b' => qr/"password=" is there twice/,
    'h db=1 db=2' => qr/"db=2" is there twice/,
    'h db=-1' => qr/"db=-1" must be a number from 0 to 1000000/,
    'h db=1000001' => qr/"db=1000001" must be a number/,
    'h db=1k' => qr/"db=1k" must be a number/,
    'h password=a password_file=b' => qr/password= and password_file=: leave one out/,
    "h password_file=$dir/none" => qr/"password_file=$dir\/none" is not there/,
    "h password_file=none" => qr/"password_file=none" is not there/,
    "h password_file=" => qr/"password_file=" is empty/,
    "h password_file=$dir" => qr/"password_file=$dir" can't be read/,
    "h 6380" => qr/"6380" is one server too many: begin with "cluster"/,
    "h speed=1" => qr/"speed=" is unknown; there are user=/,
);

for my $redis (sort keys %redis) {
    my ($status, $out) = nginx($redis);

    is($status, 1, "im_redis $redis: refused");
    like($out, qr/\[emerg\].*im_redis.*$redis{$redis}/, 'by name, value and cure');
}

spew("$dir/password", "secret\r\n");

for my $redis ('127.0.0.1', '[::1]', '[::1]:6380', 'localhost',
               'unix:/run/redis.sock', "h.invalid password_file=$dir/password",
               '127.0.0.1 user=im password_file=password')
{
    my ($status, $out) = nginx($redis);

    is($status, 0, "im_redis $redis") or diag($out);
    like($out, qr/\[warn\].*the host of "h.invalid" is unknown now/,
         'an unknown host is warned of') if $redis =~ /invalid/;
}

for my $text ('', "\n", "a\nb\n", 'x' x 1100) {
    spew("$dir/password", $text);
    my ($status, $out) = nginx("127.0.0.1 password_file=$dir/password");
    like("$status $out", qr/\A1 .*"password_file=\S+" (?:must have one line|is longer)/s,
         'a faulty password file');
}

# several servers, sentinels, TLS: the same words with the same messages

my $tls = certificates("$dir/tls");
my %words = (
    'cluster' => [ '', 'has no address: name some nodes' ],
    'sentinel=im' => [ '', 'has no address: name all sentinels' ],
    'sentinel=a/b h' => [ 'sentinel=a/b', 'must name the master as' ],
    'h tls=on sentinel=im' => [ 'sentinel=im', 'must be the first word' ],
    'cluster h:1 H:1' => [ 'H:1', 'is there twice' ],
    'cluster ' . join(' ', map { "h:$_" } 1 .. 17) => [ 'h:17', 'is one too many' ],
    'cluster unix:/a' => [ 'unix:/a', 'is a unix socket, and servers tell' ],
    'sentinel=im unix:/a' => [ 'unix:/a', 'is a unix socket, and servers' ],
    'unix:/a tls=on' => [ 'tls=on', "can't be used: Redis has no TLS at a unix" ],
    'a b' => [ 'b', 'is one server too many: begin with "cluster" or "sentinel=NAME"' ],
    'cluster h db=1' => [ '', "has a db= that can't be used: a cluster has database 0 alone" ],
    'h tls=yes' => [ 'tls=yes', 'must be on or off' ],
    'h ca=/f' => [ 'ca=/f', 'has no effect without tls=on: add it' ],
    'h tls=on cert=/f' => [ 'cert=/f', 'has no key: add key=' ],
    'h tls=on key=/f' => [ 'key=/f', 'has no certificate: add cert=' ],
    'h tls=on name=a:1' => [ 'name=a:1', 'is no host: use a name or an address' ],
    'h sentinel_user=a' => [ 'sentinel_user=a', 'is for sentinels alone: begin' ],
    'sentinel=im h sentinel_user=a' => [ 'sentinel_user=a', 'has no password: add' ],
    'h user=a' => [ '', 'has user= but no password: add password_file=' ],
    'h password=bee password=bee' => [ 'password=', 'is there twice' ],
    'h timeout=2x' => [ 'timeout=2x', 'must be a time from 1ms to 1h' ],
    'h password_file=/none' => [ 'password_file=/none', 'is not there' ],
    'sentinel=im h sentinel_password_file=/none'
        => [ 'sentinel_password_file=/none', 'is not there' ],
    'h tls=on ca=/none' => [ 'ca=/none', 'is not there' ],
    "h tls=on ca=$tls/ca.key" => [ "ca=$tls/ca.key", 'has no certificate in PEM form' ],
    "h tls=on cert=$conf key=/none" => [ "cert=$conf", 'has no certificate in PEM form' ],
    "h tls=on cert=$tls/client.pem key=/none" => [ 'key=/none', 'is not there' ],
    "h tls=on cert=$tls/client.pem key=$tls/client.pem"
        => [ "key=$tls/client.pem", 'has no private key in PEM form' ],
    "h tls=on cert=$tls/client.pem key=$tls/server.key"
        => [ "key=$tls/server.key", 'is not the key of the certificate in cert=' ],
    "h tls=on cert=$tls/client.pem key=$tls/locked.key"
        => [ "key=$tls/locked.key", 'needs a passphrase: use a key without one' ],
);

spew($conf, "# no certificate\n");
system("openssl pkey -in $tls/client.key -aes128 -passout pass:x "
       . "-out $tls/locked.key 2> /dev/null") == 0 or die 'openssl';

for my $words (sort keys %words) {
    my ($at, $why) = @{$words{$words}};
    my $shown = $at eq '' ? qr/redis(?:" directive)? / : qr/redis(?:: |=| )"\Q$at\E" /;
    my ($status, $out) = nginx($words);

    is($status, 1, "im_redis $words: refused");
    like($out, qr/\[emerg\].*im_$shown\Q$why\E/, 'and says why');
    unlike($out, qr/bee/, 'without a password');
    bad('im_job', qr/$shown\Q$why\E/, "--redis=$words");

    spew("$dir/words.conf", "log info;\nim_redis $words;\n");
    refused("im_logic with a file: $words", 2, qr/$shown\Q$why\E/, 'im_logic',
            '-c', "$dir/words.conf", @{$needs{im_logic}});
}

for my $words ("cluster h.invalid:1 127.0.0.1:2 tls=on ca=$tls/ca.pem cert=$tls/expired.pem key=$tls/expired.key name=redis.test",
               "sentinel=my.master-1 127.0.0.1 [::1] sentinel_password=a db=2")
{
    my ($status, $out) = nginx($words);

    is($status, 0, "im_redis $words") or diag($out);
    like($out, qr/\[warn\] im_redis: "cert=\S+" has expired/,
         'an expired certificate of ours is warned of') if $words =~ /expired/;

    ($status, $out) = run('im_job', '-t', "--redis=$words");
    is($status, 0, "--redis=$words") or diag($out);
    like($out, qr/\[warn\].*redis: "cert=\S+" has expired/,
         'an expired certificate of ours is warned of') if $words =~ /expired/;
}

for my $option ([ '--redis=h user=a', '--redis-user=b', 'redis has a word for what redis-user says too' ],
                [ '--redis=h db=1', '--redis-db=2', 'redis has another db= than the option says' ],
                [ '--redis=cluster h', '--redis-db=2', "redis has a db= that can't be used" ])
{
    my $why = pop @$option;
    bad('im_job', qr/\Q$why\E/, @$option);
}

# words of the file may have blanks, and passwords in it are warned of
spew("$dir/words.conf", "redis\n  unix:$dir/none.sock\n  \"password=a b\";\n");
chmod 0644, "$dir/words.conf";
runs('words in a file', qr/\[warn\].*any local user can read "\S+", which has a password: chmod o-r/,
     'im_job', '-c', "$dir/words.conf");

# numbers, sizes, times, words

for my $value ('-1', '+1', ' 1', '1 ', '1k', '0x1', '1.5', 'x', '1000001',
               '18446744073709551616', '99999999999999999999999999')
{
    bad($_, qr/--redis-db="\Q$value\E" must be a number from 0 to 1000000/,
        "--redis-db=$value") for qw(im_logic im_job);
}

bad('im_job', qr/--partitions="$_" must be a number from 1 to 1024/,
    "--partitions=$_") for 0, 1025;
bad('im_logic', qr/--max-body="$_" must be a size from 1k to 16m/,
    "--max-body=$_") for '1', '1g', '17m', '-1k', 'k', '1kk', '1kb',
                         '18014398509481984k';
bad('im_logic', qr/--idem-ttl="$_" must be a time from 1s to 1d/,
    "--idem-ttl=$_") for '0', '2d', '25h', '1w', '1k', '-5s', 'm';
bad('im_logic', qr/--reuseport="$_" must be on or off/, "--reuseport=$_")
    for 'yes', '2', 'ON';
bad('im_job', qr/--log="loud" must be error, warn, notice, info or debug/,
    '--log=loud');
bad('im_job', qr/--prefix="a b" must be 1 to 32 printable/, '--prefix=a b');
bad('im_logic', qr/--socket-mode="$_" is no mode of a socket: use octal/,
    "--socket-mode=$_") for '0999', '60', '0440', '07777', '-660', '0x1b0',
                            '1660', '660 ';
bad('im_logic', qr/--socket-group="nosuch group" is no group here/,
    '--socket-group=nosuch group');

# names

for my $program (qw(im_logic im_job)) {
    bad($program, qr/--redis has no value: use --name=VALUE/, '--redis');
    bad($program, qr/--redis has no value: use --name=VALUE/, '--redis',
        '--log=info');
    bad($program, qr/--redis has no value/, '--redis=');
    bad($program, qr/--redis has no value/, '--redis', '');
    bad($program, qr/--redis is there twice: leave one out/, '--redis=a',
        '--redis', 'b');
    bad($program, qr/--redis-db="1" is there twice/, '--redis-db=1',
        '--redis-db=1');
    bad($program, qr/--redsi is unknown: do you mean --redis\? \(--help/,
        '--redsi=h');
    bad($program, qr/--redi is unknown: do you mean --redis\?/, '--redi=h');
    bad($program, qr/--part is unknown: do you mean --partitions\?/, '--part',
        '3');
    bad($program, qr/--zzzzzz is unknown \(--help lists all\)/, '--zzzzzz');
    bad($program, qr/-- is unknown/, '--=x');
    bad($program, qr/"-x" is unknown or has no value/, '-x');
    bad($program, qr/"-c" is unknown or has no value/, '-c');
    bad($program, qr/"stray" is no option: use --name=VALUE/, 'stray');
    bad($program, qr/"stray" is no option/, '--redis', 'h', 'stray');
    bad($program, qr/"stray" is no option/, '--', 'stray');
    bad($program, qr/"-" is no option/, '-');
    bad($program, qr/--help takes no value/, '--help=1');
    bad($program, qr/--conf is there twice/, '-c', 'a', "--conf=b");
    bad($program, qr/--conf has no value/, '--conf=');
    bad($program, qr/can't read "$dir\/none": No such file/, "-c$dir/none");
    bad($program, qr/can't read "$dir": Is a directory/, '-c', $dir);
    bad($program, qr/redis-user has no password: add redis-password-file/,
        '--redis-user=x');
    bad($program, qr/redis-password and redis-password-file: leave one out/,
        '--redis-password=x', '--redis-password-file=y');
}

bad('im_job', qr{--fcgi is unknown}, '--fcgi=127.0.0.1:1');
bad('im_logic', qr/nothing to listen on: give --fcgi or --http/, $away);
bad('im_logic', qr/"on" is no option/, '--reuseport', 'on');

# no message has a password
my ($status, $out) = run('im_job', '--redis-password=a', '--redis-password=bee');
like($out, qr/--redis-password is there twice/, 'a password twice');
unlike($out, qr/bee/, 'is not shown');

# the file

my %files = (
    "redis bad:port;" => '1: redis "bad:port" has no valid port',
    "\n# x\nredis-db 1;\nredis-db 2;" => '4: redis-db "2" is there twice',
    "redis 127.0.0.1:6379 # mine" => '1: ";" is missing at the end',
    "redis 127.0.0.1:6379\nlog info;" => '1: redis "log" is one server too many: begin with "cluster" or "sentinel=NAME" where there are several; or is a ";" missing?',
    "log info\nredis 127.0.0.1:6379;" => '1: log has more than one value: is a ";" missing',
    "redis h " . 'tls=on ' x 64 . ';' => '1: redis has too many words',
    "redis = 127.0.0.1;" => '1: redis must be written "name value;", without "="',
    "redis=127.0.0.1;" => '1: redis=127.0.0.1 must be written "name value;"',
    "log info;\nredis = 127.0.0.1\n" => '2: ";" is missing at the end',
    "log info;\n  redsi h;" => '2: redsi is unknown: do you mean redis?',
    "conf x;" => '1: conf is unknown', "log;" => '1: log has no value',
    "log '';" => '1: log has no value', "log {\n}" => '1: there are no blocks',
    "prefix \"a\"b;" => '1: a blank or ";" is missing behind a quote',
    "log info;\nprefix \"a\n\n" => '2: a quote is not closed',
    "redis-password a b;" => '1: redis-password has more than one value',
    "log info;\nredis-db -1;" => '2: redis-db "-1" must be a number',
    "log info;;" => '1: there is no name before ";"',
    "partitions\n\n0;" => '1: partitions "0" must be a number from 1 to 1024',
    "log info;\0" => '1: there is a zero byte',
    "#" . 'x' x 262144 => undef,
);

for my $text (sort keys %files) {
    my $like = defined $files{$text} ? qr/\d: \Q$conf\E:\Q$files{$text}\E/
                                     : qr/can't read "\Q$conf\E": it is longer/;

    spew($conf, $text);
    (my $shown = substr $text, 0, 40) =~ s/[\n\0]/ /g;
    refused("$_, file: $shown", 2, $like, $_, '-c', $conf)
        for qw(im_logic im_job);
}

# what is right

spew($conf, <<CONF);
# both have these
redis "unix:$dir/none.sock";   # mine
prefix 'im2:';
redis-password "a \\"b\\" ; # c";
log
    debug;
CONF

for my $program (qw(im_logic im_job)) {
    my @needs = @{$needs{$program}};

    runs("$program with a file", qr/Redis at "unix:\Q$dir\E\/none.sock" is away/,
         $program, '-c', $conf, @needs);
    runs("$program, values apart", qr/Redis at "unix:\Q$dir\E\/other.sock" is away/,
         $program, '--conf', $conf, '--redis', "unix:$dir/other.sock", @needs);
    runs("$program, a host alone", qr/Redis at "localhost" is away.*Connection refused/,
         $program, '--redis=localhost', @needs)
        unless IO::Socket::INET->new('127.0.0.1:6379');

    my ($status, $out) = run($program, '-t', '-c', $conf, @needs);
    is($status, 0, "$program -t");
    like($out, qr/^$program: configuration file \Q$conf\E test is successful\n\z/m,
         'says so');
    ($status, $out) = run($program, '--test', @needs);
    is("$status $out", "0 $program: configuration test is successful\n",
       "$program --test, without a file");

    ($status, $out) = run($program, '-t', '--redis-db=x', @needs);
    is($status, 2, "$program -t of a wrong value");
    like($out, qr/must be a number.*\n$program: configuration test failed\n\z/,
         'says so');

    for my $option (qw(-V -v --version)) {
        ($status, $out) = run($program, $option);
        like("$status $out", qr/\A0 $program \d+\.\d+\.\d+\n\z/,
             "$program $option");
    }

    for my $option (qw(-h --help)) {
        ($status, $out) = run($program, $option);
        like("$status $out", qr/\A0 usage: $program \[options\]\n/,
             "$program $option");
        is(join(' ', grep { length > 80 } split /\n/, $out), '', '80 columns');
    }

    # the page has each of them
    my $page = slurp('docs/operations.md');
    my @names = $out =~ /^  (?:-\w, )?--([\w-]+)/mg;
    is(join(' ', grep { $page !~ /`(?:--)?$_(?:=[^`]*)?`/ } @names), '',
       "operations.md has the options of $program");
    cmp_ok(scalar @names, '>', 10, 'and there are some');
}

# files with a password

spew("$dir/password", "se cret\n");
chmod 0600, "$dir/password";
runs('a password file', undef, 'im_job', $away, '--redis-user=im',
     "--redis-password-file=$dir/password");

bad('im_job', qr/--redis-password-file="\Q$dir\E\/none" is not there/,
    "--redis-password-file=$dir/none");

for my $text ('', "\n", "a\nb\n", "a\0b", 'x' x 1100) {
    spew("$dir/password", $text);
    bad('im_job', qr/--redis-password-file="\Q$dir\E\/password" (?:must have one line|is longer)/,
        "--redis-password-file=$dir/password");
}

spew($conf, "redis-password x;\n");
chmod 0644, $conf;
($status, $out) = run('im_job', '-t', '-c', $conf);
like($out, qr/\[warn\].*any local user can read "\Q$conf\E", which has redis-password: chmod o-r/,
     'a password that all can read');
chmod 0640, $conf;
($status, $out) = run('im_job', '-t', '-c', $conf);
unlike($out, qr/warn/, 'one that not all can read');

# what systemd hears, and its journal

for my $program (qw(im_logic im_job)) {
    for my $address ("$dir/notify", "\0im-notify-$$") {
        my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM,
                                           Local => $address)
            or die "$address: $!\n";
        my $name = $address =~ s/^\0/\@/r;
        my @said;
        my $hears = sub {
            my ($what) = @_;
            until_true(sub {
                while (defined $socket->recv(my $text, 512, MSG_DONTWAIT)) {
                    push @said, $text;
                }
                grep { $_ eq $what } @said;
            });
        };

        my $daemon = start({ env => { NOTIFY_SOCKET => $name,
                                      WATCHDOG_USEC => 30_000_000 } },
                           $program, $away, @{$needs{$program}});

        ok($hears->('READY=1'), "$program: $name hears that it is ready");
        is($said[0], 'READY=1', 'first of all');
        like(wrote($daemon), qr/started/, 'when it has started');
        ok($hears->('WATCHDOG=1'), 'then that it is alive');
        is(stop($daemon), 0, 'it ends when told to');
        ok($hears->('STOPPING=1'), 'and says so');
        unlike(wrote($daemon), qr/NOTIFY_SOCKET/, 'without a warning');

        @said = ();
        $daemon = start({ env => { NOTIFY_SOCKET => $name,
                                   WATCHDOG_USEC => 30_000_000,
                                   WATCHDOG_PID => $$ } },
                        $program, $away, @{$needs{$program}});
        ok($hears->('READY=1'), 'again');
        stop($daemon);
        $hears->('STOPPING=1');
        is_deeply([ grep { /WATCHDOG/ } @said ], [],
                  'another process is watched');

        close $socket;
        unlink $name;
    }

    is(policy({}, $program, $away, @{$needs{$program}}), 3,
       "$program: does not take the core from the program that woke it");
    is(policy({ by => [qw(chrt --idle 0)] }, $program, $away,
              @{$needs{$program}}), 5, 'unless a policy is chosen');

    runs('a notify socket that is away', undef, $program, $away,
         @{$needs{$program}}) for local $ENV{NOTIFY_SOCKET} = "$dir/notify";

    my $log = "$dir/journal.log";
    for my $same (1, 0) {
        open(my $fh, '>', $log) or die "$log: $!\n";
        my ($dev, $ino) = stat($fh);
        my $pid = fork();
        if ($pid == 0) {
            open(STDERR, '>&', $fh);
            $ENV{JOURNAL_STREAM} = $same ? "$dev:$ino" : "$dev:1";
            exec("$build/$program", '--none=1') or POSIX::_exit(127);
        }
        waitpid($pid, 0);
        like(slurp($log), $same ? qr/\A<3>\[error\] --none/
                                : qr/\A\d{4}\S+ \S+ \[error\] \d+: --none/,
             $same ? "$program: the journal gets no time"
                   : 'another file than the journal does');
    }
}

done_testing();
