/*
 * Copyright (C) The im authors
 *
 * The chat of docs/getting-started.md in Chromium, by the page's own blocks, which
 * are the files of examples/chat/: two users, what they have missed, a reload of
 * nginx.  Prints TAP.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const { context, run, watch } = require('./browser.js');
const { block } = require('../lib/docs.js');
const { Stack, Tap, until, ports } = require('../lib/stack.js');

const port = ports();
const top = path.join(__dirname, '../..');
const folder = fs.mkdtempSync('/tmp/im-started-');
const blocks = {
    'chat.conf': block('docs/getting-started.md',
                       '# /etc/nginx/conf.d/chat.conf'),
    'index.html': block('docs/getting-started.md', '<!doctype html>'),
    'chat.js': block('docs/getting-started.md', 'const room')
};

/* Debian's nginx.conf around it. */
const text = `load_module modules/ngx_im_module.so;
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log notice;
events { worker_connections 768; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
${blocks['chat.conf'].replace('/var/www/chat', `"${folder}"`)}
}
`;


function texts(page) {
    return page.locator('#messages li').evaluateAll((items) =>
        items.map((item) => item.lastChild.textContent));
}


function shows(page, ...wanted) {
    return until(async () => (await texts(page)).join('|')
                             === wanted.join('|'));
}


function here(page, ...names) {
    return until(async () => (await page.textContent('#state'))
        .replace(/^here: /, '').split(', ').sort().join() === names.join());
}


async function enter(page, how, name, password) {
    await page.fill('[name=name]', name);
    await page.fill('[name=password]', password);
    await page.click(`button[value=${how}]`);
}


async function send(page, message) {
    await page.fill('[name=text]', message);
    await page.press('[name=text]', 'Enter');
    await until(async () => await page.inputValue('[name=text]') === '');
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, text,
                              http: '    im_room _ready history=0;\n' });

    for (const [name, shown] of Object.entries(blocks)) {
        fs.writeFileSync(path.join(folder, name), shown);
        await tap.ok(`${name} is that of examples/chat`, shown
            === fs.readFileSync(path.join(top, 'examples/chat', name), 'utf8'));
    }

    fs.chmodSync(folder, 0o755);

    await run(tap, stack, async (browser) => {
        const faults = [];
        const [ann, bob] = await Promise.all([0, 1].map(async () => {
            const page = await (await context(browser)).newPage();

            watch(page, faults);
            await page.goto(stack.url);
            return page;
        }));

        await enter(ann, 'register', 'ab', 'sesame');
        await tap.ok('a name of two characters is refused as the page says',
            () => until(async () => await ann.textContent('#state')
                                    === 'refused: code -1'));
        await enter(ann, 'register', 'ann', 'short');
        await tap.ok('so is a password of five', () => until(async () =>
            await ann.textContent('#state') === 'refused: code -1'));

        await enter(ann, 'register', 'ann', 'sesame');
        await enter(bob, 'register', 'bob', 'sesame');
        await tap.ok('both are here', async () =>
            await here(ann, 'ann', 'bob') && here(bob, 'ann', 'bob'));

        await send(ann, 'hello <b>bob</b>');
        await shows(bob, 'ann: hello <b>bob</b>');
        await send(bob, 'hello ann');
        await tap.ok('they chat', async () =>
            await shows(ann, 'ann: hello <b>bob</b>', 'bob: hello ann')
            && shows(bob, 'ann: hello <b>bob</b>', 'bob: hello ann'));

        await stack.push({ rooms: ['lobby'], from: { name: 'weather' },
                           data: { msg: 'rain from 3 pm' } });
        await stack.push({ rooms: ['lobby'], data: { msg: 'and wind' } });
        await tap.ok('the backend is heard', () => until(async () =>
            (await texts(bob)).slice(2).join('|')
            === 'weather: rain from 3 pm|server: and wind'));

        await ann.reload();
        await enter(ann, 'login', 'ann', 'sesame');
        await tap.ok('one that comes again has the last messages', () =>
            shows(ann, 'ann: hello <b>bob</b>', 'bob: hello ann',
                  'weather: rain from 3 pm', 'server: and wind'));
        await here(ann, 'ann', 'bob');

        process.kill(stack.pids.nginx, 'SIGHUP');

        for (let i = 0; i < 10; i++) {
            await until(async () => (await stack.push({ rooms: ['lobby'],
                id: `n${i}`, data: { msg: `n${i}` } }).catch(() => ({}))).ok);
        }

        await tap.ok('nginx is reloaded, and nothing is missing', async () => {
            const wanted = [...Array(10).keys()].map((i) => `server: n${i}`);

            return (await Promise.all([ann, bob].map((page) => until(
                async () => (await texts(page)).slice(4).join('|')
                            === wanted.join('|'))))).every(Boolean);
        });
        await tap.ok('the browser has no complaint', () => {
            if (faults.length) {
                throw new Error(faults.join('\n'));
            }
            return true;
        });
        fs.rmSync(folder, { recursive: true });
    });
}


main();
