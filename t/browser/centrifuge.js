/*
 * Copyright (C) The im authors
 *
 * Pages with centrifuge-js in Chromium: what a page does with it, and that no
 * message is lost, doubled or out of order while workers and Redis are killed
 * under pushes.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const { context, run } = require('./browser.js');
const { LIMIT_MS, Stack, Tap, until, ports } = require('../lib/stack.js');

const port = ports();
const library = path.join(__dirname, 'node_modules/centrifuge/dist');
const channels = ['open:1', 'open:2', '#'];

const extra = `
        location = /centrifuge.js { alias "${library}/centrifuge.js"; }

        location = /records {
            default_type text/html;
            return 200 '<!doctype html><script src=/centrifuge.js></script>';
        }

`;


const rules = `
    im_room open:* history=20000 ttl=1h presence publish=member;
    im_room *      history=0;
    im_inbox       history=100 ttl=1h;
    im_broadcast   history=20000 ttl=1h;
`;


/* Runs in the page: keeps all events, in order. */
function record({ url, rooms, timeout }) {
    const told = window.told = {};
    const centrifuge = window.centrifuge = new window.Centrifuge(url, {
        minReconnectDelay: 50, maxReconnectDelay: 1000, timeout
    });

    const keep = (channel, name, ctx) => {
        (told[channel] = told[channel] || []).push({ name, data: ctx.data,
            offset: ctx.offset, position: ctx.streamPosition, code: ctx.code,
            wasRecovering: ctx.wasRecovering, recovered: ctx.recovered });
    };

    for (const name of ['subscribed', 'publication']) {
        centrifuge.on(name, (ctx) => keep(ctx.channel, name, ctx));
    }

    for (const name of ['connected', 'disconnected']) {
        centrifuge.on(name, (ctx) => keep('', name, ctx));
    }

    for (const room of rooms) {
        const sub = centrifuge.newSubscription(room);

        for (const name of ['subscribing', 'subscribed', 'unsubscribed',
                            'publication'])
        {
            sub.on(name, (ctx) => keep(room, name, ctx));
        }

        sub.subscribe();
    }

    centrifuge.connect();

    return centrifuge.ready(60000);
}


function count(page, channel, name) {
    return page.evaluate(([c, n]) => (window.told[c] || [])
        .filter((e) => e.name === n).length, [channel, name]);
}


function told(page, channel, name) {
    return page.evaluate(([c, n]) => (window.told[c] || [])
        .filter((e) => e.name === n), [channel, name]);
}


/* One after another, each until it is accepted. */
class Publisher {
    constructor(stack, channel) {
        this.stack = stack;
        this.channel = channel;
        this.n = 0;
        this.refused = 0;
        this.on = true;
        this.fault = null;
        this.done = this.run().catch((e) => {
            this.fault = e;
        });
    }

    async run() {
        while (this.on) {
            await this.push(this.n + 1);
            this.n++;
        }
    }

    async push(n) {
        const body = { id: `${this.channel} ${n}`, data: n };

        if (this.channel === '#') {
            body.all = true;

        } else {
            body.rooms = [this.channel];
        }

        for (const end = Date.now() + LIMIT_MS; Date.now() < end; ) {
            const answer = await this.stack.askPush(body).catch(() => null);

            if (answer && answer.ok) {
                await answer.arrayBuffer();
                await new Promise((resolve) => setTimeout(resolve, 10));
                return;
            }

            this.refused++;
            await new Promise((resolve) => setTimeout(resolve, 50));
        }

        throw new Error(`${this.channel} ${n} was never accepted`);
    }

    /* n more from now on have been accepted. */
    more(n) {
        const wanted = this.n + n;

        return until(() => this.fault || this.n >= wanted);
    }
}


function children(pid) {
    return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
        .split(' ').filter(Boolean).map(Number);
}


/* One that runs, until another one is in its place. */
async function killWorker(stack, pid) {
    const master = stack.pids.nginx;
    const n = children(master).length;

    process.kill(pid, 'SIGKILL');

    await until(() => {
        const now = children(master);
        return now.length === n && !now.includes(pid);
    });
}


/* Its absence is noticed. */
async function restartRedis(stack, publishers, signal) {
    const before = publishers.map((p) => p.refused);

    await stack.end('redis', signal);
    await until(() => publishers.some((p, i) => p.refused > before[i]));
    await stack.begin('redis');
}


/* All of 1..n once, in order, and offsets that say the same. */
async function verdict(page, channel, n) {
    const got = await told(page, channel, 'publication');
    const begun = await told(page, channel, 'subscribed');
    const holes = begun.filter((e) => e.wasRecovering && !e.recovered);
    let wrong = '';

    got.forEach((e, i) => {
        if (!wrong && (e.data !== i + 1
                       || (i > 0 && e.offset !== got[i - 1].offset + 1)))
        {
            wrong = `${channel}: ${e.data} at offset ${e.offset} is number `
                + (i + 1);
        }
    });

    if (wrong || got.length !== n || holes.length > 0) {
        throw new Error(`${wrong}; ${got.length} of ${n}, `
                        + `${holes.length} holes told\n`
                        + JSON.stringify(begun));
    }

    return begun.length;
}


async function use(tap, stack, browser) {
    const a = await (await context(browser)).newPage();
    const b = await (await context(browser)).newPage();
    const url = stack.url.replace('http', 'ws') + '/connection/websocket';

    for (const page of [a, b]) {
        await page.goto(stack.url + '/records');
        await page.evaluate(record, { url, rooms: ['open:a', 'open:b'],
                                      timeout: LIMIT_MS });
    }

    for (const channel of ['open:a', 'open:b']) {
        for (const page of [a, b]) {
            await until(async () =>
                await count(page, channel, 'subscribed') === 1);
        }
    }

    await tap.ok('two pages, two rooms each', true);

    await a.evaluate(() => window.centrifuge.publish('open:a', { n: 1 }));
    await tap.ok('one publishes, both get it', () => until(async () =>
        await count(a, 'open:a', 'publication') === 1
        && await count(b, 'open:a', 'publication') === 1));

    await tap.ok('presence knows both', () => until(async () =>
        Object.keys((await a.evaluate(() =>
            window.centrifuge.presence('open:b'))).clients).length === 2));

    await tap.ok('history has what was published', async () => {
        const { publications } = await b.evaluate(() =>
            window.centrifuge.history('open:a', { limit: 10 }));
        return publications.length === 1 && publications[0].data.n === 1;
    });

    await a.close();
    await tap.ok('a closed page leaves', () => until(async () =>
        (await b.evaluate(() => window.centrifuge.presenceStats('open:b')))
            .numClients === 1));
    await b.close();
}


async function survive(tap, stack, browser) {
    const url = stack.url.replace('http', 'ws') + '/connection/websocket';
    const pages = [];

    for (let i = 0; i < 3; i++) {
        const page = await (await context(browser)).newPage();

        pages.push(page);
        await page.goto(stack.url + '/records');
        await page.evaluate(record, { url,
            rooms: channels.filter((c) => c !== '#'), timeout: 5000 });

        for (const channel of channels) {
            await until(async () =>
                await count(page, channel, 'subscribed') === 1);
        }
    }

    const publishers = channels.map((c) => new Publisher(stack, c));
    const more = (n) => Promise.all(publishers.map((p) => p.more(n)));

    const workers = () => children(stack.pids.nginx);

    const kills = [
        ['a worker is killed', () => killWorker(stack, workers()[0])],
        ['the other one is killed', () => killWorker(stack, workers()[0])],
        ['Redis is killed and starts again',
         () => restartRedis(stack, publishers, 'KILL')],
        ['Redis ends and starts again',
         () => restartRedis(stack, publishers, 'TERM')],
        ['both workers are killed', async () => {
            for (const pid of workers()) {
                await killWorker(stack, pid);
            }
        }],
        ['Redis and a worker are killed', async () => {
            await killWorker(stack, workers()[0]);
            await restartRedis(stack, publishers, 'KILL');
        }]
    ];

    await more(20);

    for (const [name, kill] of kills) {
        await kill();
        await tap.ok(name + ', pushes are accepted again', async () => {
            await more(20);

            for (const { fault } of publishers) {
                if (fault) {
                    throw fault;
                }
            }

            return true;
        });
    }

    publishers.forEach((p) => { p.on = false; });
    await Promise.all(publishers.map((p) => p.done));

    for (const { channel, n, refused } of publishers) {
        for (const [i, page] of pages.entries()) {
            await until(async () =>
                await count(page, channel, 'publication') >= n)
                .catch(() => {});
            await tap.ok(`page ${i + 1}: ${channel} once, in order, no hole`,
                async () => {
                    const begun = await verdict(page, channel, n);
                    console.log(`# ${n} accepted, ${refused} times repeated, `
                                + `subscribed ${begun} times`);
                    return true;
                });
        }
    }

    await tap.ok('the pages had to connect again', async () => {
        for (const page of pages) {
            if (await count(page, '', 'connected') < 2) {
                return false;
            }
        }
        return true;
    });
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, rules, server: extra,
                              appendfsync: 'always' });

    await run(tap, stack, async (browser) => {
        await use(tap, stack, browser);
        await survive(tap, stack, browser);
    });
}


main();
