/*
 * Copyright (C) The im authors
 *
 * The whole service for tests in node, which t/stack starts; TAP for prove.
 */

'use strict';

const { spawn } = require('child_process');
const path = require('path');
const readline = require('readline');

const top = path.join(__dirname, '..', '..');


/*
 * options: those of Test::Im::Stack; port is one of them.  A browser opens spare
 * connections: a worker that quits waits a minute for a request on them, unless
 * its end is bounded.
 */
class Stack {
    constructor(options) {
        this.options = { main: 'worker_shutdown_timeout 5s; ', ...options };
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

    push(body) {
        return fetch(this.url + '/im/push', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(body)
        });
    }

    async stop(passed) {
        if (this.dir) {
            await this.ask('end', passed ? 1 : 0);
            this.input.end();
        }
    }
}


async function until(code, seconds) {
    const end = Date.now() + seconds * 1000;

    for (;;) {
        if (await code()) {
            return true;
        }

        if (Date.now() > end) {
            throw new Error('not within ' + seconds + ' s: ' + code);
        }

        await new Promise((resolve) => setTimeout(resolve, 50));
    }
}


/* TAP for prove; ok(name, code) fails when code throws or is false. */
class Tap {
    constructor() {
        this.n = 0;
        this.failed = 0;
    }

    async ok(name, code) {
        let good = false;
        let why = '';

        try {
            good = typeof code === 'function' ? await code() : code;

        } catch (e) {
            why = e.message;
        }

        this.n++;
        console.log(`${good ? 'ok' : 'not ok'} ${this.n} - ${name}`);

        if (!good) {
            this.failed++;
            console.log('# ' + why.replaceAll('\n', '\n# '));
        }

        return good;
    }

    end() {
        console.log(`1..${this.n}`);
        return this.failed === 0;
    }
}


/* The first of 19 that t/slot holds for us. */
function ports() {
    if (!process.env.IM_PORTS) {
        throw new Error('run it by t/slot, which finds free ports');
    }

    return Number(process.env.IM_PORTS);
}


module.exports = { Stack, Tap, ports, until };
