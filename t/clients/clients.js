/*
 * Copyright (C) The im authors
 *
 * A push reaches clients that others wrote: npm's ws and python3-websockets.
 */

'use strict';

const { spawn } = require('child_process');
const path = require('path');
const readline = require('readline');
const WebSocket = require('ws');
const { Stack, Tap, last, ports, run, until,
        within } = require('../lib/stack.js');

const port = ports();


function node(url, frames) {
    const ws = new WebSocket(url);

    ws.on('open', () => ws.send('{"auth":null,"roomId":1}'));
    ws.on('message', (data, binary) => {
        frames.push(binary ? 'binary' : JSON.parse(data.toString()));
    });
    ws.on('error', (e) => frames.push(e.message));

    return ws;
}


function python(url, frames) {
    const child = spawn('/usr/bin/python3', [path.join(__dirname, 'client.py'),
                                             url],
                        { stdio: ['pipe', 'pipe', 'inherit'] });

    child.closed = new Promise((resolve) => child.on('close', resolve));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
        frames.push(JSON.parse(line));
    });

    return child;
}


function wait(frames, msg) {
    return until(() => frames.filter((f) => f.op === 3
                                            && f.msg === msg).length === 1);
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port });
    const url = `ws://127.0.0.1:${port}/ws`;
    const ours = [];
    const theirs = [];

    tap.look = () => [last('npm ws', ours), last('python3-websockets', theirs)];

    await run(tap, stack, async () => {
        const ws = node(url, ours);
        const child = python(url, theirs);

        await tap.ok('npm ws: the room-info frame', () => until(
            () => ours.some((f) => f.op === 4)));
        await tap.ok('python3-websockets: the room-info frame', () => until(
            () => theirs.some((f) => f.op === 4)));

        for (const text of ['hello room 1', 'Grüße, 世界, 𝄞',
                            'x'.repeat(70000)])
        {
            const name = text.length > 20 ? 'a long message' : text;

            await stack.push({ rooms: ['1'], data: { msg: text } });
            await tap.ok(`npm ws: ${name}`, () => wait(ours, text));
            await tap.ok(`python3-websockets: ${name}`,
                         () => wait(theirs, text));
        }

        let pong = false;

        ws.on('pong', (data) => { pong = data.toString() === 'are you there'; });
        ws.ping('are you there');
        await tap.ok('npm ws: a ping is answered', () => until(() => pong));

        const closed = new Promise((resolve) => ws.on('close', resolve));

        ws.close(1000);
        await tap.ok('npm ws: closes with 1000',
                     async () => await within(closed) === 1000);

        child.stdin.end();
        await tap.ok('python3-websockets: closes with 1000',
                     async () => await within(child.closed) === 0);

        const last = node(url, ours);
        const code = new Promise((resolve) => last.on('close', resolve));

        await until(() => last.readyState === WebSocket.OPEN);
        await stack.end('nginx', 'QUIT');
        await tap.ok('npm ws: 1012 when nginx quits',
                     async () => await within(code) === 1012);
    });
}


main();
