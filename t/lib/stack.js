/*
 * Copyright (C) The im authors
 *
 * The whole service for tests in node: conf/nginx.conf.example with a private
 * Redis, im_logic and im_job in a folder of its own.
 */

'use strict';

const { spawn } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const top = path.join(__dirname, '..', '..');
const build = process.env.IM_BUILD || path.join(top, 'build');

process.env.PATH += ':/usr/sbin:/sbin';


/*
 * options: conf, a function that makes another nginx.conf of the example;
 * redis and logic, more arguments of redis-server and im_logic; pages, a folder of pages that ask for
 * the ports of im-compat.conf: they are served with the four ports above this
 * one in their place.
 */
class Stack {
    constructor(port, options = {}) {
        this.port = port;
        this.options = options;
        this.pages = options.pages;
        this.url = `http://127.0.0.1:${port}`;
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'im-stack-'));
        this.children = new Map();
        fs.chmodSync(this.dir, 0o755);
    }

    run(name, command, ...args) {
        const log = fs.openSync(path.join(this.dir, name + '.log'), 'a');
        const child = spawn(command, args, { stdio: ['ignore', log, log] });

        child.ended = new Promise((resolve) => child.on('exit', resolve));
        child.on('error', (e) => console.log(`# ${name}: ${e.message}`));
        this.children.set(name, child);
    }

    async end(name, signal) {
        const child = this.children.get(name);

        this.children.delete(name);
        child.kill(signal);

        const late = setTimeout(() => child.kill('SIGKILL'), 10000);

        await child.ended;
        clearTimeout(late);
    }

    conf() {
        const change = this.options.conf || ((text) => text);
        const dir = this.dir;
        const user = process.getuid() === 0 ? 'user root;' : '';
        const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
            .map((n) => `${n}_temp_path ${dir}/${n};`).join('\n');

        return change(fs.readFileSync(
            path.join(top, 'conf/nginx.conf.example'), 'utf8'))
            .replace(/^load_module .*$/m,
                     `load_module ${build}/ngx_im_module.so;`)
            .replace(/^user .*$/m, user)
            .replaceAll('/run/im/', dir + '/')
            .replaceAll('/usr/share/im/web', path.join(top, 'web'))
            .replaceAll('listen 127.0.0.1:8080',
                        `listen 127.0.0.1:${this.port}`)
            .replaceAll('include im_params',
                        `include ${path.join(top, 'conf/im_params')}`)
            .replace(/# include .*im-compat.conf;/, this.compat())
            .replace(/^http \{$/m, `http {\nim_drain 0;\n${temp}`);
    }

    compat() {
        if (!this.pages) {
            return '';
        }

        const conf = path.join(this.dir, 'im-compat.conf');
        const pages = path.join(this.dir, 'pages');
        const ours = (text) => [1999, 8911, 6921, 8080].reduce((t, p, i) =>
            t.replaceAll(`localhost:${p}`, `localhost:${this.port + 1 + i}`)
             .replaceAll(`listen 127.0.0.1:${p};`,
                         `listen 127.0.0.1:${this.port + 1 + i};`), text);

        fs.mkdirSync(pages, { recursive: true });

        for (const name of fs.readdirSync(this.pages)) {
            fs.writeFileSync(path.join(pages, name), ours(fs.readFileSync(
                path.join(this.pages, name), 'utf8')));
        }

        fs.writeFileSync(conf, ours(fs.readFileSync(path.join(top,
                'conf/im-compat.conf.example'), 'utf8'))
            .replaceAll('/usr/share/im/pages', pages)
            .replaceAll('include im_params',
                        `include ${path.join(top, 'conf/im_params')}`));

        return `include ${conf};`;
    }

    nginx() {
        const conf = path.join(this.dir, 'nginx.conf');

        fs.writeFileSync(conf, this.conf());

        if (process.env.IM_PRELOAD) {
            this.run('nginx', 'env', `LD_PRELOAD=${process.env.IM_PRELOAD}`,
                     'ASAN_OPTIONS=detect_leaks=0:log_path='
                     + path.join(this.dir, 'asan'), 'nginx', '-p', this.dir,
                     '-c', conf, '-e', path.join(this.dir, 'error.log'),
                     '-g', 'daemon off;');
            return;
        }

        this.run('nginx', 'nginx', '-p', this.dir, '-c', conf, '-e',
                 path.join(this.dir, 'error.log'), '-g', 'daemon off;');
    }

    async redis() {
        const dir = this.dir;

        fs.rmSync(`${dir}/redis.sock`, { force: true });
        this.run('redis', 'redis-server', '--port', '0', '--unixsocket',
                 `${dir}/redis.sock`, '--dir', dir, '--save', '',
                 ...this.options.redis || []);
        await until(() => fs.existsSync(`${dir}/redis.sock`), 10);
    }

    logic() {
        this.run('logic', path.join(build, 'im_logic'),
                 `--redis=unix:${this.dir}/redis.sock`,
                 `--fcgi=unix:${this.dir}/logic.sock`,
                 ...this.options.logic || []);
    }

    async start() {
        const dir = this.dir;

        await this.redis();
        this.logic();
        this.run('job', path.join(build, 'im_job'),
                 `--redis=unix:${dir}/redis.sock`);
        this.nginx();
        await this.ready();
    }

    ready() {
        return until(async () => {
            const answer = await this.push({ rooms: ['_ready'], data: 0 })
                .catch(() => null);
            return answer && answer.ok;
        }, 20);
    }

    push(body) {
        return fetch(this.url + '/im/push', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(body)
        });
    }

    async stop(passed) {
        for (const [name, signal] of [['nginx', 'SIGQUIT'],
                                      ['logic', 'SIGTERM'],
                                      ['job', 'SIGTERM'],
                                      ['redis', 'SIGTERM']])
        {
            if (this.children.has(name)) {
                await this.end(name, signal);
            }
        }

        const found = fs.readdirSync(this.dir)
            .filter((name) => name.startsWith('asan'));

        if (found.length > 0) {
            throw new Error('sanitizer: ' + fs.readFileSync(
                path.join(this.dir, found[0]), 'utf8'));
        }

        if (passed) {
            fs.rmSync(this.dir, { recursive: true, force: true });

        } else {
            console.log(`# logs are in ${this.dir}`);
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
