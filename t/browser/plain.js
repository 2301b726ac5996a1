/*
 * Copyright (C) The im authors
 *
 * A page without a library in Chromium: EventSource and a raw WebSocket of the
 * plain protocol, and nchan's own client, through a reload of nginx.
 */

'use strict';

const path = require('path');
const { context, run } = require('./browser.js');
const { Stack, Tap, until, ports } = require('../lib/stack.js');

const port = ports();
const library = path.join(__dirname, 'node_modules/nchan');

const extra = `
        location = /nchan.js { alias "${library}/NchanSubscriber.js"; }

        location = /empty {
            default_type text/html;
            return 200 '<!doctype html><script src=/nchan.js></script>';
        }

        location = /sub {
            im_comet   protocol=plain;
            im_join    $arg_room;
            im_connect /im_connect;
        }
`;

const rules = 'im_room * history=1000 ttl=1h publish=anyone;\n';


/* Runs in the page. */
function start() {
    const url = '/sub?room=a%3A1';
    const got = window.got = { events: [], frames: [], nchan: [], bytes: [] };
    const events = new window.EventSource(url);
    const nchan = new window.NchanSubscriber(url + '&_=1',
                                             { subscriber: 'websocket' });

    window.opens = { events: 0, frames: 0, nchan: 0 };
    events.onopen = () => window.opens.events++;
    events.onmessage = (e) => got.events.push(e.data);

    /* as pages do it: again after the end, with the last messages */

    (function connect(last) {
        const ws = window.ws = new window.WebSocket(
            url.replace('/', `ws://${window.location.host}/`) + last);

        ws.onopen = () => window.opens.frames++;
        ws.onmessage = (e) => {
            if (typeof e.data !== 'string') {
                got.bytes.push(e.data.size);

            } else if (!got.frames.includes(e.data)) {
                got.frames.push(e.data);
            }
        };
        ws.onclose = () => setTimeout(connect, 50, '&last=100');
    }(''));

    nchan.reconnectTimeout = 50;
    nchan.on('connect', () => window.opens.nchan++);
    nchan.on('message', (message) => got.nchan.push(
        typeof message === 'string' ? message : `${message.size} bytes`));
    nchan.start();
}


/* A connection of fetch() may end with its worker. */
async function push(stack, room, data) {
    await until(async () => (await stack.push({ rooms: [room],
        id: `${room} ${data}`, data }).catch(() => ({}))).ok);
}


async function followed(stack, n) {
    const answer = await fetch(`${stack.url}/im/rooms/a%3A1`);

    return (await answer.json()).data.count === n;
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, rules, server: extra });

    await run(tap, stack, async (browser) => {
        const page = await (await context(browser)).newPage();
        const got = () => page.evaluate(() => window.got);
        const all = (n) => until(async () => {
            const { events, frames, nchan } = await got();

            return [events, frames, nchan].every((l) => l.length >= n);
        });
        const wanted = [];

        await page.goto(stack.url + '/empty');
        await page.evaluate(start);
        await until(() => followed(stack, 3));

        await page.evaluate(() => window.ws.send('Grüße\nfrom the page'));
        wanted.push('Grüße\nfrom the page');
        await all(1);
        await tap.ok('what a page sends comes to all', async () =>
            Object.values(await got()).slice(0, 3).every((list) =>
                list[0] === wanted[0]));

        const before = await page.evaluate(() => window.opens);

        process.kill(stack.pids.nginx, 'SIGHUP');

        for (let i = 0; i < 50; i++) {
            wanted.push(String(i));
            await push(stack, 'a:1', i);
        }

        await until(() => page.evaluate((b) => Object.keys(b).every((k) =>
            window.opens[k] > b[k]), before));
        await all(wanted.length);

        const after = await got();

        await tap.ok('EventSource: nothing is lost in a reload', () =>
            after.events.join('|') === wanted.join('|'));
        await tap.ok('NchanSubscriber.js: nothing is lost in a reload', () =>
            after.nchan.join('|') === wanted.join('|'));
        await tap.ok('WebSocket with last=: nothing is lost in a reload', () =>
            after.frames.slice().sort().join('|')
            === wanted.slice().sort().join('|'));

        await page.evaluate(() => window.ws.send(
            new window.Uint8Array([0, 255, 10])));
        await until(async () => (await got()).bytes.length > 0);
        await tap.ok('bytes come as a binary frame', async () =>
            (await got()).bytes[0] === 3);
        await until(async () => (await got()).nchan.length
                                > wanted.length);
        await tap.ok('NchanSubscriber.js: bytes without their head', async () =>
            (await got()).nchan.pop() === '3 bytes');
        await page.close();
    });
}


main();
