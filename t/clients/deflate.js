/*
 * Copyright (C) The im authors
 *
 * permessage-deflate with clients that others wrote: npm's ws and
 * python3-websockets, with all that they can ask for.
 */

'use strict';

const { spawn } = require('child_process');
const path = require('path');
const WebSocket = require('ws');
const { Stack, Tap, ports, run, until, within } = require('../lib/stack.js');

const port = ports();
const url = `ws://127.0.0.1:${port}/echo`;
const accepted = 'permessage-deflate; server_no_context_takeover; '
                 + 'client_no_context_takeover';

const SERVER = `
    location = /echo {
        im_comet protocol=echo;
        im_deflate on;
        im_limit message=1m replies=4m;
    }
`;

/* What ws offers, and the window of the answer. */
const OFFERS = [
    [ true, '' ],
    [ { threshold: 0, clientMaxWindowBits: 9 }, '' ],
    [ { threshold: 0, clientNoContextTakeover: true,
        serverNoContextTakeover: true }, '' ],
    [ { threshold: 0, serverMaxWindowBits: 15 },
      '; server_max_window_bits=12' ],
    [ { threshold: 0, serverMaxWindowBits: 12, clientMaxWindowBits: 15 },
      '; server_max_window_bits=12' ],
    [ { threshold: 0, serverMaxWindowBits: 9,
        zlibDeflateOptions: { level: 9, memLevel: 1 } },
      '; server_max_window_bits=9' ],
    [ { threshold: 0, zlibDeflateOptions: { level: 0 } }, '' ]
];

const MESSAGES = [
    '', 'a', 'Grüße, 世界, 𝄞', 'x'.repeat(300), 'x'.repeat(200000),
    JSON.stringify(Array.from({ length: 2000 }, (_, i) =>
        ({ id: i, name: `name ${i * 7919 % 1000}`, text: '世界'.repeat(i % 9) }))),
    Buffer.from(Array.from({ length: 70000 },
                           (_, i) => (i * i * 31 + (i >> 3)) & 0xff)),
    Buffer.alloc(65536)
];


/* Each comes back as it was; what was negotiated. */
async function echo(options) {
    const ws = new WebSocket(url, { perMessageDeflate: options });
    const messages = MESSAGES.concat(MESSAGES);
    const got = [];
    let head = '';

    ws.on('upgrade', (response) => {
        head = response.headers['sec-websocket-extensions'];
    });
    ws.on('message', (data, binary) => got.push(binary ? data : String(data)));

    await within(new Promise((resolve, reject) => {
        ws.on('error', reject);
        ws.on('close', (code) => reject(new Error(`closed with ${code}`)));
        ws.on('open', () => messages.forEach((message) => ws.send(message)));
        ws.on('message', () => got.length === messages.length && resolve());
    }));

    ws.removeAllListeners('close');
    ws.terminate();

    return messages.every((message, i) => typeof message === 'string'
        ? message === got[i] : message.equals(got[i])) && head;
}


function python() {
    const child = spawn('/usr/bin/python3',
                        [path.join(__dirname, 'deflate.py'), url],
                        { stdio: ['ignore', 'inherit', 'inherit'] });

    return new Promise((resolve) => child.on('close', resolve));
}


async function counters() {
    const answer = await fetch(`http://127.0.0.1:${port}/im/status`);
    return (await answer.json()).total;
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, server: SERVER });

    await run(tap, stack, async () => {
        for (const [options, window] of OFFERS) {
            await tap.ok(`npm ws: ${JSON.stringify(options)}`, async () =>
                await echo(options) === accepted + window);
        }

        await tap.ok('python3-websockets: all messages come back',
                     async () => await within(python()) === 0);
        await tap.ok('both sides have compressed', () => until(async () => {
            const { deflated, inflated } = await counters();
            return deflated > 50 && inflated > 100;
        }));
    });
}


main();
