/*
 * Copyright (C) The im authors
 *
 * The programs for pages that the documents of the protocols show, in Chromium, with
 * the locations of the same documents: each connects and gets what is pushed.
 * Prints TAP.
 */

'use strict';

const path = require('path');
const { context, run } = require('./browser.js');
const { block } = require('../lib/docs.js');
const { Stack, Tap, until, ports } = require('../lib/stack.js');

const port = ports();
const library = path.join(__dirname, 'node_modules/centrifuge/dist');

/* The locations of a page that nginx.conf.example hasn't. */
function locations(text) {
    return [...text.matchAll(/^ *location = (\S+) \{[^}]*\}\n/mg)]
        .filter(([, name]) => !/^\/(?:im_connect|connection\/websocket)$/
            .test(name)).map(([whole]) => whole).join('');
}


const extra = `
        location = /centrifuge.js { alias "${library}/centrifuge.js"; }
        location = /empty {
            default_type text/html;
            return 200 '<!doctype html><script src=/centrifuge.js></script>';
        }
` + locations(block('docs/http-streams.md', 'server {'))
  + locations(block('docs/protocol-plain.md', 'http {'));

const rules = 'im_room * history=100 ttl=1h publish=anyone;\n';

/*
 * Each program, where it connects to, what is pushed where until it is shown, and
 * what it shows.
 */
const programs = [
    { text: block('docs/protocol-im.md', 'const ws = new WebSocket'),
      room: '1', data: { msg: 'hello' }, shown: /hello/ },
    { text: block('docs/protocol-centrifuge.md', 'import { Centrifuge }')
          .replace(/^import .*/, ''),
      room: 'news', data: 'hello', shown: /hello/ },
    { text: block('docs/http-streams.md', 'const centrifuge = new Centrifuge(')
          + 'const sub = centrifuge.newSubscription("news");'
          + 'sub.on("publication", (ctx) => console.log(ctx.data));'
          + 'sub.subscribe(); centrifuge.connect();',
      room: 'news', data: 'hello', shown: /hello/ },
    { text: block('docs/http-streams.md', 'const subs'),
      room: 'chat:1', data: { text: 'hello' }, shown: /chat:1.*hello/ },
    { text: 'const show = (text) => console.log(text);'
          + block('docs/protocol-plain.md', 'var news'),
      room: 'news:world', data: 'push', shown: /push/, also: /^hello$/ }
];


function here(text) {
    return text.replace(/(ws|http)s?:\/\/(?:[\w.]+\.com|127\.0\.0\.1:8080)/g,
                        `$1://127.0.0.1:${port}`);
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, rules, server: extra });

    await run(tap, stack, async (browser) => {
        const from = await context(browser);

        for (const { text, room, data, shown, also } of programs) {
            const page = await from.newPage();
            const lines = [];
            const faults = [];

            page.on('console', (m) => lines.push(m.text()));
            page.on('pageerror', (e) => faults.push(e.message));
            await page.goto(stack.url + '/empty');
            await page.evaluate((t) => {
                const script = document.createElement('script');

                script.textContent = t;
                document.body.append(script);
            }, here(text));

            await tap.ok(`it shows what is pushed: ${text.trim().split('\n')[0]}`,
                () => until(async () => {
                    await stack.push({ rooms: [room], data });
                    return lines.some((line) => shown.test(line))
                        && (!also || lines.some((line) => also.test(line)));
                }));
            await tap.ok('without an exception', () => {
                if (faults.length) {
                    throw new Error(faults.join('\n'));
                }
                return true;
            });
            await page.close();
        }
    });
}


main();
