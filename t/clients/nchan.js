/*
 * Copyright (C) The im authors
 *
 * nchan's own client, npm's nchan, unchanged: by WebSocket (ws+meta.nchan) and
 * by EventSource, through reloads of nginx.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const { Stack, Tap, last, ports, run, until } = require('../lib/stack.js');

/* it looks for a browser */
global.window = global;
global.addEventListener = () => {};
global.WebSocket = require('ws');
global.EventSource = require('eventsource');

const NchanSubscriber = require('nchan');

const port = ports();

/* The locations that docs/migrating-from-nchan.md shows. */
const SERVER = fs.readFileSync(path.join(
    __dirname, '../../docs/migrating-from-nchan.md'), 'utf8')
    .match(/^```nginx\n[^]*?^        listen 8000;\n([^]*?)^    }$/m)[1]
    .replace('127.0.0.1:8100', `127.0.0.1:${port + 9}`);

const RULES = 'im_room * history=1000 ttl=1h;\n';


function subscribe(transport, id, got) {
    const sub = new NchanSubscriber(`http://127.0.0.1:${port}/sub/${id}`, {
        subscriber: transport
    });

    sub.reconnectTimeout = 50;
    sub.connects = 0;
    sub.on('connect', () => { sub.connects++; });
    sub.on('message', (message, meta) => got.push({ message, meta }));
    sub.start();

    return sub;
}


function followed(stack, id, n) {
    return until(async () => {
        const answer = await fetch(`${stack.url}/im/rooms/${id}`);

        return (await answer.json()).data.count === n;
    });
}


/* A connection of fetch() may end with its worker. */
async function push(stack, room, data) {
    await until(async () => (await stack.push({ rooms: [room],
        id: `${room} ${data}`, data }).catch(() => ({}))).ok);
}


function texts(got) {
    return got.map((m) => m.message).join(' ');
}


async function messages(tap, stack, transport) {
    const id = `room_${transport}`;
    const got = [];
    const sub = subscribe(transport, id, got);
    const wanted = [];

    tap.look = () => [last(transport, got)];

    await followed(stack, id, 1);

    for (const data of [{ a: 1 }, 'a\nb', 7]) {
        await stack.push({ rooms: [id], data });
    }

    await tap.ok(`${transport}: messages`, async () => {
        await until(() => got.length === 3);
        return texts(got) === '{"a":1} "a\\nb" 7';
    });
    await tap.ok(`${transport}: positions`, () =>
        got.every((m) => /^\w+:\d+$/.test(m.meta.id)));

    await tap.ok(`${transport}: the type of the content`, () =>
        transport === 'eventsource'
        || got[0].meta['content-type'] === 'application/json');

    got.length = 0;

    let n = 0;

    for (let reload = 0; reload < 3; reload++) {
        const before = sub.connects;

        process.kill(stack.pids.nginx, 'SIGHUP');

        for (let i = 0; i < 20; i++) {
            wanted.push(String(n));
            await push(stack, id, n++);
        }

        await until(() => sub.connects > before);
    }

    await tap.ok(`${transport}: nothing is lost in reloads, or comes twice`,
        async () => {
            await until(() => got.length >= wanted.length);
            return texts(got) === wanted.join(' ');
        });

    sub.stop();

    /* another one goes on from the last message of the first one */

    const rest = [];
    const again = new NchanSubscriber(
        `http://127.0.0.1:${port}/sub/${id}`,
        { subscriber: transport, id: got[got.length - 3].meta.id });

    again.on('message', (message) => rest.push({ message }));
    again.start();

    await tap.ok(`${transport}: goes on from an id`, async () => {
        await until(() => rest.length >= 2);
        return texts(rest) === wanted.slice(-2).join(' ');
    });

    again.stop();
}


async function publisher(tap, stack) {
    const got = [];
    const sub = subscribe('websocket', 'raw', got);

    await followed(stack, 'raw', 1);

    const answer = await fetch(`${stack.url}/pub?id=raw`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
        body: 'just text'
    });

    await tap.ok('the publisher of nchan: a body is the message', async () => {
        await until(() => got.length > 0);
        return answer.ok && got[0].message === 'just text'
               && got[0].meta['content-type'] === undefined;
    });

    sub.stop();
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, server: SERVER, rules: RULES,
                              logic: [`--http=127.0.0.1:${port + 9}`] });

    await run(tap, stack, async () => {
        await messages(tap, stack, 'websocket');
        await messages(tap, stack, 'eventsource');
        await publisher(tap, stack);
    });
}


main();
