/*
 * Copyright (C) The im authors
 *
 * permessage-deflate in Chromium: what it offers is accepted, and messages of a
 * room, compressed once for all pages, arrive as they are.  Prints TAP.
 */

'use strict';

const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { context, run } = require('./browser.js');

const port = ports();

const SERVER = `
    location = /echo { im_comet protocol=echo; im_deflate on; im_limit message=1m; }
    location = /room { im_comet protocol=centrifuge; im_deflate on; }
`;

const TEXTS = ['', 'a', '你好，世界 👩‍👩‍👧‍👦'.repeat(50), 'x'.repeat(200000)];


/* In the page: texts and bytes come back; what was negotiated. */
function echo([url, texts]) {
    return new Promise((resolve, reject) => {
        const ws = new WebSocket(url);
        const bytes = new Uint8Array(100000).map((_, i) => i * i * 31 >> 3);
        const got = [];

        ws.binaryType = 'arraybuffer';
        ws.onclose = (e) => reject(new Error(`closed with ${e.code}`));
        ws.onopen = () => texts.concat(bytes).forEach((m) => ws.send(m));
        ws.onmessage = (e) => {
            got.push(e.data);

            if (got.length === texts.length + 1) {
                const back = new Uint8Array(got.pop());
                const same = got.every((text, i) => text === texts[i])
                    && back.length === bytes.length
                    && back.every((b, i) => b === bytes[i]);
                resolve(same && ws.extensions);
            }
        };
    });
}


/* In the page: it keeps the data of the room's messages. */
function join(url) {
    return new Promise((resolve) => {
        const ws = new WebSocket(url);

        window.got = [];
        ws.onopen = () => ws.send('{"id":1,"connect":{}}\n'
                                  + '{"id":2,"subscribe":{"channel":"1"}}');
        ws.onmessage = (e) => e.data.split('\n').map(JSON.parse).forEach((m) => {
            if (m.id === 2) {
                resolve(ws.extensions);
            } else if (m.push && m.push.pub) {
                window.got.push(m.push.pub.data);
            }
        });
    });
}


async function counters() {
    const answer = await fetch(`http://127.0.0.1:${port}/im/status`);
    return (await answer.json()).total;
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, workers: 1, server: SERVER });
    const accepted = 'permessage-deflate; server_no_context_takeover; '
                     + 'client_no_context_takeover';
    const url = `ws://127.0.0.1:${port}`;

    await run(tap, stack, async (browser) => {
        const from = await context(browser);
        const pages = [];

        for (let i = 0; i < 3; i++) {
            pages.push(await from.newPage());
            await pages[i].goto(stack.url);
        }

        await tap.ok('messages come back', async () =>
            await pages[0].evaluate(echo, [`${url}/echo`, TEXTS]) === accepted);

        for (const page of pages) {
            await tap.ok('a page joins', async () =>
                await page.evaluate(join, `${url}/room`) === accepted);
        }

        /* the counters are a second old at most */

        await until(async () => (await counters()).inflated >= 4);

        const before = (await counters()).deflated;

        for (let i = 1; i <= 20; i++) {
            await stack.push({ rooms: ['1'],
                               data: { i, text: '你好，世界 '.repeat(100) } });
        }

        for (const page of pages) {
            await tap.ok('all messages of the room arrive', () => until(
                async () => await page.evaluate(() => window.got.length === 20
                    && window.got.every((m, i) => m.i === i + 1
                        && m.text === '你好，世界 '.repeat(100)))));
        }

        await tap.ok('each was compressed once', () => until(async () =>
            (await counters()).deflated === before + 20));
    });
}


main();
