# Copyright (C) The im authors
#
# The servers of Redis that a test needs, in a folder and at ports of their
# own: one, a master with replicas, these with sentinels, or a cluster.  Each
# can be killed, stopped and started again while the others go on.  All end
# with the test, however it ends.
#
#   my $redis = Test::Im::Redis->new(kind => 'cluster');
#   $redis->start;                      # all of it is ready
#   $redis->crash($redis->master_of('im:{5}:q'));
#   $redis->until_healed;
#
# Servers are redis1, redis2 ..., masters first; sentinels are sentinel1 ...

package Test::Im::Redis;

use strict;
use warnings;

use Cwd ();
use File::Path ();
use File::Temp ();
use IO::Socket::UNIX;
use POSIX ();
use Text::ParseWords qw(shellwords);
use Time::HiRes qw(sleep time);

use Test::Im::Cert qw(certificates);
use Test::Im::Docs qw(block);
use Test::Im::File qw(slurp spew);
use Test::Im::Net;
use Test::Im::Ports qw(more_ports);

# seconds; how long matters only where what is waited for never comes
my $Limit = 60;

my $Slots = 16384;
my $Master = 'mymaster';        # what the sentinels call it
my $Keyless = qr/\A(?:CLIENT|CONFIG|DBSIZE|DEBUG|FLUSH\w+|INFO|PING|ROLE|SCRIPT|
                      WAIT)\z/xi;
my %Replicas = (one => 0, replicas => 2, sentinel => 2, cluster => 1);
my @All;

# a test that dies must leave no server behind
END {
    my $status = $?;
    $_->end($status) for @All;
    $? = $status;
}


# kind         one, replicas, sentinel or cluster
# masters      of a cluster; 3
# replicas     of each master; 1 in a cluster, or else 2
# sentinels    3
# dir          without it, a new one, which end() removes; what servers of
#              another run left in it goes
# settings     more lines of each server's configuration
# timeout      ms until a server that is silent is dead: cluster-node-timeout
#              (2000) or down-after-milliseconds (1000)
# failover     ms: the sentinels' failover-timeout; 3000
# password     of the default user
# acl          programs are users of their own, with the rights of docs/redis.md
# tls          1: TLS alone, with the certificates of Test::Im::Cert in
#              DIR/tls; 2: servers ask for a client's certificate too
# certificate  which one the servers have, by name; server
# net          all that servers and sentinels say to each other, and clients to
#              them, goes through Test::Im::Net, which can part them
# server       the program; IM_REDIS_SERVER, or else redis-server
sub new {
    my ($class, %args) = @_;
    my $self = bless {
        kind => 'one', masters => 3, sentinels => 3, failover => 3000,
        certificate => 'server', settings => [],
        server => $ENV{IM_REDIS_SERVER} || 'redis-server',
        %args, owner => $$, pids => {},
    }, $class;

    die "kind \"$self->{kind}\"?\n" unless defined $Replicas{$self->{kind}};
    $self->{masters} = 1 if $self->{kind} ne 'cluster';
    $self->{sentinels} = 0 if $self->{kind} ne 'sentinel';
    $self->{replicas} = $Replicas{$self->{kind}}
        unless defined $self->{replicas};
    $self->{timeout} ||= $self->{kind} eq 'cluster' ? 2000 : 1000;
    $self->{temporary} = !$self->{dir};
    $self->{dir} ||= File::Temp::tempdir('im-redis-XXXXXX', TMPDIR => 1);
    File::Path::make_path($self->{dir});
    File::Path::remove_tree(map { "$self->{dir}/$_" } $self->servers,
                            $self->sentinels);
    certificates("$self->{dir}/tls") if $self->{tls};
    $self->addresses;

    push @All, $self;

    return $self;
}


# It is another set-up from now on: kind, masters, replicas and sentinels.
# Servers are to be started by name; those that run go on as they are.
sub grow {
    my ($self, %args) = @_;

    @{$self}{keys %args} = values %args;
    $self->addresses;
    $self->{formed} = 1;
    delete $self->{owners};
}


# The configuration of a server is that of the set-up when it is started again.
sub renew {
    my ($self, @names) = @_;

    unlink map { "$self->{dir}/$_/conf" } @names;
}


# Each has a port that others know, and one where it listens; they differ
# where the net is between.
sub addresses {
    my ($self) = @_;
    my @names = grep { !$self->{node}{$_} }
        $self->servers, $self->sentinels;
    my @ports = more_ports(@names * 4);
    my $known = keys %{$self->{node}};

    for my $i (0 .. $#names) {
        my ($port, $bus, $own, $own_bus) = splice @ports, 0, 4;

        $self->{node}{$names[$i]} = {
            name => $names[$i], port => $port, bus => $bus,
            listen => $self->{net} ? $own : $port,
            listen_bus => $self->{net} ? $own_bus : $bus,
            source => $self->{net} ? '127.0.1.' . ($i + 1) : undef,
            id => sprintf('%040x', 0xabc000 + $known + $i),
        };
    }

    return unless $self->{net};

    $self->{net} = Test::Im::Net->new(
        map { ([ $_->{name}, $_->{source}, $_->{port} => $_->{listen} ],
               [ $_->{name}, $_->{source}, $_->{bus} => $_->{listen_bus} ]) }
        values %{$self->{node}});
}


# names

sub servers {
    my ($self) = @_;

    return map { "redis$_" }
        1 .. $self->{masters} * (1 + $self->{replicas});
}


sub sentinels {
    my ($self) = @_;

    return map { "sentinel$_" } 1 .. $self->{sentinels};
}


# The master that a server replicates at first; undef: it is one.
sub first_master {
    my ($self, $name) = @_;
    my ($n) = $name =~ /\Aredis(\d+)\z/ or die "server \"$name\"?\n";

    return undef if $n <= $self->{masters};
    return 'redis' . (1 + ($n - 1) % $self->{masters});
}


sub port {
    my ($self, $name) = @_;

    return $self->{node}{$name}{port};
}


sub address {
    my ($self, $name) = @_;

    return '127.0.0.1:' . $self->port($name);
}


# The words of im_redis and --redis.
sub words {
    my ($self) = @_;
    my $tls = "$self->{dir}/tls";
    my @words = $self->{kind} eq 'cluster'
            ? ('cluster', map { $self->address($_) } $self->servers)
        : $self->{kind} eq 'sentinel'
            ? ("sentinel=$Master", map { $self->address($_) } $self->sentinels)
        : ($self->address('redis1'));

    push @words, "password=$self->{password}" if defined $self->{password};
    push @words, "sentinel_password=$self->{password}"
        if defined $self->{password} && $self->{kind} eq 'sentinel';
    push @words, 'user=im', 'password=secret' if $self->{acl};
    push @words, 'sentinel_user=im', 'sentinel_password=hidden'
        if $self->{acl} && $self->{kind} eq 'sentinel';
    push @words, 'tls=on', "ca=$tls/ca.pem" if $self->{tls};
    push @words, "cert=$tls/client.pem", "key=$tls/client.key"
        if ($self->{tls} || 0) > 1;

    return @words;
}


# processes

sub conf {
    my ($self, $name) = @_;
    my $node = $self->{node}{$name};
    my $dir = "$self->{dir}/$name";
    my @lines = ('bind 127.0.0.1', "dir $dir", "unixsocket $dir/sock",
                 'unixsocketperm 700', @{$self->tls_lines($node->{listen})});

    push @lines, "bind-source-addr $node->{source}" if $node->{source};
    push @lines, $name =~ /\Asentinel/ ? $self->sentinel_lines($node)
                                       : $self->server_lines($node);

    File::Path::make_path($dir);
    spew("$dir/conf", join '', map { "$_\n" } @lines);
}


sub tls_lines {
    my ($self, $port) = @_;
    my $tls = "$self->{dir}/tls";

    return [ "port $port" ] unless $self->{tls};
    return [ 'port 0', "tls-port $port", 'tls-replication yes',
             "tls-cert-file $tls/$self->{certificate}.pem",
             "tls-key-file $tls/$self->{certificate}.key",
             "tls-ca-cert-file $tls/ca.pem", 'tls-auth-clients '
             . ($self->{tls} > 1 ? 'yes' : 'no') ];
}


sub server_lines {
    my ($self, $node) = @_;
    my $master = $self->first_master($node->{name});
    my @lines = ('save ""', 'appendonly yes', 'appendfsync everysec',
                 'maxmemory-policy noeviction', 'repl-backlog-ttl 0',
                 'repl-diskless-sync-delay 0', 'enable-debug-command yes',
                 'client-output-buffer-limit pubsub 256mb 64mb 60');

    push @lines, "requirepass $self->{password}",
        "masterauth $self->{password}" if defined $self->{password};
    push @lines, user_line('secret') if $self->{acl};

    if ($self->{kind} eq 'cluster') {
        push @lines, 'cluster-enabled yes', 'cluster-config-file nodes.conf',
            "cluster-port $node->{listen_bus}",
            "cluster-node-timeout $self->{timeout}",
            'cluster-require-full-coverage no',
            'cluster-allow-replica-migration no';
        push @lines, 'tls-cluster yes' if $self->{tls};
        push @lines, 'cluster-announce-ip 127.0.0.1',
            'cluster-announce-' . ($self->{tls} ? 'tls-' : '')
            . "port $node->{port}", "cluster-announce-bus-port $node->{bus}"
            if $self->{net};

    } else {
        push @lines, 'replicaof 127.0.0.1 ' . $self->port($master) if $master;
        push @lines, 'replica-announce-ip 127.0.0.1',
            "replica-announce-port $node->{port}" if $self->{net};
    }

    return (@lines, @{$self->{settings}});
}


# They know each other and the replicas at once.
sub sentinel_lines {
    my ($self, $node) = @_;
    my $quorum = int($self->{sentinels} / 2) + 1;
    my @lines = ("sentinel myid $node->{id}",
                 "sentinel monitor $Master 127.0.0.1 " . $self->port('redis1')
                 . " $quorum",
                 "sentinel down-after-milliseconds $Master $self->{timeout}",
                 "sentinel failover-timeout $Master $self->{failover}",
                 "sentinel parallel-syncs $Master 5");

    push @lines, "sentinel auth-pass $Master $self->{password}",
        "requirepass $self->{password}",
        "sentinel sentinel-pass $self->{password}"
        if defined $self->{password};
    push @lines, user_line('hidden') if $self->{acl};
    push @lines, 'sentinel announce-ip 127.0.0.1',
        "sentinel announce-port $node->{port}" if $self->{net};
    push @lines, map { "sentinel known-replica $Master 127.0.0.1 "
                       . $self->port($_) }
        grep { $_ ne 'redis1' } $self->servers;
    push @lines, map { "sentinel known-sentinel $Master 127.0.0.1 "
                       . $self->port($_) . " $self->{node}{$_}{id}" }
        grep { $_ ne $node->{name} } $self->sentinels;

    return @lines;
}


# Those that are named, again; or all of it, and until it is ready.  Servers
# and sentinels that ran before have what they kept on disk.
sub start {
    my ($self, @names) = @_;
    my $all = !@names;

    @names = ($self->servers, $self->sentinels) if $all;
    $self->run($_) for @names;
    $self->await($_) for @names;

    if ($all) {
        $self->form if $self->{kind} eq 'cluster' && !$self->{formed}++;
        $self->until_healed;
    }

    return 1;
}


sub run {
    my ($self, $name) = @_;
    my $dir = "$self->{dir}/$name";

    die "$name runs already\n" if $self->{pids}{$name};
    $self->conf($name) unless -e "$dir/conf";
    unlink "$dir/sock";

    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        POSIX::setpgid(0, 0);
        umask 077;
        open(STDOUT, '>>', "$dir/log");
        open(STDERR, '>&', \*STDOUT);
        open(STDIN, '<', '/dev/null');
        # also when this process is killed
        exec('setpriv', '--pdeathsig', 'KILL', '--', $self->{server},
             "$dir/conf", $name =~ /\Asentinel/ ? '--sentinel' : ())
            or POSIX::_exit(127);
    }

    $self->{pids}{$name} = $pid;
}


sub await {
    my ($self, $name) = @_;
    my $pid = $self->{pids}{$name};

    until_true($Limit, sub {
        my $answer = eval { $self->command($name, 'PING') };
        defined $answer && $answer eq 'PONG'
            || waitpid($pid, POSIX::WNOHANG()) != 0;
    });

    return if defined eval { $self->command($name, 'PING') };

    die "$name doesn't answer; its log ends with:\n"
        . join '', (split /^/, slurp("$self->{dir}/$name/log"))[-8 .. -1];
}


# The line of a user, as docs/redis.md shows it with that password.
sub user_line {
    my ($password) = @_;
    my %shown = (secret => block('docs/redis.md', 'redis-cli ACL SETUSER'),
                 hidden => block('docs/redis.md', 'redis-cli -p 26379 ACL'));
    my ($line) = $shown{$password} =~ /SETUSER (im on '>$password' .*)/
        or die "docs/redis.md has no ACL line with >$password\n";

    return join ' ', 'user', shellwords($line);
}


# What a server refused: a list of texts.
sub refusals {
    my ($self) = @_;

    return $self->{acl} ? map {
        my $name = $_;
        map { my %r = @$_; "$name: $r{reason} $r{object} of $r{username}" }
            @{$self->command($name, 'ACL', 'LOG')};
    } $self->running : ();
}


# Slots in equal ranges, as redis-cli --cluster create gives them.
sub form {
    my ($self) = @_;
    my @servers = $self->servers;
    my $masters = $self->{masters};
    my $per = $Slots / $masters;

    for my $i (0 .. $#servers) {
        $self->command($servers[$i], 'CLUSTER', 'SET-CONFIG-EPOCH', $i + 1);
        $self->command($servers[$i], 'CLUSTER', 'ADDSLOTSRANGE',
                       int($i * $per + 0.5), int(($i + 1) * $per + 0.5) - 1)
            if $i < $masters;

        # each knows each at once, without waiting for gossip
        $self->command($servers[$i], 'CLUSTER', 'MEET', '127.0.0.1',
                       $self->port($_), $self->{node}{$_}{bus})
            for @servers[0 .. $i - 1];
    }

    for my $name (@servers) {
        my $master = $self->first_master($name) or next;
        my $id = $self->id($master);

        $self->wait_until($Limit, "$name knows $master", sub {
            eval { $self->command($name, 'CLUSTER', 'REPLICATE', $id) };
        });
    }
}


sub running {
    my ($self) = @_;

    return grep { $self->{pids}{$_} } $self->servers, $self->sentinels;
}


sub signal {
    my ($self, $signal, @names) = @_;

    for my $name (@names) {
        my $pid = $self->{pids}{$name} or die "$name doesn't run\n";
        kill $signal, $pid;
    }
}


sub pause {
    my ($self, @names) = @_;

    $self->{paused}{$_} = 1 for @names;
    $self->signal('STOP', @names);
}


sub resume {
    my ($self, @names) = @_;

    delete @{$self->{paused}}{@names};
    $self->signal('CONT', @names);
}


# All at once: kill -9.
sub crash {
    my ($self, @names) = @_;

    $self->signal('KILL', @names);
    $self->reap($_) for @names;
    delete @{$self->{paused}}{@names};
}


# In good order, each with status 0.
sub stop {
    my ($self, @names) = @_;

    $self->signal('TERM', @names);

    for my $name (@names) {
        my $status = $self->reap($name);
        die "$name ended with $status\n" if $status != 0;
    }
}


sub reap {
    my ($self, $name) = @_;
    my $pid = delete $self->{pids}{$name};

    until_true($Limit, sub { waitpid($pid, POSIX::WNOHANG()) != 0 })
        or die "$name doesn't end\n";

    return $?;
}


# The name of one that has ended by itself.
sub ended {
    my ($self) = @_;

    for my $name ($self->running) {
        next if waitpid($self->{pids}{$name}, POSIX::WNOHANG()) == 0;
        delete $self->{pids}{$name};

        return $name;
    }

    return undef;
}


# With a true value it keeps its folder.
sub end {
    my ($self, $keep) = @_;

    return if $$ != $self->{owner} || $self->{over}++;

    for my $pid (values %{$self->{pids}}) {
        kill 'KILL', $pid;
        waitpid($pid, 0);
    }

    $self->{pids} = {};
    $self->{net}->end if $self->{net};
    File::Path::remove_tree($self->{dir}) if $self->{temporary} && !$keep;
}


# commands, by the unix socket of a server, where no TLS is and no net

# Its answer; dies where that is an error, or where there is none.
sub command {
    my ($self, $name, @args) = @_;
    my ($answer) = $self->commands($name, \@args);

    die "$name: @args[0 .. ($#args > 2 ? 2 : $#args)]: $$answer\n"
        if ref $answer eq 'SCALAR';

    return $answer;
}


# Those of many commands, sent at once; an error is a reference to its text.
sub commands {
    my ($self, $name, @commands) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/$name/sock")
        or die "$name is away\n";
    my $auth = defined $self->{password};

    unshift @commands, [ 'AUTH', $self->{password} ] if $auth;
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "$name is silent\n" };

    my @answers = eval {
        alarm $Limit;
        print $socket map { request(@$_) } @commands;
        my @all = map { reply($name, $socket) } @commands;
        alarm 0;
        @all;
    };
    my $why = $@;

    alarm 0;
    die $why if $why;
    shift @answers if $auth;

    return @answers;
}


sub request {
    return join '', '*' . @_ . "\r\n",
        map { '$' . length($_) . "\r\n$_\r\n" } @_;
}


sub reply {
    my ($name, $socket) = @_;
    my $line = <$socket>;

    die "$name is gone\n" unless defined $line;
    $line =~ s/\r\n\z//;
    my ($type, $rest) = $line =~ /\A(.)(.*)\z/;

    return \$rest if $type eq '-';
    return $rest if $type =~ /[+:]/;
    return undef if $rest < 0;
    return [ map { scalar reply($name, $socket) } 1 .. $rest ]
        if $type eq '*';
    read $socket, my $bytes, $rest + 2;

    return substr $bytes, 0, $rest;
}


# Of the master of a key.
sub by_key {
    my ($self, $key, @args) = @_;

    return $self->command($self->master_of($key), @args);
}


# Of the master of the key that comes first, or, where there is none, of all
# masters: the last answer.  undef: it is away.
sub any {
    my ($self, @args) = @_;
    my $answer;
    my @names = $args[0] =~ $Keyless ? $self->masters
              : eval { $self->master_of($args[1]) };

    $answer = eval { $self->command($_, @args) } for @names;

    return $answer;
}


# All keys like that, of all masters.
sub all_keys {
    my ($self, $match) = @_;
    my @keys;

    for my $name ($self->masters) {
        my $cursor = 0;

        do {
            my $answer = $self->command($name, 'SCAN', $cursor, 'MATCH',
                                        $match, 'COUNT', 1000);
            $cursor = $answer->[0];
            push @keys, @{$answer->[1]};
        } while ($cursor);
    }

    return @keys;
}


# redis-cli, in the background: its pid, for finish()
sub cli {
    my ($self, $log, @args) = @_;
    my $tls = "$self->{dir}/tls";
    my $pid = fork();

    die "fork: $!\n" unless defined $pid;
    return $pid if $pid;

    unshift @args, '--no-auth-warning', '-a', $self->{password}
        if defined $self->{password};
    unshift @args, '--tls', '--cacert', "$tls/ca.pem", '--cert',
        "$tls/client.pem", '--key', "$tls/client.key" if $self->{tls};

    open(STDOUT, '>', $log);
    open(STDERR, '>&', \*STDOUT);
    open(STDIN, '<', '/dev/null');
    exec('setpriv', '--pdeathsig', 'KILL', '--', 'redis-cli', @args)
        or POSIX::_exit(127);
}


sub finish {
    my ($self, $pid, $log) = @_;

    waitpid($pid, 0);
    die "redis-cli: $?: " . substr(slurp($log), -1000) if $?;

    return 1;
}


# states

# A key's slot, as Redis computes it.
sub slot {
    my ($key) = @_;
    my $crc = 0;

    $key = $1 if $key =~ /\A[^{]*\{([^}]+)\}/;

    for my $byte (unpack 'C*', $key) {
        $crc ^= $byte << 8;
        $crc = ($crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1) & 0xffff
            for 1 .. 8;
    }

    return $crc % $Slots;
}


sub id {
    my ($self, $name) = @_;

    return $self->{id}{$name} ||= $self->command($name, 'CLUSTER', 'MYID');
}


# What a server says: role, and as a master of which slots, in which epoch.
sub says {
    my ($self, $name) = @_;

    if ($self->{kind} ne 'cluster') {
        my $role = eval { $self->command($name, 'ROLE') } or return undef;
        return { role => $role->[0], slots => [ [ 0, $Slots - 1 ] ],
                 epoch => 0 };
    }

    my $nodes = eval { $self->command($name, 'CLUSTER', 'NODES') };
    my ($line) = ($nodes || '') =~ /^(.*\bmyself\b.*)$/m or return undef;
    my (undef, undef, $flags, undef, undef, undef, $epoch, undef, @slots)
        = split ' ', $line;

    return { role => $flags =~ /master/ ? 'master' : 'slave', epoch => $epoch,
             slots => [ map { [ /\A(\d+)(?:-(\d+))?\z/
                                ? ($1, defined $2 ? $2 : $1) : () ] }
                        grep { !/\A\[/ } @slots ] };
}


# The masters that own something, by what the servers that run say; of two that
# claim a slot, the one of the higher epoch.  Under Sentinel: what the
# sentinels say.
sub masters {
    my ($self) = @_;

    return grep { defined } $self->announced if $self->{kind} eq 'sentinel';

    my %owner = map { $_ => 1 } $self->owners;

    delete $owner{''};

    return grep { $owner{$_} } $self->servers;
}


# Of each slot; '' where it has none that runs.
sub owners {
    my ($self) = @_;
    my @owners = ('') x $Slots;
    my @epochs = (-1) x $Slots;

    for my $name (grep { $self->{pids}{$_} && !$self->{paused}{$_} }
                  $self->servers)
    {
        my $says = $self->says($name) or next;

        next if $says->{role} ne 'master';

        for my $range (@{$says->{slots}}) {
            for my $slot ($range->[0] .. $range->[1]) {
                next if $epochs[$slot] >= $says->{epoch};
                ($owners[$slot], $epochs[$slot]) = ($name, $says->{epoch});
            }
        }
    }

    return @owners;
}


sub master_of {
    my ($self, $key) = @_;
    my $slot = slot($key);

    if ($self->{kind} eq 'sentinel') {
        return $self->announced || die "the sentinels name no master\n";
    }

    for my $try (1 .. 2) {
        my $cached = $self->{owners} ||= [ $self->owners ];
        my $name = $cached->[$slot];
        my $says = $name && $self->{pids}{$name} && $self->says($name);

        return $name if $says && $says->{role} eq 'master'
            && grep { $_->[0] <= $slot && $slot <= $_->[1] }
               @{$says->{slots}};
        delete $self->{owners};
    }

    die "no master of slot $slot\n";
}


# Which server the sentinels name: the answer of the highest epoch.  The
# sentinel that leads a failover has the new epoch some time before
# SENTINEL MASTER has the new address.
sub announced {
    my ($self) = @_;
    my ($best, $name) = (-1);

    for my $sentinel (grep { $self->{pids}{$_} && !$self->{paused}{$_} }
                      $self->sentinels)
    {
        my ($master, $address) = eval {
            $self->commands($sentinel, [ 'SENTINEL', 'MASTER', $Master ],
                            [ 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', $Master ])
        };

        next unless ref $master eq 'ARRAY' && ref $address eq 'ARRAY';

        my %master = @$master;

        next if $master{'config-epoch'} <= $best;
        $best = $master{'config-epoch'};
        ($name) = grep { $self->port($_) == $address->[1] } $self->servers;
    }

    return $name;
}


sub sentinel {
    my ($self, $name) = @_;
    my $answer = eval { $self->command($name, 'SENTINEL', 'MASTER', $Master) }
        or return undef;

    return { @$answer };
}


# The servers that replicate a master now.
sub replicas_of {
    my ($self, $master) = @_;
    my $port = $self->port($master);

    return grep {
        my $role = $self->{pids}{$_} && !$self->{paused}{$_}
            && eval { $self->command($_, 'ROLE') };
        $role && $role->[0] eq 'slave' && $role->[2] == $port;
    } $self->servers;
}


# Why it isn't whole yet; '' when all that runs agrees, each slot has a
# master, and each replica has all of its master's data.
sub unhealed {
    my ($self) = @_;
    my @servers = grep { /\Aredis/ && !$self->{paused}{$_} } $self->running;
    my %slaves;

    for my $name (@servers) {
        my $role = eval { $self->command($name, 'ROLE') }
            or return "$name is away";

        if ($role->[0] eq 'slave') {
            return "$name: $role->[3]" if $role->[3] ne 'connected';
            $slaves{$role->[2]}++;
        }

        my $why = $self->{kind} eq 'cluster' && $self->unhealed_node($name);
        return $why if $why;
    }

    return $self->unhealed_sentinels(\%slaves)
        if $self->{kind} eq 'sentinel';

    return $self->{kind} eq 'cluster' && grep({ $_ eq '' } $self->owners)
        ? 'a slot has no master' : '';
}


sub unhealed_node {
    my ($self, $name) = @_;
    my $info = $self->command($name, 'CLUSTER', 'INFO');
    my $nodes = $self->command($name, 'CLUSTER', 'NODES');
    my $away = keys(%{$self->{node}}) - $self->running;

    return "$name: the cluster is down" if $info !~ /cluster_state:ok/;
    return "$name: slots are not assigned"
        if $info !~ /cluster_slots_assigned:$Slots\b/;
    return "$name: a node is unknown"
        if (() = $nodes =~ /^\S+ 127/mg) != keys %{$self->{node}};
    return "$name: a node is down"
        if (() = $nodes =~ /\bfail\b|fail\?|handshake|noaddr/g) > $away;

    return '';
}


sub unhealed_sentinels {
    my ($self, $slaves) = @_;
    my @sentinels = grep { /\As/ && !$self->{paused}{$_} } $self->running;
    my $master = $self->announced or return 'the sentinels name no master';
    my $replicas = grep { $_ ne $master } grep { /\Aredis/ } $self->running;

    return "$master is away" unless $self->{pids}{$master};
    return 'a replica follows another' if $replicas
        != ($slaves->{$self->port($master)} || 0)
           + grep { /\Aredis/ && $self->{paused}{$_} } $self->running;

    for my $name (@sentinels) {
        my $says = $self->sentinel($name) or return "$name is away";

        return "$name: another master"
            if $says->{port} != $self->port($master);
        return "$name: $says->{flags}" if $says->{flags} ne 'master';
        return "$name: it sees $says->{'num-slaves'} replicas"
            if $says->{'num-slaves'} < $replicas;
        return "$name: it sees $says->{'num-other-sentinels'} others"
            if $says->{'num-other-sentinels'} < @sentinels - 1;

        for my $answer (@{$self->command($name, 'SENTINEL', 'REPLICAS',
                                         $Master)})
        {
            my %replica = @$answer;
            return "$name: a replica is not seen as one"
                if $replica{'role-reported'} ne 'slave';
        }
    }

    return '';
}


sub until_healed {
    my ($self, $seconds) = @_;
    my $why;

    until_true($seconds || $Limit, sub { ($why = $self->unhealed) eq '' })
        or die "Redis isn't whole: $why\n";

    delete $self->{owners};

    return 1;
}


sub wait_until {
    my ($self, $seconds, $what, $code) = @_;

    until_true($seconds, $code) or die "not within $seconds s: $what\n";

    return 1;
}


# Another server than that is master of its slots.
sub until_replaced {
    my ($self, $name, $seconds) = @_;

    if ($self->{kind} eq 'sentinel') {
        return $self->wait_until($seconds || $Limit, "another than $name is announced",
            sub { my $now = $self->announced; defined $now && $now ne $name });
    }

    my @slots = @{$self->{owned}{$name} || []}
        or die "owned($name) was not asked before\n";

    return $self->wait_until($seconds || $Limit, "another than $name has its slots",
        sub {
            my @owners = $self->owners;
            !grep { $owners[$_] eq '' || $owners[$_] eq $name } @slots;
        });
}


# The slots of a master, which until_replaced() looks at later.
sub owned {
    my ($self, $name) = @_;
    my @owners = $self->owners;

    return @{$self->{owned}{$name} = [ grep { $owners[$_] eq $name }
                                       0 .. $#owners ]};
}


# changes

# A planned failover to a replica, by default to one of a master: in a cluster
# with FORCE or TAKEOVER, where wanted; else by the sentinels.
sub failover {
    my ($self, $name, @how) = @_;

    if ($self->{kind} eq 'sentinel') {
        my ($sentinel) = grep { /\As/ && !$self->{paused}{$_} } $self->running;
        return $self->command($sentinel, 'SENTINEL', 'FAILOVER', $Master);
    }

    return $self->command($name, 'CLUSTER', 'FAILOVER', @how);
}


# N slots by redis-cli, in the background: finish() with the answer.
sub reshard {
    my ($self, $from, $to, $n, @options) = @_;
    my $log = "$self->{dir}/reshard.log";
    my $pid = $self->cli($log, '--cluster', 'reshard', $self->address($from),
                         '--cluster-from', $self->id($from), '--cluster-to',
                         $self->id($to), '--cluster-slots', $n,
                         '--cluster-yes', @options);

    return ($pid, $log);
}


sub cli_reshard {
    my ($self, @args) = @_;

    return $self->finish($self->reshard(@args));
}


# One slot by hand, in three steps; between them it is half here, half there.
sub move_begin {
    my ($self, $slot, $from, $to) = @_;

    $self->command($to, 'CLUSTER', 'SETSLOT', $slot, 'IMPORTING',
                   $self->id($from));
    $self->command($from, 'CLUSTER', 'SETSLOT', $slot, 'MIGRATING',
                   $self->id($to));
}


# At most N keys; how many it were.
sub move_keys {
    my ($self, $slot, $from, $to, $n) = @_;
    my $keys = $self->command($from, 'CLUSTER', 'GETKEYSINSLOT', $slot, $n);

    return 0 unless @$keys;

    # servers reach each other by the net, where there is one
    $self->command($from, 'MIGRATE', '127.0.0.1', $self->port($to), '', 0,
                   5000, defined $self->{password}
                   ? ('AUTH', $self->{password}) : (), 'KEYS', @$keys);

    return scalar @$keys;
}


sub move_end {
    my ($self, $slot, $from, $to) = @_;

    # first where it goes to, so that it never has no owner
    $self->command($_, 'CLUSTER', 'SETSLOT', $slot, 'NODE', $self->id($to))
        for $to, $from, grep { $_ ne $to && $_ ne $from } $self->masters;
    delete $self->{owners};
}


sub move_slot {
    my ($self, $slot, $from, $to) = @_;

    $self->move_begin($slot, $from, $to);
    1 while $self->move_keys($slot, $from, $to, 100);
    $self->move_end($slot, $from, $to);
}


# No server has that slot.  A packet of its owner that was under way may bring it
# back to a server that has deleted it, so they are asked until two rounds found
# it nowhere.
sub unassign {
    my ($self, $slot) = @_;
    my $rounds = 0;

    $self->wait_until($Limit, "slot $slot has no owner", sub {
        my @had = grep {
            my ($answer) = $self->commands($_, [ 'CLUSTER', 'DELSLOTS', $slot ]);
            ref $answer ? 0 : 1;
        } $self->servers;

        $rounds = @had ? 0 : $rounds + 1;
        return $rounds >= 2;
    });
    delete $self->{owners};
}


# Of a net: what is in different groups doesn't reach each other; what isn't
# named reaches all.  Names are of servers, sentinels and Test::Im::Net's
# sources.
sub part {
    my ($self, @groups) = @_;

    $self->{net}->part(@groups);
}


sub mend {
    my ($self) = @_;

    $self->{net}->part;
}


sub until_true {
    my ($limit, $code) = @_;
    my $end = time() + $limit;

    while (1) {
        return 1 if $code->();
        return 0 if time() > $end;
        sleep(0.02);
    }
}


1;
