/*
 * Copyright (C) The im authors
 *
 * The npm package centrifuge, as it is, against protocol=centrifuge: in JSON, or
 * in Protobuf where protobuf.js is the program.
 */

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const net = require('net');
const path = require('path');
const EventSource = require('eventsource');
const WebSocket = require('ws');

/* The name of the program says what the SDK speaks, and over what. */
const program = path.basename(process.argv[1], '.js');
const binary = program.includes('protobuf');
const transport = ['http_stream', 'sse'].find((t) => program.includes(t))
    || 'websocket';
const { Centrifuge } = binary ? require('centrifuge/build/protobuf')
                              : require('centrifuge');
const { LIMIT_MS, Stack, Tap, last, ports, run, until,
        within } = require('../lib/stack.js');

const port = ports();
const secret = 'a secret of at least thirty-two bytes';

/* What the clients of a test were told, for its failure. */
const told = [];

const rules = `
    im_room open:*    history=1000 ttl=1h presence publish=member;
    im_room small:*   history=3 ttl=1h;
    im_room plain:*   history=0 publish=user;
    im_room signed:*  history=100 ttl=1h presence join=user publish=user;
    im_room cached:*  history=10 ttl=1h recovery=cache;
    im_room latest:*  history=10 ttl=1h recovery=latest;
    im_room watched:* history=0 presence join_leave=all;
    im_room public:*  history=10 ttl=1h presence publish=anyone
                      history_for=anyone presence_for=anyone;
    im_room token:*   history=0 join=token;
    im_room $*        history=100 ttl=1h;
    im_room _ready    history=0;
    im_inbox          history=100 ttl=1h;
    im_broadcast      history=100 ttl=1h;
    im_jwt_key HS256 file=jwt.key;
`;

const locations = `
        location = /none {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth none;
            im_connect /im_connect;
        }

        location = /jwt {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth jwt;
            im_connect /im_connect;
        }

        location = /ping {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth none;
            im_ping 1s timeout=30s;
        }

        location = /silent {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth none;
            im_ping 1s timeout=5s;
        }

        location = /hooks {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth jwt;
            im_limit refresh=10s;
            im_webhook connect /hook/connect;
            im_webhook rpc /hook/rpc;
            im_webhook subscribe /hook/subscribe;
        }

        location = /hook/connect {
            internal;
            return 200 '{"result":{"user":"hooked","data":{"hi":1},"channels":["open:hook"]}}';
        }

        location = /hook/rpc {
            internal;
            return 200 '{"result":{"data":{"answer":42}}}';
        }

        location = /hook/subscribe {
            internal;
            return 200 '{"error":{"code":1234,"message":"not you"}}';
        }

        location = /emulation { im_emulation; }

        location = /late {
            im_comet protocol=centrifuge transport=websocket,sse,http_stream;
            im_auth none;
            im_limit auth_timeout=1s;
        }

`;


function jwt(claims, key = secret) {
    const part = (value) => Buffer.from(JSON.stringify(value))
        .toString('base64url');
    const text = part({ alg: 'HS256', typ: 'JWT' }) + '.' + part(claims);

    return text + '.' + crypto.createHmac('sha256', key).update(text)
        .digest('base64url');
}


/* In Protobuf, payloads are bytes: here they are JSON, or text. */
function encode(value) {
    return binary ? new TextEncoder().encode(JSON.stringify(value)) : value;
}


function json(text) {
    try {
        return JSON.parse(text);
    } catch (e) {
        return text;
    }
}


function decode(value) {
    if (value instanceof Uint8Array) {
        try {
            const text = new TextDecoder('utf-8', { fatal: true })
                .decode(value);

            return json(text);
        } catch (e) {
            return [...value];
        }
    }

    if (!binary || value === null || typeof value !== 'object'
        || value instanceof Error)
    {
        return value;
    }

    const copy = Array.isArray(value) ? [] : {};

    for (const key of Object.keys(value)) {
        if (!(value[key] instanceof Uint8Array && value[key].length === 0)) {
            copy[key] = decode(value[key]);
        }
    }

    /* a guest's is left out, and in the prototype */

    if (value.user === '') {
        copy.user = '';
    }

    return copy;
}


/* The same calls for tests of both. */
function plain(target) {
    for (const name of ['publish', 'rpc', 'history', 'presence']) {
        const call = target[name] && target[name].bind(target);

        target[name] = async (...args) => decode(await call(
            ...args.map((arg, i) => (name === 'publish' || name === 'rpc')
                                    && i === args.length - 1 ? encode(arg)
                                                             : arg)));
    }

    return target;
}


/* Between HTTP clients and nginx, so that connections can be cut. */
const relay = {
    sockets: new Set(),
    server: net.createServer((client) => {
        const nginx = net.connect(port, '127.0.0.1');

        for (const [from, to] of [[client, nginx], [nginx, client]]) {
            relay.sockets.add(from);
            from.pipe(to);
            from.on('error', () => {});
            from.on('close', () => {
                relay.sockets.delete(from);
                to.destroy();
            });
        }
    }),

    url() {
        return `http://127.0.0.1:${this.server.address().port}`;
    },

    cut() {
        this.sockets.forEach((socket) => socket.destroy());
    }
};


/* What is sent beside the stream. */
const posts = [];

function post(url, options) {
    posts.push(options.body);
    return fetch(url, options);
}


/* A client of the SDK that keeps its events. */
class Client {
    constructor(stack, location, options = {}, at = stack.port) {
        const sockets = this.sockets = [];

        this.events = [];
        this.centrifuge = new Centrifuge(
            transport === 'websocket' ? `ws://127.0.0.1:${at}${location}`
            : [{ transport, endpoint: relay.url() + location }], {
                minReconnectDelay: 50,
                maxReconnectDelay: 500,
                timeout: LIMIT_MS,
                websocket: class extends WebSocket {
                    constructor(...args) {
                        super(...args);
                        sockets.push(this);
                    }
                },
                fetch: post,
                eventsource: EventSource,
                readableStream: ReadableStream,
                emulationEndpoint: relay.url() + '/emulation',
                ...options
            });
        plain(this.centrifuge);

        for (const name of ['connected', 'connecting', 'disconnected',
                            'subscribed', 'unsubscribed', 'publication',
                            'join', 'leave', 'error'])
        {
            this.centrifuge.on(name, (bytes) => {
                const ctx = decode(bytes);

                this.events.push({ ...ctx, name });
                told.push([name, ctx.channel, ctx.code, ctx.data]);
            });
        }
    }

    async connect() {
        this.centrifuge.connect();
        await this.centrifuge.ready(LIMIT_MS);
        return this;
    }

    get id() {
        return this.of('connected').at(-1).client;
    }

    /* The events of one name, of the connection's own. */
    of(name, channel) {
        return this.events.filter((e) => e.name === name
            && (channel === undefined || e.channel === channel));
    }

    room(name, options) {
        const sub = this.centrifuge.newSubscription(name, options);
        const room = { sub, events: [], client: this };

        for (const event of ['subscribing', 'subscribed', 'unsubscribed',
                             'publication', 'join', 'leave', 'error'])
        {
            sub.on(event, (bytes) => {
                const ctx = decode(bytes);

                room.events.push({ ...ctx, name: event });
                told.push([event, name, ctx.code, ctx.data]);
            });
        }

        room.of = (event) => room.events.filter((e) => e.name === event);
        room.data = () => room.of('publication').map((e) => e.data);

        return room;
    }

    async join(name, options) {
        const room = this.room(name, options);

        room.sub.subscribe();
        await room.sub.ready(LIMIT_MS);

        return room;
    }

    /* The network goes, without a word. */
    cut() {
        if (transport === 'websocket') {
            this.sockets.at(-1).terminate();

        } else {
            relay.cut();
        }
    }

    close() {
        this.centrifuge.disconnect();
    }
}


/* A socket that speaks for itself. */
class Raw {
    constructor(stack, location, ...protocols) {
        this.frames = [];
        this.ws = new WebSocket(`ws://127.0.0.1:${stack.port}${location}`,
                                protocols);
        this.opened = new Promise((resolve, reject) => {
            this.ws.on('open', resolve);
            this.ws.on('error', reject);
        });
        this.closed = within(new Promise((resolve) => {
            this.ws.on('close', (code, reason) => {
                resolve({ code, reason: reason.toString() });
            });
        }));
        this.closed.catch(() => {});
        this.ws.on('message', (data) => {
            told.push(['frames', data.toString()]);
            this.frames.push(...data.toString().split('\n').map(JSON.parse));
        });
    }

    async send(text) {
        await this.opened;
        this.ws.send(text);
    }

    answer(id) {
        return until(() => this.frames.find((f) => f.id === id))
            .then(() => this.frames.find((f) => f.id === id));
    }
}


function equal(got, wanted) {
    const [a, b] = [got, wanted].map((v) => JSON.stringify(v));

    if (a !== b) {
        throw new Error(`got ${a}, not ${b}`);
    }

    return true;
}


async function refused(promise, code) {
    try {
        await promise;

    } catch (e) {
        return equal(e.code, code);
    }

    throw new Error('it was not refused');
}


async function push(stack, body) {
    const answer = await stack.push(body);

    if (!answer.ok) {
        throw new Error(`push: ${answer.status} ${await answer.text()}`);
    }
}


function numbers(from, to) {
    return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}


const tests = [];

function test(name, code) {
    tests.push({ name, code });
}


function websocket(name, code) {
    if (transport === 'websocket') {
        test(name, code);
    }
}


function http(name, code) {
    if (transport !== 'websocket') {
        test(name, code);
    }
}


test('connects without a token', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const { client, transport: used } = a.of('connected')[0];

    a.close();
    await until(() => a.of('disconnected').length === 1);

    return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(client)
        && used === transport;
});


test('several rooms of one connection', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const rooms = await Promise.all(['open:1', 'open:2', 'plain:3', 'small:4']
        .map((name) => a.join(name)));

    for (const room of rooms) {
        await push(stack, { rooms: [room.sub.channel],
                            data: { to: room.sub.channel } });
    }

    for (const room of rooms) {
        await until(() => room.data().length === 1);
        equal(room.data(), [{ to: room.sub.channel }]);
        equal(room.of('publication')[0].offset,
              room.sub.channel === 'plain:3' ? undefined : 1);
    }

    a.close();
    return true;
});


test('data of each kind', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:kinds');
    const kinds = ['text', 12.5, null, true, [1, [2]], { a: { b: '\n' } },
                   '你好 😀 "<b>"', {}];

    for (const data of kinds) {
        await push(stack, { rooms: ['open:kinds'], data });
    }

    await fetch(`${stack.url}/im/push?room=open:kinds`, { method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{\n "lines":\n 3 }\n' });
    await fetch(`${stack.url}/im/push?room=open:kinds`, { method: 'POST',
        headers: { 'Content-Type': 'text/plain' }, body: 'two\nlines' });

    await until(() => room.data().length === kinds.length + 2);
    a.close();
    return equal(room.data(), [...kinds, { lines: 3 }, 'two\nlines']);
});


test('the broadcast is a subscription of the server', async (stack) => {
    const a = await new Client(stack, '/none').connect();

    await until(() => a.of('subscribed', '#').length === 1);
    await push(stack, { all: true, data: { to: 'all' } });
    await until(() => a.of('publication', '#').length === 1);
    a.close();
    return equal(a.of('publication')[0].data, { to: 'all' })
        && a.of('subscribed', '#')[0].recoverable;
});


test('unsubscribe, and subscribe with what came meanwhile', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:again');
    const other = await a.join('open:other');

    await push(stack, { rooms: ['open:again'], data: 1 });
    await until(() => room.data().length === 1);

    room.sub.unsubscribe();
    await push(stack, { rooms: ['open:again'], data: 2 });
    await push(stack, { rooms: ['open:other'], data: 'end' });
    await until(() => other.data().length === 1);
    equal(room.data(), [1]);

    room.sub.subscribe();
    await room.sub.ready(LIMIT_MS);
    await until(() => room.data().length === 2);
    equal(room.data(), [1, 2]);

    const { wasRecovering, recovered } = room.of('subscribed')[1];

    a.close();
    return wasRecovering && recovered;
});


test('publish: members only, with who did it', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = await b.join('open:publish');

    await refused(a.centrifuge.publish('open:publish', { n: 1 }), 103);

    const own = await a.join('open:publish');

    await own.sub.publish({ n: 2 });
    await a.centrifuge.publish('open:publish', [3]);

    for (const r of [room, own]) {
        await until(() => r.data().length === 2);
        equal(r.data(), [{ n: 2 }, [3]]);
        equal(r.of('publication')[0].info.client, a.id);
        equal(r.of('publication')[0].info.user, '');
        equal(r.of('publication').map((e) => e.offset), [1, 2]);
    }

    a.close();
    b.close();
    return true;
});


/* Who is there, once there are as many. */
async function present(room, n) {
    let clients = null;

    await until(async () => {
        clients = (await room.sub.presence()).clients;
        return Object.keys(clients).length === n;
    });

    return clients;
}


test('presence', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = await a.join('open:presence');

    await b.join('open:presence');

    const clients = await present(room, 2);

    equal(Object.keys(clients).sort(), [a.id, b.id].sort());
    equal(clients[a.id].client, a.id);
    equal(clients[a.id].user, '');

    const { numClients, numUsers }
        = await b.centrifuge.presenceStats('open:presence');

    equal([numClients, numUsers], [2, 1]);

    b.close();
    equal(Object.keys(await present(room, 1)), [a.id]);

    a.close();
    return true;
});


test('presence after many subscribes and unsubscribes', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = a.room('open:often');

    for (let i = 0; i < 50; i++) {
        room.sub.subscribe();
        room.sub.unsubscribe();
    }

    room.sub.subscribe();
    await room.sub.ready(LIMIT_MS);

    const sub = await b.join('open:often');

    await until(async () => (await sub.sub.presenceStats())
        .numClients === 2);
    a.close();
    b.close();
    return true;
});


test('history', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:history');
    const data = (result) => result.publications.map((p) => p.data);

    for (const n of numbers(1, 5)) {
        await push(stack, { rooms: ['open:history'], data: n });
    }

    await until(() => room.data().length === 5);

    const top = await room.sub.history({ limit: 0 });

    equal(top.publications, []);
    equal(top.offset, 5);

    equal(data(await room.sub.history({ limit: -1 })), numbers(1, 5));
    equal(data(await room.sub.history({ limit: 2 })), [1, 2]);
    equal(data(await room.sub.history({ limit: 2, reverse: true })), [5, 4]);

    const since = { offset: 2, epoch: top.epoch };

    equal(data(await room.sub.history({ limit: 10, since })), [3, 4, 5]);
    equal(data(await room.sub.history({ limit: 10, since, reverse: true })),
          [1]);
    equal((await room.sub.history({ limit: 1 })).publications[0].offset, 1);

    await refused(room.sub.history({ limit: 1, since: { offset: 1,
                                                        epoch: 'none' } }),
                  112);
    await a.join('plain:history');
    await refused(a.centrifuge.history('plain:history', { limit: 1 }), 108);

    a.close();
    return true;
});


test('join and leave', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = await a.join('open:events', { joinLeave: true });
    const other = await b.join('open:events');

    await until(() => room.of('join').some((e) => e.info.client === b.id));
    other.sub.unsubscribe();
    await until(() => room.of('leave').some((e) => e.info.client === b.id));
    equal(other.of('leave').length + other.of('join').length, 0);
    a.close();
    b.close();
    return true;
});


test('joins and leaves of a room whose rule pushes them', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = await a.join('watched:1');
    const other = await b.join('watched:1');

    await until(() => room.of('join').some((e) => e.info.client === b.id));
    other.sub.unsubscribe();
    await until(() => room.of('leave').some((e) => e.info.client === b.id));
    a.close();
    b.close();
    return true;
});


test('a room that the client does not follow', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const b = await new Client(stack, '/none').connect();
    const room = await a.join('public:1');

    await b.centrifuge.publish('public:1', { from: 'b' });
    await until(() => room.data().length === 1);
    equal(room.of('publication')[0].info.client, b.id);

    const history = await b.centrifuge.history('public:1', { limit: 10 });

    equal(history.publications.map((p) => p.data), [{ from: 'b' }]);
    await until(async () => Object.keys((await b.centrifuge
        .presence('public:1')).clients).length === 1);
    equal((await b.centrifuge.presenceStats('public:1')).numClients, 1);
    await refused(b.centrifuge.publish('open:1', 1), 103);
    await refused(b.centrifuge.history('open:1', { limit: 1 }), 103);

    const closed = b.room('token:1');

    closed.sub.subscribe();
    await until(() => closed.of('unsubscribed').length === 1);
    equal(closed.of('unsubscribed')[0].code, 103);
    a.close();
    b.close();
    return true;
});


test('recovery of the last message alone', async (stack) => {
    for (const n of numbers(1, 3)) {
        await push(stack, { rooms: ['cached:1', 'latest:1'], data: n });
    }

    const a = await new Client(stack, '/none').connect();
    const plain = await a.join('cached:1');
    const latest = await a.join('latest:1');

    await until(() => latest.data().length === 1);
    equal(latest.data(), [3]);
    equal(latest.of('subscribed')[0].recovered, true);
    equal(plain.data(), []);

    const b = await new Client(stack, '/none').connect();
    const room = await b.join('cached:1', { since: {} });
    const empty = await b.join('cached:empty', { since: {} });

    await until(() => room.data().length === 1);
    equal(room.data(), [3]);
    equal(room.of('subscribed')[0].recovered, true);
    equal(empty.of('subscribed')[0].recovered, false);
    equal(empty.of('subscribed')[0].wasRecovering, true);

    b.cut();
    await until(() => room.of('subscribing').length === 2);

    for (const n of numbers(4, 6)) {
        await push(stack, { rooms: ['cached:1'], data: n });
    }

    await until(() => room.of('subscribed').length === 2
                      && room.data().at(-1) === 6);
    equal(room.data().filter((n) => n === 6).length, 1);
    a.close();
    b.close();
    return true;
});


test('messages that are in no history', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:skip');

    await push(stack, { rooms: ['open:skip'], data: 1 });
    equal(await api(stack, 'publish', { channel: 'open:skip', data: 'typing',
                                        skip_history: true }),
          {});
    await push(stack, { rooms: ['open:skip'], data: 2 });
    await until(() => room.data().length === 3);
    equal(room.data(), [1, 'typing', 2]);
    equal(room.of('publication')[1].offset, undefined);
    a.cut();
    await until(() => room.of('subscribed').length === 2);
    equal(room.of('subscribed')[1].recovered, true);
    equal(room.data(), [1, 'typing', 2]);
    a.close();
    return true;
});


test('recovery after a lost connection', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:recovery');
    const other = await a.join('open:still');

    await push(stack, { rooms: ['open:recovery'], data: 1 });
    await until(() => room.data().length === 1);

    for (let round = 0; round < 5; round++) {
        const n = room.of('subscribed').length;

        a.cut();

        for (const i of numbers(2, 11)) {
            await push(stack, { rooms: ['open:recovery'],
                                data: round * 10 + i });
        }

        await until(() => room.data().length === round * 10 + 11);
        await until(() => room.of('subscribed').length > n);

        const ctx = room.of('subscribed').at(-1);

        equal([ctx.wasRecovering, ctx.recovered], [true, true]);
    }

    equal(room.data(), numbers(1, 51));
    equal(room.of('publication').map((e) => e.offset), numbers(1, 51));
    equal(other.of('subscribed').at(-1).recovered, true);
    equal(a.of('connected').length, 6);
    a.close();
    return true;
});


test('recovery of the broadcast', async (stack) => {
    const a = await new Client(stack, '/none').connect();

    await push(stack, { all: true, data: 'one' });
    await until(() => a.of('publication', '#').length === 1);
    a.cut();
    await push(stack, { all: true, data: 'two' });
    await push(stack, { all: true, data: 'three' });
    await until(() => a.of('publication', '#').length === 3);
    a.close();
    return equal(a.of('publication', '#').map((e) => e.data),
                 ['one', 'two', 'three'])
        && equal(a.of('subscribed', '#').at(-1).recovered, true);
});


websocket('a client that stalls for a while loses nothing', async (stack) => {
    const a = await new Client(stack, '/none', {}, stack.port + 1).connect();
    const b = await new Client(stack, '/none').connect();
    const room = await a.join('open:stall');
    const other = await b.join('open:stall');
    const status = async () => (await (await fetch(
        stack.url + '/im/status')).json()).total.slow;
    const slow = await status();
    const socket = a.sockets.at(-1)._socket;

    socket.pause();

    for (const n of numbers(1, 40)) {
        await push(stack, { rooms: ['open:stall'],
                            data: { n, fill: 'x'.repeat(20000) } });
    }

    await until(() => other.data().length === 40);
    await until(async () => await status() === slow + 1);
    socket.resume();
    await until(() => room.data().length >= 40);
    equal(room.data().map((d) => d.n), numbers(1, 40));
    equal(room.of('subscribed').at(-1).recovered, true);
    a.close();
    b.close();
    return true;
});


test('a lost window is told', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('small:1');

    await push(stack, { rooms: ['small:1'], data: 1 });
    await until(() => room.data().length === 1);
    a.close();

    /* at least three are kept, and some more for speed */
    for (let i = 0; i < 30; i++) {
        await Promise.all(numbers(1, 10).map((n) =>
            push(stack, { rooms: ['small:1'], data: -n })));
    }

    await a.connect();
    await until(() => room.of('subscribed').length === 2);

    const ctx = room.of('subscribed')[1];

    equal([ctx.wasRecovering, ctx.recovered], [true, false]);
    equal(ctx.streamPosition.offset, 301);
    await push(stack, { rooms: ['small:1'], data: 2 });
    await until(() => room.data().includes(2));
    a.close();
    return equal(room.data(), [1, 2]);
});


test('errors of a subscription', async (stack) => {
    const a = await new Client(stack, '/none').connect();

    for (const [name, code] of [['nothing:1', 102], ['#', 103],
                                ['#ann', 103], ['signed:1', 103],
                                ['$secret', 103], ['x'.repeat(256), 107]])
    {
        const room = a.room(name);

        room.sub.subscribe();
        await until(() => room.of('unsubscribed').length === 1);
        equal([name, room.of('unsubscribed')[0].code], [name, code]);
    }

    equal(a.of('connected').length, 1);
    a.close();
    return true;
});


test('errors of commands', async (stack) => {
    const a = await new Client(stack, '/none').connect();

    await a.join('plain:1');
    await a.join('small:2');

    await refused(a.centrifuge.publish('small:2', 1), 103);
    await refused(a.centrifuge.publish('#', 1), 103);
    await refused(a.centrifuge.presence('plain:1'), 108);
    await refused(a.centrifuge.presenceStats('plain:1'), 108);
    await refused(a.centrifuge.history('plain:1', { limit: 1 }), 108);
    await refused(a.centrifuge.history('nothing:1', { limit: 1 }), 102);
    await refused(a.centrifuge.rpc('what', {}), 108);
    equal(a.of('connected').length, 1);
    a.close();
    return true;
});


websocket('several commands in one frame', async (stack) => {
    const raw = new Raw(stack, '/none');
    const names = ['open:a', 'open:b', 'plain:c'];

    await raw.send(['{"id":1,"connect":{}}',
        ...names.map((n, i) => `{"id":${i + 2},"subscribe":{"channel":"${n}"}}`),
        '{"id":9,"publish":{"channel":"open:a","data":1}}'].join('\n') + '\n');
    await raw.answer(9);
    await until(() => raw.frames.some((f) => f.push));
    equal(raw.frames.filter((f) => f.id && f.id < 9).map((f) => f.id),
          [1, 2, 3, 4]);
    equal((await raw.answer(9)), { id: 9, publish: {} });
    raw.ws.close();
    await raw.closed;
    return true;
});


websocket('subprotocols', async (stack) => {
    for (const [chosen, location, ...protocols] of [
        ['centrifuge-json', '/none', 'centrifuge-json', 'centrifuge-protobuf'],
        ['centrifuge-protobuf', '/none', 'centrifuge-protobuf',
         'centrifuge-json'],
        ['centrifuge-protobuf', '/none', 'x', 'centrifuge-protobuf'],
        ['centrifuge-json', '/none?cf_protocol=protobuf', 'centrifuge-json']])
    {
        const raw = new Raw(stack, location, ...protocols);

        await raw.opened;
        equal(raw.ws.protocol, chosen);
        raw.ws.close();
        await raw.closed;
    }

    return true;
});


test('one room for JSON and Protobuf', async (stack) => {
    const raw = new Raw(stack, '/none');
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:both');
    const pubs = () => raw.frames.filter((f) => f.push && f.push.pub);

    await raw.send('{"id":1,"connect":{}}\n'
                   + '{"id":2,"subscribe":{"channel":"open:both"}}');
    await raw.answer(2);
    await room.sub.publish({ a: [1] });
    await until(() => pubs().length === 1 && room.data().length === 1);
    equal(pubs()[0].push.pub.data, { a: [1] });

    await raw.send('{"id":3,"publish":{"channel":"open:both","data":[2]}}');
    await until(() => pubs().length === 2 && room.data().length === 2);

    const answer = await fetch(`${stack.url}/api/publish`, { method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"channel":"open:both","b64data":"AQL/"}' });

    equal(answer.status, 200);

    await until(() => pubs().length === 3 && room.data().length === 3);
    equal(room.data()[2], binary ? [1, 2, 255] : 'AQL/');
    equal(pubs()[2].push.pub.data, 'AQL/');
    raw.ws.close();
    a.close();
    return equal(room.data().slice(0, 2), [{ a: [1] }, [2]]);
});


websocket('what breaks the protocol', async (stack) => {
    const connect = '{"id":1,"connect":{}}';

    for (const frames of [[''], ['hello'], ['{}'], ['{"id":1}'],
        ['{"id":1,"subscribe":{"channel":"open:1"}}'],
        [connect, connect], [connect, '{"id":2,"ping":{}}'],
        [connect, '{"subscribe":{"channel":"open:1"}}'],
        [connect, '{"id":2,"subscribe":{"channel":""}}'],
        [connect, '{}'], [connect + '\n\n']])
    {
        const raw = new Raw(stack, '/none');

        for (const frame of frames) {
            await raw.send(frame);
        }

        equal([frames, (await raw.closed).code], [frames, 3501]);
    }

    const raw = new Raw(stack, '/none');

    await raw.send(connect + '\n{"send":{"data":1}}');
    return equal((await raw.closed).code, 3508);
});


websocket('no connect in time', async (stack) => {
    const raw = new Raw(stack, '/late');

    return equal((await raw.closed).code, 3502);
});


websocket('pings', async (stack) => {
    const a = await new Client(stack, '/ping').connect();
    const raw = new Raw(stack, '/silent');

    await raw.send('{"id":1,"connect":{}}');

    const { connect } = await raw.answer(1);

    equal([connect.ping, connect.pong], [1, true]);
    equal((await raw.closed).code, 3012);
    await until(() => raw.frames.filter((f) => Object.keys(f).length === 0)
        .length >= 1);
    equal(a.of('connected').length, 1);
    equal(a.centrifuge.state, 'connected');
    a.close();
    return true;
});


test('a signed-in user', async (stack) => {
    const token = jwt({ sub: 'ann', info: { name: 'Ann' } });
    const a = await new Client(stack, '/jwt', { token }).connect();
    const room = await a.join('signed:1');

    await until(() => a.of('subscribed', '#ann').length === 1);
    await push(stack, { users: ['ann'], data: 'for ann' });
    await until(() => a.of('publication', '#ann').length === 1);
    equal(a.of('publication', '#ann')[0].data, 'for ann');

    await room.sub.publish('hello');
    await until(() => room.data().length === 1);
    equal(room.of('publication')[0].info,
          { client: a.id, user: 'ann', connInfo: { name: 'Ann' } });

    const clients = await present(room, 1);

    equal(clients[a.id].connInfo, { name: 'Ann' });
    equal(clients[a.id].user, 'ann');
    await refused(a.centrifuge.history('#bob', { limit: 1 }), 103);
    equal((await a.centrifuge.history('#ann', { limit: 1 })).publications
        .map((p) => p.data), ['for ann']);
    a.close();
    return true;
});


test('offline messages', async (stack) => {
    const token = jwt({ sub: 'off' });
    const a = await new Client(stack, '/jwt', { token }).connect();

    await push(stack, { users: ['off'], data: 1 });
    await until(() => a.of('publication', '#off').length === 1);
    a.close();
    await push(stack, { users: ['off'], data: 2 });
    await push(stack, { users: ['off'], data: 3 });
    await a.connect();
    await until(() => a.of('publication', '#off').length === 3);
    a.close();
    return equal(a.of('publication', '#off').map((e) => e.data), [1, 2, 3])
        && equal(a.of('subscribed', '#off').at(-1).recovered, true);
});


test('tokens that are refused', async (stack) => {
    for (const [token, code] of [['nonsense', 3500],
        [jwt({ sub: 'ann' }, 'another key of thirty-two bytes...'), 3500]])
    {
        const a = new Client(stack, '/jwt', { token });

        a.centrifuge.connect();
        await until(() => a.of('disconnected').length === 1);
        equal(a.of('disconnected')[0].code, code);
    }

    return true;
});


test('an expired token is fetched anew', async (stack) => {
    const now = Math.floor(Date.now() / 1000);
    let asked = 0;
    const a = new Client(stack, '/jwt', {
        token: jwt({ sub: 'ann', exp: now - 60 }),
        getToken: async () => {
            asked++;
            return jwt({ sub: 'ann', exp: Math.floor(Date.now() / 1000) + 3 });
        }
    });

    a.centrifuge.connect();
    await until(() => a.of('connected').length === 1);
    await until(() => asked >= 3);
    equal(a.of('connected').length, 1);
    a.close();
    return true;
});


test('a subscription token', async (stack) => {
    const now = Math.floor(Date.now() / 1000);
    const a = await new Client(stack, '/jwt', { token: jwt({ sub: 'ann' }) })
        .connect();
    const room = await a.join('$room', {
        token: jwt({ sub: 'ann', channel: '$room', exp: now + 600 }) });

    await push(stack, { rooms: ['$room'], data: 1 });
    await until(() => room.data().length === 1);

    const wrong = a.room('$other', { token: jwt({ sub: 'ann',
        channel: '$other' }, 'another key of thirty-two bytes...') });

    wrong.sub.subscribe();
    await until(() => wrong.of('unsubscribed').length === 1);
    equal(wrong.of('unsubscribed')[0].code, 103);
    a.close();
    return true;
});


test('a subscription token is renewed', async (stack) => {
    const now = () => Math.floor(Date.now() / 1000);
    const fresh = (channel) => jwt({ sub: 'ann', channel, exp: now() + 2 });
    let asked = 0;
    const a = await new Client(stack, '/hooks', { token: jwt({ sub: 'ann' }) })
        .connect();
    const room = await a.join('$renewed', {
        token: fresh('$renewed'),
        getToken: async () => {
            asked++;
            return fresh('$renewed');
        }
    });

    await until(() => asked >= 3);
    equal(room.of('subscribed').length, 1);

    const other = await a.join('$once', {
        token: fresh('$once'),
        getToken: async () => ''
    });

    await until(() => other.of('unsubscribed').length === 1);
    a.close();
    return true;
});


test('webhooks', async (stack) => {
    const a = await new Client(stack, '/hooks').connect();

    equal(a.of('connected')[0].data, { hi: 1 });
    await until(() => a.of('subscribed', 'open:hook').length === 1);
    await push(stack, { users: ['hooked'], data: 1 });
    await until(() => a.of('publication', '#hooked').length === 1);
    equal((await a.centrifuge.rpc('what', { x: 1 })).data, { answer: 42 });

    const room = a.room('open:1');

    room.sub.subscribe();
    await until(() => room.of('unsubscribed').length === 1);
    equal(room.of('unsubscribed')[0].code, 1234);
    a.close();
    return true;
});


async function api(stack, method, body) {
    const answer = await fetch(`${stack.url}/api/${method}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body) });
    const { result, error } = await answer.json();

    if (!result) {
        throw new Error(`${method}: ${JSON.stringify(error)}`);
    }

    return result;
}


test('what the server API does to a client', async (stack) => {
    const token = jwt({ sub: 'kim', info: { name: 'Kim' } });
    const a = await new Client(stack, '/jwt', { token }).connect();
    const room = await a.join('open:api');
    const user = 'kim';

    const { offset } = await api(stack, 'publish', { channel: 'open:api',
        data: { n: 1 }, tags: { kind: 'test' } });

    await until(() => room.data().length === 1);
    equal([room.data(), room.of('publication')[0].tags, offset],
          [[{ n: 1 }], { kind: 'test' }, 1]);

    await until(async () => {
        const { presence } = await api(stack, 'presence',
                                       { channel: 'open:api' });
        return presence[a.id] && equal(presence[a.id].conn_info,
                                       { name: 'Kim' });
    });

    await api(stack, 'subscribe', { user, channel: 'open:served' });
    await until(() => a.of('subscribed', 'open:served').length === 1);
    await api(stack, 'broadcast', { channels: ['open:served', '#kim'],
                                    data: 2 });
    await until(() => a.of('publication', 'open:served').length === 1
                      && a.of('publication', '#kim').length === 1);

    a.cut();
    await api(stack, 'publish', { channel: '#kim', data: 3 });
    await until(() => a.of('publication', '#kim').length === 2);
    equal(a.of('publication', '#kim').map((e) => e.data), [2, 3]);

    await room.sub.ready(LIMIT_MS);
    await api(stack, 'unsubscribe', { user, channel: 'open:api' });
    await until(() => room.of('unsubscribed').length === 1);
    equal(room.of('unsubscribed')[0].code, 2000);

    await api(stack, 'disconnect', { user, disconnect: { code: 4000,
                                                         reason: 'again' } });
    await until(() => a.of('connecting').some((e) => e.code === 4000));
    await a.centrifuge.ready(LIMIT_MS);

    await api(stack, 'disconnect', { user });
    await until(() => a.of('disconnected').length === 1);
    return equal(a.of('disconnected')[0].code, 3503);
});


websocket('nginx quits', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:quit');
    const raw = new Raw(stack, '/none');

    await push(stack, { rooms: ['open:quit'], data: 1 });
    await until(() => room.data().length === 1);
    await raw.send('{"id":1,"connect":{}}');
    await raw.answer(1);
    await stack.end('nginx', 'QUIT');
    equal((await raw.closed).code, 3001);
    await stack.begin('nginx');
    await stack.ready();
    await push(stack, { rooms: ['open:quit'], data: 2 });
    await until(() => room.data().length === 2);
    a.close();
    return equal(room.data(), [1, 2])
        && equal(room.of('subscribed').at(-1).recovered, true);
});


http('pongs go the other way', async (stack) => {
    const a = await new Client(stack, '/ping').connect();
    const pong = (body) => (binary ? Buffer.from(body).toString('hex')
        .endsWith('1a0100') : JSON.parse(body).data === '{}');
    const pongs = () => posts.filter(pong);

    posts.length = 0;
    await until(() => pongs().length >= 4);
    equal(a.of('connected').length, 1);
    equal(a.centrifuge.state, 'connected');
    a.close();
    return true;
});


http('a client that can\'t answer pings', async (stack) => {
    const a = await new Client(stack, '/silent', {
        fetch: async (url, options) => url.endsWith('/emulation')
            ? new Response(null, { status: 204 }) : fetch(url, options)
    }).connect();

    await until(() => a.of('connecting').some((e) => e.code === 3012));
    a.close();
    return true;
});


http('the next transport when one is blocked', async (stack) => {
    const a = new Client(stack, '/none');
    const all = ['websocket', 'http_stream', 'sse'].map((name) => ({
        transport: name,
        endpoint: relay.url().replace('http', name === 'websocket' ? 'ws'
                                                                   : 'http')
            + (name === transport ? '/none' : '/blocked')
    }));

    a.centrifuge = new Centrifuge(all.slice(0, transport === 'sse' ? 3 : 2), {
        minReconnectDelay: 50, maxReconnectDelay: 500, timeout: LIMIT_MS,
        websocket: WebSocket, fetch, eventsource: EventSource, readableStream: ReadableStream,
        emulationEndpoint: relay.url() + '/emulation'
    });

    const connected = new Promise((resolve) => {
        a.centrifuge.on('connected', resolve);
    });

    const room = await (a.centrifuge.connect(), a.join('open:blocked'));

    await push(stack, { rooms: ['open:blocked'], data: 1 });
    await until(() => room.data().length === 1);
    equal((await connected).transport, transport);
    a.close();
    return true;
});


http('workers are killed', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:killed');
    const n = a.of('connected').length;
    const master = stack.pids.nginx;

    await push(stack, { rooms: ['open:killed'], data: 1 });
    await until(() => room.data().length === 1);

    for (const pid of fs.readFileSync(`/proc/${master}/task/${master}/children`,
                                      'utf8').split(' ').filter(Boolean))
    {
        process.kill(Number(pid), 'SIGKILL');
    }

    await until(() => a.of('connected').length > n);
    await stack.ready();
    await push(stack, { rooms: ['open:killed'], data: 2 });
    await until(() => room.data().length === 2);
    await room.sub.publish(3);
    await until(() => room.data().length === 3);
    a.close();
    return equal(room.data(), [1, 2, 3]);
});


http('nginx is reloaded', async (stack) => {
    const a = await new Client(stack, '/none').connect();
    const room = await a.join('open:reload');

    process.kill(stack.pids.nginx, 'SIGHUP');
    await until(() => a.of('connecting').some((e) => e.code === 3001));
    await until(() => a.of('connected').length === 2);
    await stack.ready();
    await push(stack, { rooms: ['open:reload'], data: 1 });
    await until(() => room.data().length === 1);
    await room.sub.publish(2);
    await until(() => room.data().length === 2);
    a.close();
    return equal(room.data(), [1, 2])
        && equal(room.of('subscribed').at(-1).recovered, true);
});


async function main() {
    const tap = new Tap(3);
    const stack = new Stack({
        port, rules, http: 'im_limit topic_log=64k;',
        server: `listen 127.0.0.1:${port + 1} sndbuf=16k;` + locations
    });

    tap.look = () => [last('events', told, 8)];
    relay.server.listen(0, '127.0.0.1');
    await stack.create();
    fs.writeFileSync(path.join(stack.dir, 'jwt.key'), secret);

    await run(tap, stack, async () => {
        for (const { name, code } of tests) {
            if (!process.argv[2] || name.includes(process.argv[2])) {
                told.length = 0;
                await tap.ok(name, () => code(stack));
            }
        }
    });
}


main();
