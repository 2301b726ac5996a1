/*
 * Copyright (C) The im authors
 *
 * The whole service for tests in node, which t/stack starts; TAP for prove.
 */

'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');
const readline = require('readline');

const top = path.join(__dirname, '..', '..');

const LIMIT_MS = 60000;


/*
 * options: those of Test::Im::Stack; port is one of them.  A browser opens spare
 * connections: a worker that quits waits a minute for a request on them, unless
 * its end is bounded.  Clients come again after a reload: their sessions don't
 * move.
 */
class Stack {
    constructor(options) {
        this.options = { main: 'worker_shutdown_timeout 5s; ', ...options };
        this.options.http = 'im_handover off; ' + (options.http || '');
        this.port = options.port;
        this.url = `http://127.0.0.1:${this.port}`;
        this.pids = {};
        this.waiting = [];
    }

    /* The folder is there, nothing runs. */
    async create() {
        const child = spawn(path.join(top, 't/stack'),
                            [JSON.stringify(this.options)],
                            { stdio: ['pipe', 'pipe', 'inherit'] });

        this.input = child.stdin;
        readline.createInterface({ input: child.stdout })
            .on('line', (line) => this.waiting.shift()(JSON.parse(line)))
            .on('close', () => this.waiting.forEach(
                (answer) => answer({ error: 't/stack has ended' })));

        this.dir = (await this.answer()).dir;
    }

    answer() {
        return new Promise((resolve) => this.waiting.push(resolve));
    }

    async ask(...command) {
        this.input.write(command.join(' ') + '\n');

        const { error, pids } = await this.answer();

        if (error) {
            throw new Error(error);
        }

        this.pids = pids;
    }

    async start() {
        if (!this.dir) {
            await this.create();
        }

        await this.ask('start');
        await this.ready();
    }

    begin(name) {
        return this.ask('start', name);
    }

    end(name, signal) {
        return this.ask('stop', signal, name);
    }

    ready() {
        return this.ask('ready');
    }

    /* The answer, whatever it is. */
    askPush(body) {
        return fetch(this.url + '/im/push', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(body)
        });
    }

    /* It must be accepted. */
    async push(body) {
        const answer = await this.askPush(body);

        if (!answer.ok) {
            throw new Error(`push: ${answer.status} ${await answer.text()}`);
        }

        return answer;
    }

    /* What nginx has complained of. */
    look() {
        const file = this.dir && path.join(this.dir, 'error.log');

        return !file || !fs.existsSync(file) ? []
            : fs.readFileSync(file, 'utf8').split('\n').filter((line) =>
                / \[(warn|error|crit|alert|emerg)\] /.test(line)).slice(-3);
    }

    async stop(passed) {
        if (this.dir) {
            await this.ask('end', passed ? 1 : 0);
            this.input.end();
        }
    }
}


/* Waits for an event; how long matters only where it never comes. */
async function until(code) {
    const end = Date.now() + LIMIT_MS;
    let why = '';

    for (;;) {
        try {
            if (await code()) {
                return true;
            }

        } catch (e) {
            why = '\n' + e.message;    /* such as of a page that is just left */
        }

        if (Date.now() > end) {
            throw new Error(`not within ${LIMIT_MS / 1000} s: `
                            + String(code).replace(/\s+/g, ' ') + why);
        }

        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}


/* What a promise gives, in the same time. */
async function within(promise) {
    let timer = null;
    const late = new Promise((resolve, reject) => {
        timer = setTimeout(() => reject(new Error(
            `not within ${LIMIT_MS / 1000} s`)), LIMIT_MS);
    });

    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}


class Over extends Error {
}


/*
 * TAP for prove; ok(name, code) fails when code throws or is false.  What is
 * wrong goes to standard error in the form of Test::More; look() returns lines
 * of what is to be seen then.  After most failures ok() throws: what follows
 * would wait for nothing.
 */
class Tap {
    constructor(most = 1) {
        this.most = most;
        this.n = 0;
        this.failed = 0;
        this.look = () => [];
    }

    async ok(name, code) {
        let good = false;
        let why = 'not so';

        try {
            good = typeof code === 'function' ? await code() : code;

        } catch (e) {
            why = e.message;
        }

        this.n++;

        if (!good) {
            await this.say(name, why);
        }

        console.log(`${good ? 'ok' : 'not ok'} ${this.n} - ${name}`);

        if (!good && this.failed === this.most) {
            throw new Over();
        }

        return good;
    }

    async fault(name, e) {
        if (!(e instanceof Over)) {
            await this.ok(name, () => {
                throw new Error(e.stack);
            }).catch(() => {});
        }
    }

    async say(name, why) {
        const seen = await Promise.resolve().then(() => this.look())
            .catch((e) => ['look: ' + e.message]);

        this.failed++;
        console.error([`  Failed test '${name}'`, ...why.split('\n'), ...seen]
            .map((line) => '# ' + line).join('\n'));
    }

    end() {
        console.log(`1..${this.n}`);
        return this.failed === 0;
    }
}


/* The last few of a list, for look(). */
function last(what, list, n = 5) {
    return `${what}, the last of ${list.length}: `
        + JSON.stringify(list.slice(-n)).slice(0, 500);
}


/* Steps with a stack; ended() and node end with them. */
async function run(tap, stack, steps, ended = () => {}) {
    const look = tap.look;

    tap.look = async () => [...await look(), ...stack.look()];

    try {
        await stack.start();
        await steps();

    } catch (e) {
        await tap.fault('no exception', e);
    }

    try {
        await ended();
        await stack.stop(tap.failed === 0);

    } catch (e) {
        await tap.fault('all end in order', e);
    }

    process.exit(tap.end() ? 0 : 1);
}


/* The first of 19 that t/slot holds for us. */
function ports() {
    if (!process.env.IM_PORTS) {
        throw new Error('run it by t/slot, which finds free ports');
    }

    return Number(process.env.IM_PORTS);
}


module.exports = { LIMIT_MS, Stack, Tap, last, ports, run, until, within };
