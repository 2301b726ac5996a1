# Copyright (C) The im authors
#
# What is measured: the floor, im and its peers.  Each is a few processes on the
# core that is the servers'.

import contextlib
import functools
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from stack import Stack, children, cpu, memory, pin, top

NCHAN = '/usr/lib/nginx/modules/ngx_nchan_module.so'
CENTRIFUGO = top + '/build/peers/centrifugo'
SECRET = 'a secret of this measurement alone'

# the servers' core, and the other one's
CORES = sorted(os.sched_getaffinity(0))
SERVERS, CLIENTS = CORES[:1], CORES[-1:]

# what a worker may have open; of two, one may get nearly all clients
FILES = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20000)

FIRST = int(os.environ.get('IM_PORTS', 0))
ports = list(range(FIRST, FIRST + 19))


class Absent(Exception):
    """Something that this machine doesn't have, and why."""


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(('127.0.0.1', port)) == 0


def until(happens, otherwise, process=None):
    end = time.monotonic() + 30

    while not happens():
        if process and process.poll() is not None or time.monotonic() > end:
            raise Absent(otherwise)

        time.sleep(0.02)


class System:
    """groups has the first process of each kind; options are im_load's."""

    holds = 'nginx'

    def __init__(self, title, workers=1):
        self.title = title
        self.workers = workers
        self.processes = []
        self.groups = {}
        self.ports = []
        self.dir = tempfile.mkdtemp(prefix='im-bench-')
        self.port = self.new_port()

    def new_port(self, n=1):
        """The first of n ports."""

        first = next(port for port in sorted(ports)
                     if all(port + i in ports for i in range(n)))

        for port in range(first, first + n):
            ports.remove(port)
            self.ports.append(port)

        return first

    def run(self, group, port, *command):
        """Starts a process, and waits until it listens."""

        with open('%s/%s.log' % (self.dir, group), 'ab') as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=lambda: os.sched_setaffinity(0, SERVERS))

        self.processes.append(process)

        try:
            until(lambda: listens(port), command[0] + ' does not start', process)
        except Absent as e:
            with open(log.name) as f:
                raise Absent('%s: %s' % (e, f.read()[-500:].strip()))

        self.groups[group] = [process.pid]

    def run_redis(self):
        port = self.new_port()
        self.run('redis', port, 'redis-server', '--port', str(port), '--bind',
                 '127.0.0.1', '--dir', self.dir, '--save', '', '--appendonly',
                 'yes', '--client-output-buffer-limit',
                 'pubsub 256mb 64mb 60')

        return port

    def write(self, name, text):
        with open(self.dir + '/' + name, 'w') as f:
            f.write(text)

        return f.name

    def pids(self, group):
        """With their workers."""

        return [pid for first in self.groups[group]
                for pid in [first] + children(first)]

    def cpu(self):
        """us of each kind of process."""

        return {group: cpu(self.pids(group)) for group in self.groups}

    def memory(self):
        """Bytes of the processes that hold clients."""

        return memory(self.pids(self.holds))

    def settle(self):
        """Waits until what clients left behind when they went is done."""

        end = time.monotonic() + 10
        before = sum(self.cpu().values())

        while time.monotonic() < end:
            time.sleep(0.1)
            now = sum(self.cpu().values())

            if now - before < 3000:
                return

            before = now

    @contextlib.contextmanager
    def on(self, cores, turns=False):
        """Meanwhile its processes are on other cores."""

        self.pin(cores, turns)

        try:
            yield
        finally:
            self.pin(SERVERS, False)

    def pin(self, cores, turns):
        for group in self.groups:
            pin(self.pids(group), cores, turns)

    def end(self):
        for process in self.processes[::-1]:
            process.send_signal(signal.SIGTERM)
            process.wait()

        shutil.rmtree(self.dir, ignore_errors=True)
        ports.extend(self.ports)


class Floor(System):
    """One send for each delivery and nothing else."""

    holds = 'floor'

    def __init__(self, title='floor', workers=1, coalesced=False, uring=False):
        super().__init__(title, workers)
        self.flags = ['--coalesced'] * coalesced + ['--uring'] * uring

    def start(self):
        self.run('floor', self.port, top + '/build/bench/im_floor',
                 '--port=%d' % self.port, '--workers=%d' % self.workers,
                 *self.flags)

    def options(self, **how):
        return {'protocol': 'floor'}


class Im(System):
    RULES = '''
    im_room * history=100 ttl=1h;
    im_inbox history=100 ttl=1h;
    im_broadcast history=100 ttl=1h;
    im_ping 20m timeout=50m;
'''
    HTTP = '''
    im_per_address off;
    im_limit handshakes=0 unauthenticated=0 sessions=0 new_rooms=0
             guest_rooms=0 auth_timeout=120s %s;
    im_jwt_key HS256 file=%s;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
'''
    SERVER = '''
        location = /im { im_comet protocol=im; im_auth none; }
        location = /ping {
            im_comet protocol=im; im_auth none; im_ping 1s timeout=60s;
        }
        location = /im_user { im_comet protocol=im; im_auth jwt; }
        location = /centrifuge { im_comet protocol=centrifuge; im_auth none; }
        location = /centrifuge_user {
            im_comet protocol=centrifuge; im_auth jwt;
        }
'''

    def __init__(self, title='im', workers=1, build='build', limit='', nodes=1,
                 sndbuf='', uring=None, **options):
        super().__init__(title, workers)
        self.nodes = ['nginx']

        if nodes > 1:
            self.nodes = ['nginx%d' % (i + 1) for i in range(nodes)]
            self.port = self.new_port(nodes)

        self.build = os.path.join(top, build)
        self.limit = limit
        self.uring = uring
        self.more = options

        if sndbuf:
            options['listen'] = 'listen 127.0.0.1:%d sndbuf=%s' % (self.port,
                                                                   sndbuf)

    def start(self):
        # with t/stack and conf/ of the clone that the build is of
        self.stack = Stack(os.path.dirname(self.build), SERVERS, **dict({
            'build': self.build, 'port': self.port, 'workers': self.workers,
            'nodes': self.nodes, 'access': 0, 'level': 'warn', 'backlog': 4096,
            'connections': FILES - 200,
            'main': 'worker_rlimit_nofile %d;\n' % FILES,
            'rules': self.RULES, 'server': self.SERVER,
            'http': self.HTTP % (self.limit, self.write('key', SECRET))
                    + self.io_uring(),
        }, **self.more))
        pids = self.stack.pids
        self.groups = {name: [pids[name]] for name in ('redis', 'logic', 'job')}
        self.groups['nginx'] = [pids[name] for name in self.nodes]

    def io_uring(self):
        """A build from before im_io_uring is as with "off"."""

        with open(self.build + '/ngx_im_module.so', 'rb') as f:
            known = b'im_io_uring' in f.read()

        return '    im_io_uring %s;\n' % self.uring \
            if self.uring and known else ''

    def options(self, protocol='im', users=False, **how):
        options = {'protocol': protocol,
                   'path': '/' + protocol + '_user' * users}

        if users:
            options['jwt-secret'] = SECRET

        return options

    def redis(self, *command):
        return subprocess.run(
            ['redis-cli', '-s', self.stack.dir + '/redis.sock', *command],
            capture_output=True, text=True, check=True).stdout

    def end(self):
        if self.groups:
            self.stack.end()

        super().end()


class Nchan(System):
    CONF = '''
load_module %(module)s;
%(user)sworker_processes %(workers)d;
worker_rlimit_nofile %(files)d;
pid nginx.pid;
error_log error.log warn;
events { worker_connections %(connections)d; }
http {
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
    nchan_shared_memory_size 512m;
    %(upstream)s
    server {
        listen 127.0.0.1:%(port)d backlog=4096;
        location = /sub {
            nchan_subscriber websocket;
            nchan_channel_id $arg_id;
            nchan_subscriber_first_message newest;
            nchan_message_buffer_length 100;
            %(redis)s
        }
        location = /pub {
            nchan_publisher http;
            nchan_channel_id $arg_id;
            nchan_message_buffer_length 100;
            nchan_message_timeout 1h;
            %(redis)s
        }
    }
}
'''

    def __init__(self, title='nchan', workers=1, redis=False):
        super().__init__(title, workers)
        self.redis = redis

    def start(self):
        if not os.path.exists(NCHAN):
            raise Absent('nchan is not installed (libnginx-mod-nchan)')

        self.write('nginx.conf', self.CONF % {
            'module': NCHAN, 'user': 'user root;\n' * (os.getuid() == 0),
            'workers': self.workers, 'files': FILES, 'port': self.port,
            'connections': FILES - 200,
            'upstream': 'upstream nchan_redis { nchan_redis_server '
                        'redis://127.0.0.1:%d; }' % self.run_redis()
                        if self.redis else '',
            'redis': 'nchan_redis_pass nchan_redis;' * self.redis})
        # its module is for Debian's nginx
        self.run('nginx', self.port, '/usr/sbin/nginx', '-p', self.dir, '-c',
                 self.dir + '/nginx.conf', '-e', self.dir + '/error.log',
                 '-g', 'daemon off;')
        until(self.accepts, 'nchan accepts nothing')

    def accepts(self):
        try:
            return urllib.request.urlopen(
                'http://127.0.0.1:%d/pub?id=ready' % self.port, b'0',
                timeout=2).status
        except OSError:
            return None     # no link to Redis yet: it refuses, or never answers

    def options(self, **how):
        return {'protocol': 'nchan'}


class Centrifugo(System):
    holds = 'centrifugo'

    def __init__(self, title='Centrifugo', workers=1, redis=False):
        super().__init__(title, workers)
        self.redis = redis

    def start(self):
        if not os.path.exists(CENTRIFUGO):
            raise Absent('Centrifugo is not there: `make bench-peers` builds '
                         'it where Go is installed')

        conf = {
            'http_server': {'address': '127.0.0.1', 'port': str(self.port)},
            'client': {'allow_anonymous_connect_without_token': True,
                       'allowed_origins': ['*']},
            'http_api': {'insecure': True},
            'log': {'level': 'warn'},
            'channel': {'without_namespace': {
                'history_size': 100, 'history_ttl': '1h',
                'allow_subscribe_for_client': True,
                'allow_subscribe_for_anonymous': True}},
        }

        if self.redis:
            conf['engine'] = {'type': 'redis', 'redis': {
                'address': 'redis://127.0.0.1:%d' % self.run_redis()}}

        self.run('centrifugo', self.port, CENTRIFUGO, '--config',
                 self.write('config.json', json.dumps(conf)))

    def options(self, **how):
        return {'protocol': 'centrifugo'}


# by title, and which options of a row concern them
KINDS = {
    'floor': (Floor, ('workers', 'coalesced')),
    'floor, io_uring': (functools.partial(Floor, uring=True), ('workers',)),
    'im': (Im, ('workers', 'build', 'limit', 'sndbuf', 'nodes', 'uring')),
    'nchan': (Nchan, ('workers',)),
    'nchan + Redis': (functools.partial(Nchan, redis=True), ('workers',)),
    'Centrifugo': (Centrifugo, ()),
}
