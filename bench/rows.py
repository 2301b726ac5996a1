# Copyright (C) The im authors
#
# The rows of the table: what is measured, at which systems, and against what.
#
# A row's measure(system, size) is one run: the values of its lines, each with
# its parts, or None where the system has no such line.

import contextlib
import re

import load
from systems import CORES, SERVERS
from table import Line

FLOOR, FLOOR_URING, IM = 'floor', 'floor, io_uring', 'im'
NCHAN, NCHAN_REDIS, CENTRIFUGO = PEERS = ('nchan', 'nchan + Redis',
                                          'Centrifugo')

DELIVERY = 'us a delivery'


class Size:
    """What is full, or quick: small numbers, to see that all of it works."""

    def __init__(self, quick):
        self.quick = quick

    def clients(self, n):
        return max(n // 20, 50) if self.quick and n > 50 else n

    def seconds(self, n):
        return min(n, 0.4) if self.quick else n


class Row:
    def __init__(self, name, lines, measure, systems=(FLOOR, IM) + PEERS, base=FLOOR,
                 default=True, often=True, fresh=False, **kind):
        self.name = name
        self.measure = measure
        self.systems = systems
        self.base = base
        self.default = default
        self.often = often          # in each round
        self.fresh = fresh          # its systems do nothing else
        self.kind = kind            # of its systems
        self.lines = [Line(*line) for line in lines]


rows = []


def row(name, *lines, **options):
    def add(measure):
        rows.append(Row(name, lines, measure, **options))
        return measure

    return add


# deliveries

# us that the generator polls before it sleeps, where all clients are in a room:
# otherwise a send also pays for waking it, and a slower server pays more often
SPIN = 100


def deliver(system, scale, clients, seconds=1.2, **options):
    """us of each kind of process for a delivery."""

    clients = scale.clients(clients)

    if options.get('rooms', 1) > 1:
        options['rooms'] = min(scale.clients(options['rooms']), clients)
    else:
        options['spin'] = SPIN

    one = load.run(system, clients=clients, warm=scale.seconds(0.3),
                   seconds=scale.seconds(seconds), **options)
    parts = one.spent('begin', 'end', one.result['deliveries'])

    return [(sum(parts.values()), parts)]


def room_rows(name, n, seconds, target, target_uring):
    title = '1 room of %s clients, one message a flush' % n

    def measure(system, size):
        return deliver(system, size, int(n.replace(',', '')), outstanding=1,
                       seconds=seconds)

    row(name, (title, DELIVERY, target), uring='off')(measure)
    row(name + '-uring', (title + ', by io_uring', DELIVERY, target_uring),
        systems=(FLOOR, IM, FLOOR_URING), uring='auto')(measure)


room_rows('room-1000', '1,000', 1.2, '1.05x', '0.95x')
room_rows('room-10000', '10,000', 1.5, '1.05x', '0.90x')


@row('outstanding', ('1 room of 1,000 clients, 16 messages outstanding',
                     DELIVERY, '1.2x'), coalesced=True)
def outstanding(system, size):
    return deliver(system, size, 1000, outstanding=16)


@row('rooms-1000', ('10,000 clients in 1,000 rooms, 2 workers', DELIVERY,
                    '1.7x'), workers=2)
def rooms_1000(system, size):
    return deliver(system, size, 10000, rooms=1000, outstanding=8,
                   seconds=1.5)


@row('rooms-10000', ('10,000 clients, each in a room of its own', DELIVERY,
                     '5x'))
def rooms_10000(system, size):
    return deliver(system, size, 10000, rooms=10000, outstanding=8,
                   seconds=1.5)


# pushes

def per_core(system, size, clients, rooms):
    """Pushes a second that one core of Redis takes."""

    one = load.run(system, clients=size.clients(clients),
                   rooms=size.clients(rooms), outstanding=256,
                   warm=size.seconds(0.3), seconds=size.seconds(1.5))
    parts = one.spent('begin', 'end', one.result['publish']['published'])

    return [(1e6 / max(parts['redis'], 0.01), parts)]


@row('pushes', ('pushes a Redis core takes, each to one client',
                'pushes a second', '40,000'),
     systems=(IM, NCHAN_REDIS), base=None)
def pushes(system, size):
    return per_core(system, size, 10000, 10000)


@row('accept', ('pushes a Redis core takes, to no client', 'pushes a second'),
     systems=(IM,), base=None)
def accept(system, size):
    return per_core(system, size, 1, 1000)


@row('latency', ('push to one client, 50 a second: p50', 'ms', '0.8x'),
     ('push to one client, 50 a second: p99', 'ms', '1.0x'),
     systems=(NCHAN_REDIS, IM, NCHAN, CENTRIFUGO), base=NCHAN_REDIS)
def latency(system, size):
    with system.on(SERVERS, turns=True):
        one = load.run(system, cores=SERVERS, turns=True, clients=1, rooms=1,
                       push_rate=50, warm=0.5, seconds=size.seconds(4))

    us = one.result['delivery_us']

    return [(us['p50'] / 1000, None), (us['p99'] / 1000, None)]


@row('many', ('push while a client repeats pushes to 1,000 users: p99',
              'x the p99 without it', '1.5'), systems=(IM,), base=None)
def many(system, size):
    p99 = []

    for bulk in ({}, {'bulk': 1000}):
        with system.on(CORES):
            one = load.run(system, cores=CORES, clients=10, rooms=10,
                           push_rate=100, warm=0.5, seconds=size.seconds(3),
                           **bulk)

        p99.append(one.result['delivery_us']['p99'] / 1000)

    return [(p99[1] / p99[0], {'ms without': p99[0], 'ms with': p99[1]})]


@row('idempotency', ('Redis memory that remembers 10,000 pushes a second without an id',
                     'GB', '0.1'), systems=(IM,), base=None, often=False, fresh=True)
def idempotency(system, size):
    def used():
        return int(re.search(r'used_memory:(\d+)',
                             system.redis('INFO', 'memory')).group(1))

    with load.held(system, 'begin', clients=1, rooms=10, outstanding=256,
                   warm=size.seconds(1), seconds=size.seconds(2)) as one:
        before = used()
        one.go_on()
        one.until('end')
        each = (used() - before) / one.marks['end']['published']
        seconds = remembered(system)

    return [(each * seconds * 10000 / 1e9,
             {'bytes a push': each, 's kept': seconds})]


def remembered(system):
    """Seconds that a push is remembered: nearly all keys are of such pushes."""

    ttls = sorted(int(system.redis('TTL', system.redis('RANDOMKEY').strip()))
                  for _ in range(51))

    return max(ttl for ttl in ttls if ttl <= ttls[25] + 5)


# connects

def connect(system, size, **options):
    """us of each kind of process for a client that has connected and joined."""

    clients = size.clients(6000)
    one = load.run(system, clients=clients, rate=5000, seconds=0, **options)
    parts = one.spent('start', 'connected', clients)

    return sum(parts.values()), parts


@row('connect', ('connect and join a room: a guest', 'us a client', '2.0x'),
     ('connect and join a room: a signed-in user', 'us a client', '3.0x'),
     ('connect: a guest', 'us a client'),
     ('connect and join a room: a guest by centrifuge', 'us a client'))
def connects(system, size):
    if system.title == FLOOR:
        return [connect(system, size)] * 4

    if not system.title.startswith(IM):
        return [connect(system, size, rooms=1000)]

    return [connect(system, size, rooms=1000),
            connect(system, size, rooms=1000, how={'users': True}),
            connect(system, size, rooms=0),
            connect(system, size, rooms=1000, how={'protocol': 'centrifuge'})]


def idle(system, size, **options):
    """Bytes of the server for each idle client, but for the first thousand."""

    with load.held(system, clients=size.clients(1000), rooms=100, seconds=0,
                   **options), \
            load.held(system, clients=size.clients(5000), rooms=100,
                      seconds=0, **options) as one:
        grown = one.memory['connected'] - one.memory['start']

    return grown / size.clients(5000), None


def idle_row(name, title, target, systems, **how):
    @row(name, ('memory of an idle client in a room: ' + title,
                'bytes of workers', target),
         systems=systems, base=None, often=False, fresh=True)
    def measure(system, size):
        return [idle(system, size, how=how)]


idle_row('idle', 'a guest', '300',
         (FLOOR, IM) + PEERS)
idle_row('idle-user', 'signed in, with an inbox', '700', (IM,), users=True)
idle_row('idle-centrifuge', 'a guest by centrifuge', '300', (IM,),
         protocol='centrifuge')
idle_row('idle-centrifuge-user', 'signed in by centrifuge', '700', (IM,),
         protocol='centrifuge', users=True)


@row('storm', ('longest push while 15,000 signed-in clients connect at once, 2 workers',
               'ms', '60'), systems=(IM, NCHAN, CENTRIFUGO), base=None,
     often=False, workers=2)
def storm(system, size):
    with system.on(CORES):
        one = load.run(system, cores=CORES, clients=size.clients(15000),
                       rooms=size.clients(1000), rate=0, probe=100,
                       seconds=0.1, how={'users': True})

    us = one.result['probe']['connect']['us']

    return [(us['max'] / 1000, {
        'p50': us['p50'] / 1000, 'p99': us['p99'] / 1000,
        's until all are there': one.result['connect']['seconds']})]


# slow clients

@row('slow', ('1,000 of 10,000 clients stalled: memory of the workers', 'MB more',
              '1'),
     ('1,000 of 10,000 clients stalled: p99 of the others', 'x the p99 without',
      '1.1'), systems=(IM,), base=None, often=False, fresh=True,
     limit='topic_log=64k', sndbuf='32k')
def slow(system, size):
    grown, p99 = [], []

    for stalled in (0, size.clients(1000)):
        more = {'stalled': stalled, 'rcvbuf': 4096} if stalled else {}
        with system.on(SERVERS, turns=True):
            one = load.run(system, turns=True, clients=size.clients(10000),
                           rooms=1, push_rate=4, size=4096,
                           warm=size.seconds(1), seconds=size.seconds(12),
                           **more)

        result = one.result
        grown.append((one.memory['end'] - one.memory['connected']) / 1e6)
        p99.append(result['delivery_us']['p99'] / 1000)

    told = result['stalled']

    if told['closed'] != told['clients'] and not size.quick:
        raise load.Failed('of %(clients)d stalled clients %(closed)d were closed'
                          % told)

    return [(grown[1] - grown[0], {'MB without': grown[0], 'MB with': grown[1]}),
            (p99[1] / p99[0], {'ms without': p99[0], 'ms with': p99[1],
                               'stalled': told['clients'],
                               'closed': told['closed']})]


# how costs grow: not part of the table

BOTH = (FLOOR, IM)


@row('grow-size', *[('1 room of 1,000 clients, messages of ' + size, DELIVERY)
                    for size in ('100 bytes', '1 KB', '16 KB')],
     systems=BOTH, default=False)
def grow_size(system, size):
    return [deliver(system, size, 1000, outstanding=2, size=n)[0]
            for n in (100, 1024, 16384)]


@row('grow-clients', *[('1 room of %s clients' % n, DELIVERY)
                       for n in ('10', '100', '1,000', '10,000')],
     systems=BOTH, default=False)
def grow_clients(system, size):
    return [deliver(system, size, n, outstanding=1)[0]
            for n in (10, 100, 1000, 10000)]


@row('grow-rooms', *[('10,000 clients in %s rooms' % n, DELIVERY)
                     for n in ('1', '10', '100', '1,000', '10,000')],
     systems=BOTH, default=False)
def grow_rooms(system, size):
    return [deliver(system, size, 10000, outstanding=8, rooms=n)[0]
            for n in (1, 10, 100, 1000, 10000)]


def grow_workers(n):
    @row('grow-workers-%d' % n,
         ('10,000 clients in 1,000 rooms, %d workers' % n, DELIVERY),
         ('1 room of 10,000 clients, %d workers' % n, DELIVERY),
         systems=BOTH, default=False, workers=n)
    def measure(system, size):
        return [deliver(system, size, 10000, outstanding=8, rooms=1000)[0],
                deliver(system, size, 10000, outstanding=1)[0]]


for n in (1, 2, 4):
    grow_workers(n)


def grow_nodes(n):
    @row('grow-nodes-%d' % n,
         ('push to 100 rooms, each with a client at each of %d nodes' % n,
          'us a push'), systems=(IM,), base=None, default=False, nodes=n)
    def measure(system, size):
        with contextlib.ExitStack() as others:
            for i in range(1, n):
                others.enter_context(load.held(
                    system, clients=100, rooms=100, seconds=0,
                    port=system.port + i))

            one = load.run(system, clients=100, rooms=100, outstanding=8,
                           warm=size.seconds(0.3), seconds=size.seconds(1.5))

        parts = one.spent('begin', 'end', one.result['publish']['published'])

        return [(sum(parts.values()), parts)]


for n in (1, 2, 4):
    grow_nodes(n)


@row('ping', ('idle clients of 1 room that are pinged each second', 'us a ping'),
     systems=(IM,), base=None, default=False)
def ping(system, size):
    clients, seconds = size.clients(10000), size.seconds(5)
    one = load.run(system, clients=clients, rooms=1, warm=2, seconds=seconds,
                   path='/ping')
    parts = one.spent('begin', 'end', clients * seconds)

    return [(sum(parts.values()), parts)]
