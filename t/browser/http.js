/*
 * Copyright (C) The im authors
 *
 * Pages over HTTP streaming and server-sent events in Chromium: centrifuge-js
 * with emulation, from the same host and from another one, while workers are
 * killed and nginx is reloaded; and a page without a library.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const { context, run } = require('./browser.js');
const { LIMIT_MS, Stack, Tap, until, ports } = require('../lib/stack.js');

const port = ports();
const library = path.join(__dirname, 'node_modules/centrifuge/dist');
const other = `http://localhost:${port}`;

const extra = `
        location = /centrifuge.js { alias "${library}/centrifuge.js"; }

        location = /empty {
            default_type text/html;
            return 200 '<!doctype html><script src=/centrifuge.js></script>';
        }

        location = /sse {
            im_comet protocol=centrifuge transport=sse;
            im_connect /im_connect;
            im_allow_origin self ${other};
            im_ping 1s timeout=30s;
        }

        location = /http_stream {
            im_comet protocol=centrifuge transport=http_stream;
            im_connect /im_connect;
            im_allow_origin self ${other};
            im_ping 1s timeout=30s;
        }

        location = /strict { im_comet protocol=centrifuge_uni; }
        location = /uni {
            im_comet protocol=centrifuge_uni;
            im_allow_origin self ${other};
        }

        location = /blocked { return 403; }
        location = /emulation {
            im_emulation;
            im_allow_origin self ${other};
        }

`;

const rules = `
    im_room open:* history=1000 ttl=1h presence publish=member;
    im_room *      history=0;
    im_inbox       history=100 ttl=1h;
`;


/* Runs in the page: keeps all events, in order. */
function start({ transports, base, room, timeout }) {
    const told = window.told = [];
    const centrifuge = window.centrifuge = new window.Centrifuge(
        transports.map(([transport, name]) => ({ transport,
            endpoint: (transport === 'websocket' ? base.replace('http', 'ws')
                                                 : base) + name })), {
            minReconnectDelay: 50, maxReconnectDelay: 1000, timeout,
            emulationEndpoint: base + '/emulation'
        });
    const keep = (name) => (ctx) => told.push({ name, data: ctx.data,
        code: ctx.code, transport: ctx.transport, recovered: ctx.recovered });

    for (const name of ['connecting', 'connected', 'disconnected']) {
        centrifuge.on(name, keep(name));
    }

    const sub = window.sub = centrifuge.newSubscription(room);

    for (const name of ['subscribed', 'unsubscribed', 'publication']) {
        sub.on(name, keep(name));
    }

    sub.subscribe();
    centrifuge.connect();

    return sub.ready(timeout);
}


function told(page, name) {
    return page.evaluate((n) => window.told.filter((e) => e.name === n), name);
}


async function count(page, name) {
    return (await told(page, name)).length;
}


async function open(browser, url, options) {
    const page = await (await context(browser)).newPage();

    await page.goto(url + '/empty');
    await page.evaluate(start, { timeout: LIMIT_MS, ...options });

    return page;
}


async function push(stack, room, data) {
    await until(async () => (await stack.push({ rooms: [room],
        id: `${room} ${data}`, data }).catch(() => ({}))).ok);
}


function workers(stack) {
    const master = stack.pids.nginx;

    return fs.readFileSync(`/proc/${master}/task/${master}/children`, 'utf8')
        .split(' ').filter(Boolean).map(Number);
}


async function use(tap, stack, browser, transport, base, url) {
    const room = `open:${transport}:${url === base ? 'self' : 'other'}`;
    const name = (text) => `${transport}, ${url === base ? 'same' : 'another'}`
        + ` origin: ${text}`;
    const page = await open(browser, url, { base, room,
        transports: [[transport, '/' + transport]] });

    await tap.ok(name('a subscription'), async () =>
        (await told(page, 'connected'))[0].transport === transport);

    await page.evaluate(() => window.sub.publish(1));
    await push(stack, room, 2);
    await tap.ok(name('its own message, and a push'), () => until(async () =>
        await count(page, 'publication') === 2));

    await tap.ok(name('presence, history, an rpc'), async () => {
        const got = await page.evaluate(async () => [
            (await window.sub.presenceStats()).numClients,
            (await window.sub.history({ limit: 10 })).publications
                .map((p) => p.data),
            await window.centrifuge.rpc('x', {}).catch((e) => e.code)
        ]);
        return JSON.stringify(got) === '[1,[1,2],108]';
    });

    await tap.ok(name('unsubscribe and subscribe'), async () => {
        await page.evaluate(() => {
            window.sub.unsubscribe();
            window.sub.subscribe();
        });
        await until(async () => await count(page, 'subscribed') === 2);
        return (await told(page, 'subscribed'))[1].recovered;
    });

    return [page, room];
}


async function survive(tap, stack, transport, page, room) {
    const name = (text) => `${transport}: ${text}`;
    let n = await count(page, 'connected');

    for (const pid of workers(stack)) {
        process.kill(pid, 'SIGKILL');
    }

    await until(async () => await count(page, 'connected') > n);
    await push(stack, room, 3);
    await page.evaluate(() => window.sub.ready());
    await page.evaluate(() => window.sub.publish(4));
    await tap.ok(name('workers are killed'), () => until(async () =>
        await count(page, 'publication') === 4));

    n = await count(page, 'connected');
    process.kill(stack.pids.nginx, 'SIGHUP');
    await until(async () => await count(page, 'connected') > n);
    await push(stack, room, 5);
    await page.evaluate(() => window.sub.ready());
    await page.evaluate(() => window.sub.publish(6));
    await until(async () => await count(page, 'publication') === 6);
    await tap.ok(name('nginx is reloaded, all came once and in order'),
        async () => JSON.stringify((await told(page, 'publication'))
            .map((e) => e.data)) === '[1,2,3,4,5,6]'
            && (await told(page, 'connecting')).some((e) => e.code === 3001));
}


async function fallback(tap, stack, browser) {
    const all = [['websocket', '/blocked'], ['http_stream', '/http_stream'],
                 ['sse', '/sse']];
    const page = await open(browser, stack.url, { base: stack.url,
        room: 'open:fallback', transports: all });

    await tap.ok('WebSocket is blocked: HTTP streaming', async () =>
        (await told(page, 'connected'))[0].transport === 'http_stream');
    await page.close();

    all[1][1] = '/blocked';

    const last = await open(browser, stack.url, { base: stack.url,
        room: 'open:fallback', transports: all });

    await tap.ok('HTTP streaming is blocked too: events', async () =>
        (await told(last, 'connected'))[0].transport === 'sse');
    await last.close();
}


/* A page without a library. */
async function plain(tap, stack, browser) {
    const page = await (await context(browser)).newPage();
    const listen = ([base, where]) => {
        const events = new window.EventSource(base + where + '?cf_connect='
            + encodeURIComponent('{"subs":{"open:plain":{}}}'));

        window.got = [];
        window.failed = 0;
        events.onmessage = (e) => window.got.push(JSON.parse(e.data));
        events.onerror = () => window.failed++;
    };
    const pubs = () => page.evaluate(() => window.got.filter((p) => p.pub)
        .map((p) => [p.channel, p.pub.data]));

    for (const [url, data] of [[stack.url, 1], [other, 2]]) {
        await page.goto(url + '/empty');
        await page.evaluate(listen, [stack.url, '/uni']);
        await until(() => page.evaluate(() => window.got.length > 0));
        await push(stack, 'open:plain', data);
        await until(async () => (await pubs()).length === 1);
        await tap.ok(`events without a library at ${url}`, async () =>
            JSON.stringify(await pubs()) === `[["open:plain",${data}]]`
            && page.evaluate(() => 'connect' in window.got[0]));
    }

    await page.evaluate(listen, [stack.url, '/strict']);
    await until(() => page.evaluate(() => window.failed > 0));
    await tap.ok('an origin that is not allowed gets nothing', () =>
        page.evaluate(() => window.got.length === 0));
    await page.close();
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, rules, server: extra });

    await run(tap, stack, async (browser) => {
        for (const transport of ['http_stream', 'sse']) {
            const [page, room] = await use(tap, stack, browser, transport,
                                           stack.url, stack.url);

            await survive(tap, stack, transport, page, room);
            await page.close();

            const [far] = await use(tap, stack, browser, transport, stack.url,
                                    other);

            await far.close();
        }

        await fallback(tap, stack, browser);
        await plain(tap, stack, browser);
    });
}


main();
