#!/usr/bin/python3
"""Copyright (C) The im authors

Fuzzes the running service over its sockets: every client protocol on every
transport, the handshake, im_logic's FastCGI and HTTP listeners, what nginx
passes to it, and what workers read from Redis.

    t/slot python3 t/fuzz/live.py [--seconds=20] [--seed=N] [--first=I]
                                  [--only=I]

A session is a valid conversation that is mutated: its values, its frames, its
packets.  It depends on the seed and its number alone: --only=I runs session I
of a seed again, --first=I all from I on.  A finding is a process that ends, a
report of a sanitizer, an [alert] line, a good client that gets no message, or
what workers hold for sessions that are gone.  Prints TAP.
"""

import argparse
import base64
import collections
import errno
import glob
import hashlib
import hmac
import json
import os
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
import zlib

top = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

SECRET = '0123456789abcdef0123456789abcdef'
TOKEN = '0123456789abcdef0123456789abcdef'
THREADS = 8
RELOAD = 30             # s
GONE = 60               # s: sessions are gone, and what is held for them
LOOK = 1                # s: findings are looked for

HTTP = """
    im_jwt_key HS256 file={dir}/secret;
    im_deflate on min=64;
    im_per_address sessions=300 pending=300;
    map $request_id $answer {{
        ~^[01] '{{"result":{{"user":"u1","channels":["1","y:1","u:3"]}}}}';
        ~^[23] '{{"result":{{"data":{{"a":1}},"expire_at":1}}}}';
        ~^4    '{{"error":{{"code":1000,"message":"no"}}}}';
        ~^5    '{{"disconnect":{{"code":4000,"reason":"bye"}}}}';
        ~^6    '{{}}';
        ~^7    '{{"result":{{"b64data":"e30=","info":[1],"user":7}}}}';
        ~^8    '{{"result":{{"subs":{{"1":{{"info":{{}},"expire_at":9}}}}}}}}';
        ~^9    '<html>no';
        ~^a    '';
        ~^b    '{{"result":{{"data":{{"a":';
        ~^c    '{{"result":null}}';
        default '{{"result":{{}}}}';
    }}
"""

HOOKS = ('connect', 'subscribe', 'publish', 'rpc', 'refresh', 'sub_refresh')

SERVER = """
        im_auth   mid;
        im_listen 127.0.0.1:{tcp} protocol=goim;
        location = /hook {{
            internal;
            default_type application/json;
            return 200 $answer;
        }}
        location = /im-none {{ im_comet protocol=im; im_auth none; }}
        location = /im-token {{
            im_comet protocol=im; im_auth token; im_connect /im_connect;
        }}
        location = /im-jwt {{ im_comet protocol=im; im_auth jwt; }}
        location = /cf-none {{
            im_comet protocol=centrifuge; im_auth none;
            im_connect /im_connect;
        }}
        location = /cf-token {{
            im_comet protocol=centrifuge; im_auth token;
            im_connect /im_connect;
        }}
        location = /cf-jwt {{
            im_comet protocol=centrifuge; im_auth jwt;
            im_connect /im_connect;
        }}
        location = /cf-hook {{
            im_comet protocol=centrifuge; im_auth none;
            im_connect /im_connect;
            {hooks}
        }}
        location = /cf-all {{
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth jwt; im_connect /im_connect;
        }}
        location = /cf-open {{
            im_comet protocol=centrifuge transport=sse,http_stream;
            im_auth none; im_connect /im_connect;
        }}
        location = /cf-asked {{
            im_comet protocol=centrifuge transport=sse,http_stream;
            im_auth none; im_connect /im_connect;
            {hooks}
        }}
        location = /uni-none {{
            im_comet protocol=centrifuge_uni; im_auth none;
        }}
        location = /uni-jwt {{
            im_comet protocol=centrifuge_uni; im_auth jwt;
        }}
        location = /goim-none {{ im_comet protocol=goim; im_auth none; }}
        location = /goim-mid {{ im_comet protocol=goim; }}
        location = /goim-token {{
            im_comet protocol=goim; im_auth token; im_connect /im_connect;
        }}
        location = /plain {{
            im_comet protocol=plain; im_auth none; im_join $arg_room;
            im_connect /im_connect;
        }}
        location = /plain-jwt {{
            im_comet protocol=plain; im_auth jwt; im_join 1 $arg_room;
            im_connect /im_connect; im_webhook publish /hook;
        }}
        location = /emulation {{ im_emulation; }}
        location /goim/ {{ fastcgi_pass im_logic; include im_params; }}
        location = /echo {{ im_comet protocol=echo; }}
        location = /status {{ im_status; }}
"""

RULES = """
    im_room member:* history=20 ttl=1h presence publish=member;
    im_room user:*   history=20 ttl=1h presence join=user publish=user;
    im_room plain:*  history=0;
    im_room live://* history=0;
    im_room open:*   history=5 ttl=1h presence publish=anyone join_leave=all
                     history_for=anyone presence_for=anyone recovery=latest;
    im_room *        history=50 ttl=1h presence publish=member namespace=none;
    im_room *        history=50 ttl=1h presence publish=member;
    im_inbox         history=20 ttl=1h;
    im_broadcast     history=20 ttl=1h;
"""

# values that decoders get wrong
ODD = (None, True, False, 0, -1, 1, 2**31 - 1, -2**31, 2**32, 2**53 + 1,
       2**63 - 1, 2**64, -2**63 - 1, 1.5, 1e308, '', ' ', '#', '#u1', '$x',
       '*', '\0', '\ud800', '\u202e', 'a' * 255, 'b' * 256, 'c' * 70000,
       '{1}', ':k:', '../x', '%2e', [], {}, [[]], {'': {}}, [None] * 300,
       {'data': {'msg': 1}})
TEXT = (b'\0', b'\xff', b'\xc3', b'\xed\xa0\x80', b'"', b'\\', b'\\u0000',
        b'\\ud800', b'{', b'}', b'[', b']', b',', b':', b'\n', b'\r\n',
        b'-', b'1e999', b'99999999999999999999', b'null', b'[' * 500,
        b'{"a":' * 200, b' ' * 5000, b'\xf0\x9f\x98\x80')


UPGRADE = ('Upgrade: websocket', 'Connection: Upgrade')

# what of a worker must be 0 when there are no sessions
HELD = ('sessions', 'unauthenticated', 'users', 'topics')
SPARE = 2 * 16 * 16384  # bytes of log_bytes that two workers keep for reuse

# the secret name of a session and its node, in JSON and in Protobuf
NAMES = re.compile(rb'([0-9a-f]{64}).{1,12}?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}'
                   rb'-[0-9a-f]{12})', re.S)


def schema():
    """{MESSAGE: {FIELD: (number, type)}}"""
    with open(top + '/im_core/im_proto_centrifuge.proto') as f:
        messages = re.findall(r'^message (\w+) \{(.*?)^\}', f.read(),
                              re.M | re.S)

    return {name: {field: (int(number), kind) for kind, field, number in
                   re.findall(r'(\w+) (\w+) = (\d+);', body)}
            for name, body in messages}


SCHEMA = schema()

# which message the bytes of a command are
COMMANDS = dict({name: 'ChannelRequest' for name in (
    'unsubscribe', 'presence', 'presence_stats')}, send='RpcRequest', **{
        name: ''.join(w.capitalize() for w in name.split('_')) + 'Request'
        for name in ('connect', 'subscribe', 'publish', 'history', 'rpc',
                     'refresh', 'sub_refresh')})


def varint(n):
    n &= 2**64 - 1
    out = b''

    while n > 127:
        out += bytes((n & 127 | 128,))
        n >>= 7

    return out + bytes((n,))


def sign(claims, alg='HS256', secret=SECRET):
    def part(b):
        return base64.urlsafe_b64encode(b).rstrip(b'=').decode()

    body = part(json.dumps({'alg': alg, 'typ': 'JWT'}).encode()) + '.' \
        + part(json.dumps(claims).encode())
    mac = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()

    return body + '.' + part(mac)


class Fuzz:
    """One conversation, by its own random numbers."""

    def __init__(self, seed, number, world):
        self.r = random.Random('%s:%d' % (seed, number))
        self.world = world
        self.proto = False
        self.query = None

    def chance(self, p):
        return self.r.random() < p

    # values

    def value(self, v, p):
        """Some of the members are others, are there twice, or are gone."""
        r = self.r

        if isinstance(v, dict):
            out = {}
            for k, x in v.items():
                if self.chance(p / 4):
                    continue
                if self.chance(p / 4):
                    k = r.choice((k.upper(), k + 'x', '', 'connect', 'id',
                                  'data', 'recover', 'offset', 'channel'))
                out[k] = self.value(x, p)
            if self.chance(p / 3):
                out[r.choice(('subs', 'flag', 'type', 'delta', 'tf', 'since',
                              'epoch', 'offset', 'recover', 'token', 'data',
                              'roomId', 'auth', 'seq'))] = r.choice(ODD)
            return out

        if isinstance(v, list):
            return [self.value(x, p) for x in v] * r.choice((1, 1, 1, 2))

        return r.choice(ODD) if self.chance(p) else v

    def text(self, b, p):
        """Some of the bytes are others."""
        r = self.r
        b = bytearray(b)

        while self.chance(p):
            at = r.randrange(len(b) + 1)
            what = r.randrange(5)
            if what == 0 and b:
                b[at - 1] ^= 1 << r.randrange(8)
            elif what == 1:
                b[at:at] = r.choice(TEXT)
            elif what == 2:
                del b[at:at + r.randrange(1, 9)]
            elif what == 3:
                b[at:at] = b[r.randrange(len(b) + 1):][:40]
            else:
                b = b[:at]

        return bytes(b)

    def json(self, v, p=0.06):
        b = json.dumps(self.value(v, p if self.chance(0.6) else 0),
                       ensure_ascii=self.chance(0.5),
                       separators=(',', ':')).encode('utf-8', 'surrogatepass')

        return self.text(b, 0.3 if self.chance(0.3) else 0)

    def field(self, message, name, v):
        """Of Protobuf: name and value, often with the type that it has."""
        r = self.r
        number, kind = SCHEMA.get(message, {}).get(
            name, (r.choice((0, 1, 2, 4, 15, 16, 2**29 - 1)), ''))

        if message == 'Command':
            kind = COMMANDS.get(name, kind)
        if v is None:
            return b''
        if isinstance(v, list):
            return b''.join(self.field(message, name, x) for x in v)
        if isinstance(v, dict) and kind.endswith('Entry'):
            return b''.join(
                varint(number << 3 | 2) + varint(len(b)) + b
                for b in (self.fields(kind, {'key': k, 'value': x})
                          for k, x in v.items()))
        if isinstance(v, float):
            return varint(number << 3 | 1) + struct.pack('<d', v)
        if isinstance(v, int) and (kind != 'bytes' or self.chance(0.2)):
            return varint(number << 3) + varint(v)

        if isinstance(v, dict) and kind in SCHEMA:
            b = self.fields(kind, v)
        elif isinstance(v, str):
            b = v.encode('utf-8', 'surrogatepass')
        else:
            b = json.dumps(v).encode()

        n = len(b)
        if self.chance(0.005):
            n = r.choice((0, 2**31, 2**64 - 1))

        return varint(number << 3 | 2) + varint(n) + b

    def fields(self, message, v):
        return b''.join(self.field(message, k, x) for k, x in v.items())

    def pb(self, v, message='Command', p=0.06):
        v = self.value(v, p if self.chance(0.6) else 0)

        return self.text(self.fields(message, v),
                         0.3 if self.chance(0.2) else 0)

    def join(self, messages, proto):
        """Several commands: behind their lengths, or in lines."""
        if not proto:
            return b'\n'.join(self.json(m) for m in messages)

        out = b''
        for b in (self.pb(m) for m in messages):
            n = len(b) if not self.chance(0.01) else self.r.choice(
                (0, len(b) + 1, 2**31, 2**64 - 1))
            out += varint(n) + b

        return out

    # conversations: lists of (opcode, payload)

    def room(self):
        return self.r.choice(('1', '2', 'member:1', 'user:1', 'plain:1',
                              'open:1', '$x', '#u1', 'live://1',
                              'new:%d' % self.r.randrange(10**6)))

    def jwt(self):
        r = self.r
        claims = {'sub': 'u%d' % r.randrange(3), 'info': {'name': 'Ann'},
                  'exp': int(time.time()) + r.choice((-10, 1, 60, 60, 60)),
                  'channels': ['1'], 'meta': {}, 'nbf': 0,
                  'subs': {'2': {'info': {}, 'override': {}}}}
        token = sign(self.value(claims, 0.1),
                     r.choice(('HS256',) * 9 + ('none',)),
                     SECRET if self.chance(0.9) else 'x')

        return token if self.chance(0.8) \
            else self.text(token.encode(), 0.5).decode('latin-1')

    def token(self, path):
        if path.endswith('jwt'):
            return self.jwt()
        return self.r.choice((TOKEN, TOKEN, '', 'unknown', None))

    def im(self, path):
        first = {'auth': self.token(path), 'roomId': self.r.randrange(4)}

        if self.chance(0.5):
            first['seq'] = self.r.randrange(30)
            first['epoch'] = self.r.choice(self.world.epochs)

        return [(1, self.json(first))] + [
            (self.r.choice((1, 2)), self.json({'msg': 'x'}))
            for _ in range(self.r.randrange(3))]

    def command(self, n, path):
        r = self.r
        room = self.room()
        name = r.choice(('subscribe', 'subscribe', 'unsubscribe', 'publish',
                         'presence', 'presence_stats', 'history', 'ping',
                         'rpc', 'send', 'refresh', 'sub_refresh', 'connect'))
        body = {'channel': room}

        if name == 'subscribe':
            if self.chance(0.5):
                body.update(recover=True, offset=r.randrange(30),
                            epoch=r.choice(self.world.epochs))
            if room == '$x':
                body['token'] = sign({'sub': 'u1', 'channel': '$x',
                                      'exp': int(time.time()) + 60})
            body.update(r.choice(({}, {'join_leave': True}, {'flag': 2},
                                  {'positioned': True})))
        elif name == 'publish':
            body['data'] = {'msg': 'x' * r.choice((1, 100, 5000))}
        elif name == 'history':
            body.update(limit=r.choice((-1, 0, 1, 300)),
                        reverse=self.chance(0.5))
            if self.chance(0.5):
                body['since'] = {'offset': r.randrange(30),
                                 'epoch': r.choice(self.world.epochs)}
        elif name in ('rpc', 'send'):
            body = {'method': 'm', 'data': {'a': 1}}
        elif name in ('refresh', 'sub_refresh'):
            body['token'] = self.jwt()

        return {name: body, 'id': n}

    def centrifuge(self, path):
        r = self.r
        connect = {'connect': {'token': self.token(path), 'name': 'js',
                               'version': '1', 'data': {}}, 'id': 1}

        if self.chance(0.4):
            connect['connect']['subs'] = {
                r.choice(('#', '#u1', '#u2', '1')): {
                    'recover': True, 'offset': r.randrange(9),
                    'epoch': r.choice(self.world.epochs)}}

        commands = [connect] + [self.command(n + 2, path)
                                for n in range(r.randrange(8))]
        if self.chance(0.05):
            commands = commands * 20

        self.proto = self.chance(0.4)
        out, line = [], []
        for c in commands:
            line.append(c if not self.chance(0.03) else {})
            if self.chance(0.6):
                out.append((2 if self.proto else 1,
                            self.join(line, self.proto)))
                line = []

        return out + [(r.choice((1, 1, 2)), self.join(line, self.proto))]

    def uni(self, path):
        subs = {self.room(): r for r in ({}, {
            'recover': True, 'offset': self.r.randrange(9),
            'epoch': self.r.choice(self.world.epochs)})}
        first = {'token': self.token(path), 'name': 'u', 'data': {},
                 'subs': subs}

        return [(1, self.json(first))] + self.echo(path)

    def plain(self, path):
        """The request says all: arguments, which transports take."""
        r = self.r
        rooms = [r.choice(('1', '2', 'member:1', 'plain:1', 'open:1'))
                 if self.chance(0.9) else self.room()
                 for _ in range(r.choice((0, 1, 1, 1, 1, 2, 2, 9, 200)))]
        position = '%s:%d' % (r.choice(self.world.epochs), r.randrange(30))
        arguments = [('room', ','.join(rooms))]

        if self.chance(0.4):
            arguments.append(('last', r.choice((0, 1, 5, 50, 300, 301, 'x'))))
        if self.chance(0.4):
            arguments.append(('last_event_id', r.choice(
                (position, position + ',' + position, '0:0', ':', '',
                 'x:%d' % 2**64, ','.join([position] * 200)))))
        if path.endswith('jwt'):
            arguments.append(('token', self.token(path)))

        quote = r.choice((urllib.parse.quote, urllib.parse.quote_plus))
        query = '?' + urllib.parse.urlencode(
            [(k, str(v).encode('utf-8', 'surrogatepass'))
             for k, v in arguments], quote_via=quote)
        if self.chance(0.1):
            query = re.sub(r'[\0- \x7f]', '', self.text(
                query.encode(), 0.5).decode('latin-1'))
        self.query = query

        return [(1, b'')] + self.echo(path)

    def packet(self, op, body, seq):
        """Of goim; wrong lengths now and then."""
        r = self.r
        n, head = len(body) + 16, 16

        if self.chance(0.03):
            n = r.choice((0, 1, 15, 16, n - 1, n + 1, 4112, 4113, -1,
                          2**31 - 1))
        if self.chance(0.01):
            head = r.choice((0, 15, 17, 4096, -1))

        b = struct.pack('!ihhii', n, head, r.choice((0, 1, 1, 2, -1)), op,
                        seq) + body

        return self.text(b, 0.3) if self.chance(0.03) else b

    def operations(self):
        r = self.r
        b = ','.join(str(r.choice((9, 1000, 1001, 1002, r.randrange(999),
                                   2**31 - 1, -2**31)))
                     for _ in range(r.choice((0, 1, 3, 250, 300)))).encode()

        return self.text(b, 0.2)

    def goim(self, path):
        r = self.r
        auth = {'mid': r.choice((0, 1, 2, 123, 2**63 - 1)),
                'key': r.choice(('', 'k1', 'k2', 'k%d' % r.randrange(99))),
                'room_id': r.choice(('', 'live://1', self.room())),
                'platform': 'web', 'accepts': [1000, 1001] + [
                    r.randrange(2000) for _ in range(r.choice((0, 3, 260)))]}
        ops = {2: lambda: b'', 7: lambda: self.json(auth),
               12: lambda: self.room().encode(), 14: self.operations,
               16: self.operations, 9: lambda: b'x', -1: lambda: b'',
               1000: lambda: b'y' * r.choice((0, 100, 4096, 4097))}

        if 'token' in path:
            auth['token'] = self.token(path)

        out = [(2, self.packet(7, self.json(auth), 1))]
        for n in range(r.choice((0, 2, 8, 60))):
            op = r.choice((2, 2, 12, 12, 14, 14, 16, 16, 7, 9, -1, 1000))
            out.append((r.choice((1, 2)), self.packet(op, ops[op](), n + 2)))

        return out

    def echo(self, path):
        return [(self.r.choice((1, 2)),
                 bytes(self.r.randrange(32, 126)
                       for _ in range(self.r.choice((0, 1, 125, 126, 3000)))))
                for _ in range(self.r.randrange(5))]

    # frames and packets

    def pack(self, payload):
        """As permessage-deflate has it, or nearly so."""
        r = self.r
        z = zlib.compressobj(r.randrange(10), zlib.DEFLATED,
                             -r.randrange(9, 16), r.randrange(1, 10))
        payload = bytes(10 ** 6) if self.chance(0.02) else payload
        at = r.randrange(len(payload) + 1)
        b = z.compress(payload[:at])

        if self.chance(0.2):
            b += z.flush(zlib.Z_FULL_FLUSH)

        b += z.compress(payload[at:])

        if self.chance(0.1):
            return b + z.flush() + b'\0' * r.randrange(3)

        b = (b + z.flush(zlib.Z_SYNC_FLUSH))[:-4]

        return self.text(b, 0.5) if self.chance(0.1) else b

    def frame(self, opcode, payload, fin=True, packed=False):
        r = self.r
        bad = self.chance(0.02)
        head = (0x80 if fin else 0) | (0x40 if packed else 0) | opcode
        n = len(payload)
        masked = not (bad and self.chance(0.3))

        if bad:
            head = r.choice((head, head | 0x40, head | 0x10, r.randrange(256)))
        if bad and self.chance(0.3):
            n = r.choice((0, 2**63, 2**64 - 1, n + 1, 2**31))

        mask = 0x80 if masked else 0
        wide = r.choice((0, 0, 0, 1, 2)) if bad else 0
        if n < 126 and not wide:
            out = struct.pack('!BB', head, mask | n)
        elif n < 65536 and wide < 2:
            out = struct.pack('!BBH', head, mask | 126, n)
        else:
            out = struct.pack('!BBQ', head, mask | 127, n)

        if not masked:
            return out + payload

        key = bytes(r.randrange(256) for _ in range(4))
        long = (key * (len(payload) // 4 + 1))[:len(payload)]
        return out + key + (int.from_bytes(payload, 'big')
                            ^ int.from_bytes(long, 'big')) \
            .to_bytes(len(payload), 'big')

    def frames(self, conversation):
        """A frame a message, or some; between them control frames."""
        r = self.r
        out = []

        for opcode, payload in conversation:
            if self.chance(0.1):
                out.append(self.frame(r.choice((9, 10)),
                                      b'p' * r.choice((0, 4, 125, 126))))
            packed = self.packs and self.chance(0.7)
            if packed:
                payload = self.pack(payload)
            if self.chance(0.15):
                at = r.randrange(len(payload) + 1)
                out.append(self.frame(opcode, payload[:at], False, packed))
                if self.chance(0.3):
                    out.append(self.frame(9, b'mid'))
                out.append(self.frame(0, payload[at:]))
            else:
                out.append(self.frame(opcode, payload, True, packed))

        if self.chance(0.2):
            out.append(self.frame(8, r.choice((
                b'', b'\x03\xe8', b'\x03', b'\x03\xe8bye', b'\0\0', b'\xff\xff',
                b'\x03\xe8\xff', b'\x03\xe8' + b'x' * 124))))

        return out

    def handshake(self, path):
        key = base64.b64encode(bytes(self.r.randrange(256)
                                     for _ in range(16))).decode()
        path += self.query or ''
        lines = ['GET %s HTTP/1.1' % path, 'Host: localhost', *UPGRADE,
                 'Sec-WebSocket-Key: ' + key, 'Sec-WebSocket-Version: 13']

        if self.proto:
            lines.append('Sec-WebSocket-Protocol: centrifuge-protobuf')

        if self.chance(0.2):
            lines.append(self.r.choice((
                'Sec-WebSocket-Protocol: centrifuge-json',
                'Sec-WebSocket-Protocol: centrifuge-protobuf, centrifuge-json',
                'Sec-WebSocket-Protocol: ', 'Origin: http://localhost',
                'Origin: null', 'Origin: https://evil.example',
                'Sec-WebSocket-Protocol: x, centrifuge-json',
                'Content-Length: 0', 'Content-Length: 5',
                'Transfer-Encoding: chunked', 'Cookie: ' + 'c' * 3000,
                'Sec-WebSocket-Extensions: permessage-deflate',
                'Authorization: Bearer x', 'Sec-WebSocket-Key: ' + key)))
        if self.query and self.chance(0.3):
            lines.append('Sec-WebSocket-Protocol: ws+meta.nchan')
        if self.packs:
            lines.append('Sec-WebSocket-Extensions: permessage-deflate'
                         + self.r.choice(('', '; client_max_window_bits',
                                          '; server_max_window_bits=9',
                                          '; server_max_window_bits=8')))
        if self.chance(0.05):
            lines.pop(self.r.randrange(1, len(lines)))

        b = '\r\n'.join(lines).encode() + b'\r\n\r\n'

        return self.text(b, 0.5) if self.chance(0.08) else b

    def talk(self, s, chunks):
        """Sends the chunks, in packets of any size; what was there to read."""
        r = self.r
        read = self.chance(0.8)
        cut = self.chance(0.1)
        data = b''

        for chunk in chunks:
            if cut and self.chance(0.5) and len(chunk) > 1:
                at = r.randrange(1, min(len(chunk), 3000))
                s.sendall(chunk[:at])
                chunk = chunk[at:]
                if self.chance(0.5):
                    time.sleep(0.001)
            s.sendall(chunk)
            if read and select.select([s], [], [], 0)[0]:
                b = s.recv(65536)
                if not b:
                    return data
                data += b

        if read:
            data += self.drain(s, r.choice((0.002, 0.02, 0.1)))

        return data

    def drain(self, s, seconds):
        end = time.monotonic() + 2
        data = b''

        while time.monotonic() < end \
                and select.select([s], [], [], seconds)[0]:
            b = s.recv(65536)
            if not b:
                break
            data += b

        return data

    def leave(self, s):
        what = self.r.randrange(3)

        if what == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack('ii', 1, 0))
        elif what == 1:
            s.shutdown(socket.SHUT_WR)
            self.drain(s, 0.02)

    def hear(self, s):
        """A push, or two, while the session may be there."""
        r = self.r

        for _ in range(r.choice((0, 0, 0, 0, 1, 2))):
            push = {'rooms': ['1', '2', 'open:1', 'live://1'],
                    'users': ['u1', '123'], 'data': {'msg': 'h' * r.choice(
                        (1, 40, 900, 20000))}}
            if self.chance(0.5):
                push.update(operation=r.choice((1000, 1001, 9)), keys=['k1'])
            if self.chance(0.3):
                push = {'all': True, 'data': push['data']}
            self.world.push(**push)
            self.drain(s, 0.01)

    def websocket(self, path, conversation):
        s = socket.create_connection(('127.0.0.1', self.world.port), 5)
        try:
            s.settimeout(5)
            self.packs = self.chance(0.3)
            head = self.handshake(path)
            frames = self.frames(conversation)

            if self.chance(0.1):            # all in a packet
                self.talk(s, [head + b''.join(frames)])
            else:
                self.talk(s, [head])
                self.drain(s, 0.05)
                self.talk(s, frames)
            self.hear(s)
            self.leave(s)
        finally:
            s.close()

    def tcp(self, path, conversation):
        s = socket.create_connection(('127.0.0.1', self.world.tcp), 5)
        try:
            s.settimeout(5)
            packets = [b for _, b in conversation]
            if self.chance(0.5):
                packets = [b''.join(packets)]
            self.talk(s, packets)
            self.hear(s)
            self.leave(s)
        finally:
            s.close()

    def stream(self, path, conversation):
        """A request brings the first message, others go the other way."""
        s = socket.create_connection(('127.0.0.1', self.world.port), 5)
        try:
            s.settimeout(5)
            data = self.talk(s, self.opening(path, conversation[0][1])) \
                + self.drain(s, 0.05)
            names = NAMES.search(data)
            if names:
                names = names.groups()
                self.world.names.append(names)
                self.emulate(names, [b for _, b in conversation[1:]])
                self.talk(s, [b'GET / HTTP/1.1\r\n'] if self.chance(0.1)
                          else [])
            self.hear(s)
            self.leave(s)
        finally:
            s.close()

    def opening(self, path, first):
        """The request of a stream, in chunks."""
        r = self.r
        events = self.chance(0.5) and not self.proto
        in_body = self.query is None and self.chance(0.2 if events else 0.95)
        method = 'POST' if in_body else 'GET'
        version = '1.1' if self.chance(0.9) else '1.0'
        lines = ['Host: localhost']

        if self.query is not None:
            path += self.query
            first = b''
        elif not in_body:
            path += '?%s=%s' % (
                r.choice(('cf_connect',) * 9 + ('cf_connec', 'CF_CONNECT')),
                (urllib.parse.quote_plus if self.chance(0.9)
                 else urllib.parse.quote)(first))
            first = b''
            if self.chance(0.05):
                path += r.choice(('&cf_connect=', '%', '%f', '+', '%00'))
        if events:
            lines.append('Accept: text/event-stream')
        if self.proto:
            lines.append('Content-Type: application/octet-stream')
        if self.chance(0.05):
            method = r.choice(('HEAD', 'OPTIONS', 'PUT', 'GET', 'POST'))
        if self.chance(0.1):
            lines.append(r.choice((
                'Origin: null', 'Origin: https://evil.example',
                'Origin: http://localhost', 'Expect: 100-continue',
                'Last-Event-ID: 7', 'Last-Event-ID: %s:3' % r.choice(
                    self.world.epochs),
                'Content-Type: application/octet-stream',
                'Content-Type: text/plain', 'Accept: text/event-stream',
                'Accept: ' + 'a/b,' * 500, 'Content-Encoding: gzip',
                'Connection: close', 'Range: bytes=0-1', *UPGRADE)))

        if in_body and self.chance(0.3) and version == '1.1':
            lines.append('Transfer-Encoding: chunked')
            chunks = []
            while first:
                n = r.choice((1, 10, 1000, 70000))
                chunks.append(b'%x\r\n%s\r\n' % (len(first[:n]), first[:n]))
                first = first[n:]
                if self.chance(0.02):
                    chunks.append(r.choice((b'x', b'-1\r\n', b'0;a=b\r\n\r\n',
                                            b'fffffffffffffffff\r\n')))
            chunks.append(b'0\r\n\r\n' if self.chance(0.95) else b'')
        else:
            n = len(first)
            if self.chance(0.03):
                n = r.choice((0, 1, n + 9, n // 2, 2**63 - 1, 70000))
            if in_body or self.chance(0.1):
                lines.append('Content-Length: %d' % n)
            chunks = [first]

        if self.chance(0.1):
            chunks.append(r.choice((
                b'\r\n', b'\0' * 5000, b'GET /status HTTP/1.1\r\n'
                b'Host: localhost\r\n\r\n', b'x' * 70000, first)))

        head = '\r\n'.join(['%s %s HTTP/%s' % (method, path, version)]
                           + lines).encode() + b'\r\n\r\n'
        if self.chance(0.05):
            head = self.text(head, 0.5)

        if self.chance(0.6):
            return [head] + chunks

        return [head + b''.join(chunks)]

    def emulate(self, names, messages):
        """A request for each message, of the session or nearly so."""
        r = self.r
        s = socket.create_connection(('127.0.0.1', self.world.port), 5)
        try:
            s.settimeout(5)
            for data in messages:
                session, node = (x.decode() for x in names)
                if self.chance(0.05):
                    session, node = (x.decode() for x in r.choice(
                        list(self.world.names) + [(b'0' * 64, b'n')]))
                envelope = {'session': session, 'node': node,
                            'data': data.decode('latin-1')}
                proto = self.proto if self.chance(0.95) else not self.proto
                if proto:
                    b = b''.join(varint(n << 3 | 2) + varint(len(x)) + x
                                 for n, x in ((1, node.encode()),
                                              (2, session.encode()),
                                              (3, data)))
                    b = self.text(b, 0.3) if self.chance(0.1) else b
                    kind = 'application/octet-stream'
                else:
                    b = self.json(envelope, 0.02)
                    kind = r.choice(('application/json', 'text/plain'))
                head = '%s /emulation HTTP/1.1\r\nHost: localhost\r\n' \
                    'Content-Type: %s\r\nContent-Length: %d\r\n\r\n' % (
                        'POST' if self.chance(0.97) else r.choice(
                            ('GET', 'OPTIONS', 'HEAD')), kind, len(b))
                self.talk(s, [head.encode(), b] if self.chance(0.5)
                          else [head.encode() + b])
            self.leave(s)
        finally:
            s.close()

    def strangers(self):
        """Messages for sessions of others, or that are gone."""
        path = '/cf-open'
        conversation = [(1, b)
                        for _ in range(3) for _, b in self.centrifuge(path)]
        self.emulate(self.r.choice(list(self.world.names)),
                     [b for _, b in conversation])

    # HTTP and FastCGI

    def request(self):
        """(method, path, headers, body)"""
        r = self.r
        room = self.room()
        user = r.choice(('u1', 'u2', '%2e%2e', 'a%2Fb', '\u00e4'))
        push = {'id': 'x%d' % r.randrange(50), 'rooms': [room],
                'users': [user], 'all': self.chance(0.1),
                'from': {'user': 'a', 'name': 'b'}, 'data': {'msg': 'm'}}
        operated = dict(push, operation=r.choice((0, 1000, 1001, -1)),
                        keys=['k1', 'k2'], all=self.chance(0.3))
        query = '?operation=1000&keys=k1&mids=1&mids=123&type=live&room=1'
        api = {'channel': room, 'channels': [room, '1'], 'user': user,
               'data': {'a': 1}, 'limit': 3, 'since': {'offset': 1},
               'client': 'x', 'commands': [{'publish': {'channel': room,
                                                        'data': 1}}],
               'skip_history': self.chance(0.3),
               'override': {'presence': {'value': False}}}
        account = {'UserName': 'n%d' % r.randrange(5), 'Password': 'secret7',
                   'Auth': TOKEN}
        choices = (
            ('POST', '/im/push', push), ('POST', '/im/push', operated),
            ('POST', '/im/push?key=k1&operation=1000', push),
            ('POST', '/im/push?room=1', push),
            ('GET', '/im/rooms/' + room, None),
            ('GET', '/im/rooms?top=' + str(r.choice((1, 20, 9999))), None),
            ('GET', '/im/nodes', None), ('GET', '/im/bans', None),
            ('GET', '/im/rooms/' + room + '/history?limit=5', None),
            ('GET', '/im/users/' + user, None), ('GET', '/im/online', None),
            ('DELETE', '/im/users/' + user + '?for=1', None),
            ('DELETE', '/im/sessions/0', None), ('GET', '/im/health', None),
            ('POST', '/im_connect', {'token': TOKEN, 'protocol': 'im'}),
            ('POST', '/v1/user/register', account),
            ('POST', '/v1/user/login', account),
            ('POST', '/v1/user/check_auth', account),
            ('POST', '/v1/user/logout', account),
            ('POST', '/api/v1/pushRoom?rid=1&auth=' + TOKEN, {'msg': 'x'}),
            ('POST', '/api/v1/push?userId=u1&auth=' + TOKEN, {'msg': 'x'}),
            ('POST', '/api/v1/count', {'roomId': 1}),
            ('POST', '/api', {'id': 1, 'method': 'publish', 'params': api}),
        ) + tuple(('POST', '/goim/push/' + m + query, push) for m in (
            'keys', 'mids', 'room', 'all')) \
          + tuple(('GET', '/goim/' + m + query + '&rooms=1&limit=9', None)
                  for m in ('online/top', 'online/room', 'online/total',
                            'nodes/weighted', 'nodes/instances')) \
          + tuple(('POST', '/api/' + m, api) for m in (
            'publish', 'broadcast', 'subscribe', 'unsubscribe', 'disconnect',
            'refresh', 'presence', 'presence_stats', 'history',
            'history_remove', 'channels', 'info', 'batch', 'nothing'))

        method, path, body = r.choice(choices)
        path = path.encode('utf-8', 'replace')

        if self.chance(0.05):
            method = r.choice(('HEAD', 'PUT', 'OPTIONS', 'X', 'DELETE', 'GET'))
        if self.chance(0.1):
            path = self.text(path, 0.6).replace(b'\n', b'').replace(b' ', b'')
        headers = {'Content-Type': 'application/json'}
        if self.chance(0.2):
            headers[r.choice(('Content-Type', 'Origin', 'Sec-Fetch-Site',
                              'Content-Encoding', 'X-API-Key', 'Cookie',
                              'Authorization', 'Expect'))] = r.choice(
                ('text/plain', 'gzip', 'cross-site', 'http://a', 'null', '',
                 'x' * 2000, '100-continue', 'application/json; charset=x'))

        bytes = b'' if body is None else self.json(body)

        if path == b'/api':
            bytes *= r.randrange(1, 4)

        return (method, path or b'/', headers, bytes)

    def http(self, port):
        s = socket.create_connection(('127.0.0.1', port), 5)
        try:
            s.settimeout(5)
            for _ in range(self.r.randrange(1, 4)):
                method, path, headers, body = self.request()
                length = len(body) if self.chance(0.95) else self.r.choice(
                    (-1, '+4', '0x1', '', 2**64, len(body) + 9, '1, 2'))
                head = b'%s %s HTTP/1.1\r\nHost: localhost\r\n' \
                    b'Content-Length: %s\r\n' % (method.encode(), path,
                                                 str(length).encode())
                for k, v in headers.items():
                    head += ('%s: %s\r\n' % (k, v)).encode()
                if self.chance(0.03):
                    head += b'Transfer-Encoding: chunked\r\n'
                head = self.text(head, 0.4) if self.chance(0.05) else head
                self.talk(s, [head + b'\r\n', body] if self.chance(0.7)
                          else [head + b'\r\n' + body])
            self.leave(s)
        finally:
            s.close()

    def reset(self):
        """A faulty request behind a good one, and the connection is reset."""
        for _ in range(40):
            s = socket.create_connection(('127.0.0.1', self.world.port), 5)
            try:
                s.settimeout(5)
                s.sendall(b'GET /im/health HTTP/1.1\r\nHost: localhost\r\n'
                          b'\r\n')
                s.recv(65536)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack('ii', 1, 0))
                s.sendall(b'POST / HTTP/1.1\r\nHost: localhost\r\n'
                          b'Content-Length: 9\r\n'
                          b'Transfer-Encoding: chunked\r\n\r\n')
                end = time.perf_counter() + self.r.random() / 3000
                while time.perf_counter() < end:
                    pass
            finally:
                s.close()

    def record(self, kind, rid, content):
        return struct.pack('!BBHHBB', 1, kind, rid, len(content), 0, 0) \
            + content

    def fastcgi(self):
        r = self.r
        s = socket.socket(socket.AF_UNIX)
        try:
            s.settimeout(5)
            s.connect(self.world.dir + '/logic.sock')
            out = b''
            for rid in range(1, r.randrange(2, 5)):
                method, path, headers, body = self.request()
                uri, _, query = path.partition(b'?')
                pairs = [(b'REQUEST_METHOD', method.encode()),
                         (b'QUERY_STRING', query), (b'REQUEST_URI', path),
                         (b'IM_URI', uri), (b'REMOTE_ADDR', b'127.0.0.1'),
                         (b'IM_REQUEST_ID', b'r%d' % r.randrange(99)),
                         (b'CONTENT_LENGTH', str(
                             len(body) if self.chance(0.9) else r.choice(
                                 (-1, '+4', '', 2**64, 3))).encode())]
                pairs += [(('CONTENT_TYPE' if k == 'Content-Type' else 'HTTP_'
                            + k.upper().replace('-', '_')).encode(),
                           v.encode()) for k, v in headers.items()]
                params = b''.join(
                    struct.pack('!I', len(k) | 2**31)
                    + struct.pack('!I', len(v) | 2**31) + k + v
                    for k, v in pairs)
                params = self.text(params, 0.4) if self.chance(0.1) else params
                begin = struct.pack('!HB5x', 1, r.choice((0, 1)))
                out += self.record(1, rid, begin) \
                    + self.record(4, rid, params[:65535]) \
                    + self.record(4, rid, b'')
                if self.chance(0.05):
                    out += self.record(r.choice((2, 3, 9, 11, 99)), rid, b'x')
                out += self.record(5, rid, body[:65535]) \
                    + (self.record(5, rid, b'') if self.chance(0.95) else b'')
            self.talk(s, [self.text(out, 0.4) if self.chance(0.1) else out])
            self.drain(s, 0.05)
            self.leave(s)
        finally:
            s.close()

    def redis(self):
        """What only a broken program would publish or queue."""
        r = self.r
        channel, batch = r.choice(list(self.world.published))
        batch = self.text(batch, 0.7)

        if self.chance(0.3):
            channel = r.choice(list(self.world.published))[0]

        if self.chance(0.8):
            self.world.redis('SPUBLISH', channel, batch)
        else:
            queue = channel.split(b'}')[0] + b'}:q'
            self.world.redis('XADD', queue, '*',
                             't', b'r:1', 'i', 'x:1', 'w', b'x y', 'd', batch)

    def run(self):
        kind, transport, path = self.r.choice(KINDS)

        if transport is not None:
            getattr(self, transport)(path, getattr(self, kind)(path))
        elif kind == 'http':
            self.http(self.world.port)
        elif kind == 'listener':
            self.http(self.world.http)
        else:
            getattr(self, kind)()

        return (path or kind) + (' (%s)' % transport
                                 if transport in ('stream', 'tcp') else '')


# conversation, transport, location
KINDS = (
    ('im', 'websocket', '/im-none'), ('im', 'websocket', '/im-token'),
    ('im', 'websocket', '/im-jwt'),
    ('centrifuge', 'websocket', '/cf-none'),
    ('centrifuge', 'websocket', '/cf-token'),
    ('centrifuge', 'websocket', '/cf-jwt'),
    ('centrifuge', 'websocket', '/cf-hook'),
    ('centrifuge', 'websocket', '/cf-hook'),
    ('centrifuge', 'websocket', '/cf-all'),
    ('centrifuge', 'stream', '/cf-all'),
    ('centrifuge', 'stream', '/cf-open'),
    ('centrifuge', 'stream', '/cf-open'),
    ('centrifuge', 'stream', '/cf-asked'),
    ('uni', 'websocket', '/uni-none'), ('uni', 'websocket', '/uni-jwt'),
    ('uni', 'stream', '/uni-none'), ('uni', 'stream', '/uni-jwt'),
    ('plain', 'websocket', '/plain'), ('plain', 'websocket', '/plain-jwt'),
    ('plain', 'stream', '/plain'), ('plain', 'stream', '/plain-jwt'),
    ('goim', 'websocket', '/goim-none'), ('goim', 'websocket', '/goim-mid'),
    ('goim', 'websocket', '/goim-token'),
    ('goim', 'tcp', ''), ('goim', 'tcp', ''),
    ('echo', 'websocket', '/echo'), ('strangers', None, None),
    ('http', None, None), ('http', None, None), ('listener', None, None),
    ('fastcgi', None, None), ('reset', None, None), ('redis', None, None))


class World:
    """The service, and what is found of it."""

    def __init__(self):
        self.dir = None
        self.port = None
        self.pids = {}
        self.epochs = ['', 'x', 'a' * 17]
        self.published = collections.deque([(b'im:{0}:all', b'\0')], 200)
        self.names = collections.deque([(b'0' * 64, b'n')], 50)
        self.http = int(os.environ['IM_PORTS']) + 15
        self.tcp = int(os.environ['IM_PORTS']) + 14
        self.http_lock = threading.Lock()
        self.stack = None

    def start(self, seed):
        import tempfile
        self.dir = tempfile.mkdtemp(prefix='im-live-')

        with open(self.dir + '/secret', 'w') as f:
            f.write(SECRET)

        options = {
            'dir': self.dir, 'workers': 2, 'rules': RULES, 'level': 'info',
            'access': 0, 'drain': '2s',
            'http': HTTP.format(dir=self.dir),
            'server': SERVER.format(tcp=self.tcp, hooks=' '.join(
                'im_webhook %s /hook;' % h for h in HOOKS)),
            'logic': ['--http=127.0.0.1:%d' % self.http]}
        self.stack = subprocess.Popen(
            [top + '/t/stack', json.dumps(options)], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = json.loads(self.stack.stdout.readline())['port']
        self.ask('start')
        self.pids = self.ask('ready')['pids']
        self.redis('HSET', 'im_' + TOKEN, 'UserId', 'u1', 'UserName', 'Ann')

    def ask(self, command):
        self.stack.stdin.write(command + '\n')
        answer = json.loads(self.stack.stdout.readline()
                            or '{"error": "t/stack has ended"}')

        if 'error' in answer:
            raise RuntimeError(command + ': ' + answer['error'])

        return answer

    def redis(self, *args):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(self.dir + '/redis.sock')
        out = b'*%d\r\n' % len(args)
        for a in args:
            a = a if isinstance(a, bytes) else str(a).encode()
            out += b'$%d\r\n%s\r\n' % (len(a), a)
        s.sendall(out)
        f = s.makefile('rb')
        answer = self.reply(f)
        f.close()
        s.close()

        return answer

    def reply(self, f):
        line = f.readline()[:-2]
        if line == b'':
            return None
        kind, rest = line[:1], line[1:]

        if kind == b'*':
            return [self.reply(f) for _ in range(int(rest))]
        if kind == b'$':
            return None if rest == b'-1' else f.read(int(rest) + 2)[:-2]
        return rest

    def learn(self):
        """Real epochs, so that mutations go deep."""
        for room in ('1', '2', 'member:1'):
            answer = self.push(rooms=[room], data={'msg': 'learn'})
            self.epochs.append(answer['data']['results'][0]['epoch'])

        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        """The same of what is published: remembers the latest."""
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.dir + '/redis.sock')
        for channel in self.redis('PUBSUB', 'SHARDCHANNELS', 'im:*'):
            s.sendall(b'*2\r\n$10\r\nSSUBSCRIBE\r\n$%d\r\n%s\r\n'
                      % (len(channel), channel))
        f = s.makefile('rb')

        while True:
            message = self.reply(f)
            if not isinstance(message, list):
                return
            if message[0] == b'smessage' and len(message[2]) < 65536:
                self.published.append((message[1], message[2]))

    def push(self, **push):
        body = json.dumps(push).encode()
        s = socket.create_connection(('127.0.0.1', self.http), 60)
        s.settimeout(60)
        s.sendall(b'POST /im/push HTTP/1.1\r\nHost: localhost\r\n'
                  b'Connection: close\r\nContent-Type: application/json\r\n'
                  b'Content-Length: %d\r\n\r\n%s' % (len(body), body))
        answer = b''
        while True:
            b = s.recv(65536)
            if not b:
                break
            answer += b
        s.close()

        return json.loads(answer.partition(b'\r\n\r\n')[2])

    def good(self, n):
        """A client that does nothing odd gets the next message."""
        room = str(100 + n % 50)
        s = socket.create_connection(('127.0.0.1', self.port), 60)
        s.settimeout(60)
        s.sendall(b'GET /im-none HTTP/1.1\r\nHost: localhost\r\nUpgrade: '
                  b'websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version:'
                  b' 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n')
        data = s.recv(4096)
        if not data.startswith(b'HTTP/1.1 101'):
            return 'a handshake got ' + data[:60].decode('latin-1')
        first = b'{"roomId":%s}' % room.encode()
        s.sendall(struct.pack('!BB4x', 0x81, 0x80 | len(first)) + first)
        while b'"op":4' not in data:
            b = s.recv(65536)
            if not b:
                return 'a good client was closed'
            data += b
        mark = 'good-%d' % n
        answer = self.push(rooms=[room], data={'msg': mark})
        if answer.get('code') != 0:
            return 'a good push got ' + json.dumps(answer)
        while mark.encode() not in data:
            b = s.recv(65536)
            if not b:
                return 'a good client was closed'
            data += b
        s.close()

        return None

    def workers(self):
        pid = self.pids['nginx']
        try:
            with open('/proc/%d/task/%d/children' % (pid, pid)) as f:
                return set(f.read().split())
        except OSError:
            return set()

    def reload(self):
        os.kill(self.pids['nginx'], 1)

    def held(self):
        """What workers hold, with no client there: nothing, after a while."""
        end = time.monotonic() + GONE

        while True:
            s = socket.create_connection(('127.0.0.1', self.port), 60)
            s.settimeout(60)
            s.sendall(b'GET /status HTTP/1.0\r\n\r\n')
            with s.makefile('rb') as f:
                status = json.loads(f.read().partition(b'\r\n\r\n')[2])
            s.close()
            total = status['total']
            if not any(total[k] for k in HELD) \
                    and total['log_bytes'] <= SPARE:
                return []
            if time.monotonic() > end:
                return ['held without sessions: ' + json.dumps(total)]
            time.sleep(0.2)

    def findings(self):
        found = []

        for name, pid in self.pids.items():
            try:
                with open('/proc/%d/stat' % pid) as f:
                    if f.read().rpartition(')')[2].split()[0] == 'Z':
                        found.append(name + ' has ended')
            except OSError:
                found.append(name + ' has ended')

        for path in glob.glob(self.dir + '/asan.*') \
                + glob.glob(self.dir + '/ubsan.*'):
            with open(path, errors='replace') as f:
                found.append(f.read()[:2000])

        for path in glob.glob(self.dir + '/*.log'):
            with open(path, errors='replace') as f:
                for line in f:
                    if '[alert]' in line or '[emerg]' in line \
                            or 'exited on signal' in line \
                            or 'exited with' in line \
                            and 'exited with code 0' not in line \
                            or 'runtime error:' in line \
                            or 'Sanitizer' in line:
                        found.append(line.strip()[:500])

        return found


def work(world, args, stop, done, last, errors):
    while not stop.is_set():
        with world.http_lock:
            number = done['n']
            done['n'] += 1
        last.append(number)
        fuzz = Fuzz(args.seed, number, world)
        try:
            done[fuzz.run()] += 1
        except OSError as e:
            if not isinstance(e, (ConnectionError, socket.timeout)) \
                    and e.errno != errno.ENOTCONN:
                errors.append('session %d: %r' % (number, e))
            done['cut off'] += 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seconds', type=float, default=20)
    parser.add_argument('--seed', default=str(int(time.time())))
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--only', type=int)
    args = parser.parse_args()

    world = World()
    world.start(args.seed)
    world.learn()
    done, last, errors = collections.Counter(), collections.deque(maxlen=64), []
    found = []
    done['n'] = args.first

    def few():
        return done['n'] < args.first + 20 or not all(
            done[k] for k in ('/im-none', '/cf-hook', 'fastcgi'))

    if args.only is not None:
        print('# session %d: %s' % (
            args.only, Fuzz(args.seed, args.only, world).run()))
        time.sleep(1)
        found = world.held() or world.findings()
    else:
        stop = threading.Event()
        threads = [threading.Thread(target=work, daemon=True, args=(
            world, args, stop, done, last, errors)) for _ in range(THREADS)]
        for t in threads:
            t.start()

        end = time.monotonic() + args.seconds
        reload, n = time.monotonic() + min(RELOAD, args.seconds / 2), 0

        # a busy machine takes longer for those
        while not found and (time.monotonic() < end
                             or few() and time.monotonic() < end + 300):
            time.sleep(LOOK)
            found = world.findings()
            if time.monotonic() > reload:
                reload = time.monotonic() + RELOAD
                world.reload()
            elif n % 5 == 0:
                try:
                    why = world.good(n)
                except (OSError, ValueError) as e:
                    why = 'a good client: %r' % e
                if why:
                    found.append(why)
            n += 1

        at = list(last)
        stop.set()
        for t in threads:
            t.join(60)
        time.sleep(LOOK)
        found = found or world.held() or world.findings()
        print('# seed %s, the last sessions before it: %s'
              % (args.seed, at[-THREADS * 2:]) if found else
              '# seed ' + args.seed)

    print('# ' + ', '.join('%s %d' % x for x in sorted(done.items())))

    if not found and not args.only and few():
        found.append('too few sessions were run')
    found += errors[:5]

    for f in found:
        for line in f.split('\n'):
            print('# ' + line)

    print('%s 1 - %d sessions' % ('not ok' if found else 'ok',
                                  done['n'] - args.first))
    print('1..1', flush=True)

    try:
        world.ask('end' if found else 'end 1')
    except RuntimeError as e:
        print('# %s' % e)
        found.append(str(e))

    if not found:
        subprocess.call(['rm', '-rf', world.dir])

    return 1 if found else 0


sys.exit(main())
