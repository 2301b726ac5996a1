/*
 * Copyright (C) The im authors
 *
 * The bots of examples/bot/: what they answer, once and no more, through a
 * reload of nginx and their own restarts.
 */

'use strict';

const { spawn } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const WebSocket = require('ws');
const { Centrifuge } = require('centrifuge');
const { LIMIT_MS, Stack, Tap, last, ports, run, until,
        within } = require('../lib/stack.js');

const port = ports();
const hookPort = port + 5;
const secret = 'a secret of at least thirty-two bytes';
const folder = path.join(__dirname, '..', '..', 'examples', 'bot');

/*
 * The nginx block of docs/bots.md, but for its names of files and ports, and for
 * locations that the stack has.
 */
const page = fs.readFileSync(path.join(__dirname, '..', '..', 'docs',
                                       'bots.md'), 'utf8');

/* What rooms and bots said. */
const seen = [];
const lines = [];


function block(from, to) {
    const text = page.slice(page.indexOf(from));

    return text.slice(0, text.indexOf(to))
        .replaceAll('/etc/im/secret', 'jwt.key')
        .replaceAll('/connection/websocket', '/bots')
        .replace(/location = \/im_connect.*/, '')
        /* on a busy machine */
        .replace(/(proxy_read_timeout) +1s;/, '$1 60s;')
        .replaceAll('127.0.0.1:9000', `127.0.0.1:${hookPort}`);
}


function jwt(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value))
        .toString('base64url');
    const text = part({ alg: 'HS256', typ: 'JWT' }) + '.' + part(claims);

    return text + '.' + crypto.createHmac('sha256', secret).update(text)
        .digest('base64url');
}


/* A bot's process, which may be started again. */
class Bot {
    constructor(stack, name, program, env) {
        this.name = name;
        this.program = program;
        this.state = path.join(stack.dir, `${name}.json`);
        this.env = {
            ...process.env,
            NODE_PATH: path.join(__dirname, 'node_modules'),
            PYTHONPATH: path.join(__dirname, 'python', '0.7.0'),
            IM_URL: `ws://127.0.0.1:${port}/bots`,
            IM_API: `${stack.url}/im`,
            IM_SECRET: path.join(stack.dir, 'jwt.key'),
            BOT_USER: `bot:${name}`,
            BOT_NAME: name,
            BOT_ROOMS: 'lobby',
            BOT_STATE: this.state,
            ...env
        };
        this.said = [];
    }

    async start(ready) {
        const from = this.said.length;

        this.child = spawn(this.program[0], [path.join(folder,
                                                       this.program[1])],
                           { env: this.env,
                             stdio: ['ignore', 'pipe', 'inherit'] });
        this.closed = new Promise((resolve) => this.child.on('close', resolve));
        readline.createInterface({ input: this.child.stdout })
            .on('line', (line) => {
                this.said.push(line);
                lines.push(`${this.name}: ${line}`);
            });

        await until(() => this.said.slice(from).some(
            (line) => line.includes(ready)));
    }

    async stop(signal = 'SIGTERM') {
        this.child.kill(signal);

        return await within(this.closed);
    }

    count(text) {
        return this.said.filter((line) => line.includes(text)).length;
    }
}


async function member(user, name) {
    const client = new Centrifuge(
        `ws://127.0.0.1:${port}/bots`, {
            websocket: WebSocket,
            timeout: LIMIT_MS,
            minReconnectDelay: 50,
            token: jwt({ sub: user, info: { name } })
        });
    const sub = client.newSubscription('lobby');

    client.on('error', (ctx) => lines.push(`${user}: ${ctx.error.message}`));
    sub.subscribe();
    client.connect();
    await sub.ready(LIMIT_MS);

    return { client, sub };
}


async function talk(tap, stack, bots) {
    const { node, python, hook } = bots;
    const all = [node, python, hook];
    const ann = await member('ann', 'Ann');
    const other = await member('bot:other', 'Other');
    let end = 0;

    ann.sub.on('publication', (pub) => {
        if (pub.data.end === undefined) {
            seen.push(pub.info ? `${pub.info.user}: ${pub.data.msg}`
                               : pub.data.msg);
        }

        end = pub.data.end ?? end;
    });

    const say = (msg, who = ann) => who.sub.publish({ msg });
    const helps = (bot) => seen.filter(
        (msg) => msg.startsWith(`I am ${bot.name}.`)).length;

    /* what was to come before it has come */

    const settled = async () => {
        const n = end + 1;

        await stack.push({ rooms: ['lobby'], data: { end: n } });
        await until(() => end === n);
    };

    /* each of them answers /help, and what they say has no answer */

    const help = async (name, n) => {
        await tap.ok(`${name}: each bot answers /help`, () => until(
            () => all.every((bot) => helps(bot) >= n)));
        await settled();
        await tap.ok(`${name}: once`, () => all.every(
            (bot) => helps(bot) === n));
    };

    await say('/help');
    await help('the first time', 1);
    await tap.ok('behind the question', () => seen[0] === 'ann: /help'
                                              && seen.length === 4);

    for (const bot of all) {
        const before = seen.length;

        await say(`hello @${bot.name.toUpperCase()}, are you there?`);
        await tap.ok(`${bot.name} answers where it is mentioned`, () => until(
            () => /^(Ann|ann), I am here\./.test(seen[before + 1] || '')));
        await settled();
        await tap.ok(`${bot.name} alone does`,
                     () => seen.length === before + 2);
    }

    const before = seen.length;

    await say('/help', other);
    await say('I need help, mail to node@example.com');
    await say({ no: 'text' });
    await say('/help');
    await help('another bot has no answer', 2);
    await tap.ok('nor what mentions none', () => seen.length === before + 7);

    for (const bot of [node, python]) {
        await tap.ok(`${bot.name} renews its token`, () => until(
            () => bot.count('signs a token') >= 2));
        await tap.ok(`${bot.name} stays for that`,
                     () => bot.count('is connected') === 1);
    }

    const connects = [node, python].map((bot) => bot.count('is connected'));

    process.kill(stack.pids.nginx, 'SIGHUP');
    await tap.ok('a reload: the bots come back', () => until(
        () => [node, python].every((bot, i) =>
            bot.count('is connected') > connects[i])));
    await say('/help');
    await help('behind a reload', 3);

    /* killed, they answer later what was said meanwhile */

    const files = [node, python].map((bot) => fs.readFileSync(bot.state));

    await Promise.all([node.stop('SIGKILL'), python.stop('SIGKILL')]);
    await say('/help');
    await Promise.all([node.start('is in lobby'), python.start('is in lobby')]);
    await help('behind a kill', 4);

    /* from an old place they answer again, and nothing comes twice */

    await tap.ok('SIGTERM is status 0', async () =>
        (await Promise.all([node.stop(), python.stop()])).join() === '0,0');
    [node, python].forEach((bot, i) => fs.writeFileSync(bot.state, files[i]));

    const answers = [node, python].map((bot) => bot.count('answers in'));

    await Promise.all([node.start('is in lobby'), python.start('is in lobby')]);
    await tap.ok('an old place: they answer again', () => until(
        () => [node, python].every((bot, i) =>
            bot.count('answers in') > answers[i])));
    await say('/help');
    await help('an old place', 5);

    /* without the one that is asked, messages pass */

    await tap.ok('SIGTERM of the hook is status 0',
                 async () => await hook.stop() === 0);
    await say('/help');
    await tap.ok('a hook that is away: others answer', () => until(
        () => helps(node) === 6 && helps(python) === 6));
    await hook.start('listens on');
    await say(`@${hook.name}?`);
    await tap.ok('it is asked when it is back', () => until(
        () => seen.at(-1).startsWith('ann, I am here.')));
    await settled();
    await tap.ok('and answers that alone', () => helps(hook) === 5);

    ann.client.disconnect();
    other.client.disconnect();
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({
        port,
        rules: block('    im_room', '\n    server {'),
        server: block('        location = /connection/websocket',
                      '        location /im/')
    });
    const bots = {};

    tap.look = () => [last('room', seen, 12), last('bots', lines, 12)];
    await stack.create();
    fs.writeFileSync(path.join(stack.dir, 'jwt.key'), secret);

    await run(tap, stack, async () => {
        bots.node = new Bot(stack, 'node', ['node', 'bot.js'],
                            { BOT_TOKEN_LIFE: '3' });
        bots.python = new Bot(stack, 'python', ['/usr/bin/python3', 'bot.py'],
                              { BOT_TOKEN_LIFE: '3' });
        bots.hook = new Bot(stack, 'hook', ['node', 'hook.js'],
                            { BOT_PORT: String(hookPort) });

        await Promise.all([bots.node.start('is in lobby'),
                           bots.python.start('is in lobby'),
                           bots.hook.start('listens on')]);
        await talk(tap, stack, bots);

    }, async () => {
        await Promise.all(Object.values(bots).filter((bot) => bot.child)
            .map((bot) => bot.stop()));
    });
}


main();
