/*
 * Copyright (C) The im authors
 *
 * The chat page in Chromium: two pages, a push by HTTP, the form, the online
 * number, a restart of nginx, a phone.  Prints TAP.
 */

'use strict';

const fs = require('fs');
const path = require('path');
const { chromium } = require('playwright-core');
const { Stack, Tap, until } = require('../lib/stack.js');

const port = Number(process.env.IM_BROWSER_PORT || 21950);
const executable = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((n) => ['/usr/bin/', '/usr/local/bin/'].map((d) => d + n))
    .find((f) => fs.existsSync(f));


function texts(page) {
    return page.locator('#messages .text').allTextContents();
}


async function count(page, text) {
    return (await texts(page)).filter((t) => t === text).length;
}


/* What the browser itself complains of; refused connections are its own log
   lines while nginx restarts. */
function watch(page, faults) {
    page.on('pageerror', (e) => faults.push(e.message));
    page.on('console', (m) => {
        if (m.type() === 'error') {
            faults.push(m.text());
        }
    });
}


async function main() {
    const tap = new Tap();
    const stack = new Stack(port);
    const faults = [];
    let browser = null;

    try {
        await stack.start();
        browser = await chromium.launch({ executablePath: executable,
            args: process.getuid() === 0 ? ['--no-sandbox'] : [] });

        const a = await browser.newPage();
        const b = await browser.newPage();

        for (const page of [a, b]) {
            watch(page, faults);
            await page.goto(stack.url + '/');
            await page.waitForSelector('#state[data-state=open]');
        }

        await tap.ok('two pages are connected', true);

        await tap.ok('both are in the room', () => until(async () => {
            const answer = await fetch(stack.url + '/im/rooms/1');
            return (await answer.json()).data.count === 2;
        }, 15));

        const pushed = await stack.push({ rooms: ['1'],
                                          data: { msg: 'by HTTP' } });

        await tap.ok('a push is accepted', pushed.ok);

        for (const [name, page] of [['one', a], ['other', b]]) {
            await tap.ok(`the push arrives in the ${name}`, () => until(
                async () => await count(page, 'by HTTP') === 1, 10));
        }

        await a.fill('#text', 'from <b>the form</b> & more');
        await a.click('#send');

        for (const [name, page] of [['one', a], ['other', b]]) {
            await tap.ok(`what the form sends arrives in the ${name}`, () =>
                until(async () =>
                    await count(page, 'from <b>the form</b> & more') === 1,
                    10));
        }

        await tap.ok('the form is empty again', () => until(async () =>
            await a.inputValue('#text') === '', 5));

        await tap.ok('markup stays text', async () =>
            await a.locator('#messages b').count() === 0);

        await stack.push({ all: true, data: { msg: 'to all' } });
        await tap.ok('a broadcast arrives', () => until(async () =>
            await count(a, 'to all') === 1 && await count(b, 'to all') === 1,
            10));

        await tap.ok('the online number shows 2', () => until(async () =>
            /^2\b/.test(await a.textContent('#online')), 20));

        await tap.ok('no error in the console', () => {
            if (faults.length) {
                throw new Error(faults.join('\n'));
            }
            return true;
        });

        await stack.end('nginx', 'SIGQUIT');
        await tap.ok('the page sees that nginx is away', () => until(
            async () => await a.getAttribute('#state', 'data-state')
                        !== 'open', 10));
        stack.nginx();
        await stack.ready();

        await tap.ok('both connect again', async () => {
            for (const page of [a, b]) {
                await page.waitForSelector('#state[data-state=open]',
                                           { timeout: 30000 });
            }
            return true;
        });

        await tap.ok('both are in the room again', () => until(async () => {
            const answer = await fetch(stack.url + '/im/rooms/1');
            return (await answer.json()).data.count === 2;
        }, 20));

        await stack.push({ rooms: ['1'], data: { msg: 'again' } });
        await tap.ok('and get what is pushed, once', () => until(async () =>
            await count(a, 'again') === 1 && await count(b, 'again') === 1,
            10));

        const context = await browser.newContext({ hasTouch: true,
            isMobile: true, viewport: { width: 360, height: 640 },
            colorScheme: 'dark' });
        const phone = await context.newPage();
        const errors = [];

        watch(phone, errors);
        await phone.goto(stack.url + '/');
        await phone.waitForSelector('#state[data-state=open]');
        await stack.push({ rooms: ['1'],
                           data: { msg: 'a-word-without-end-'.repeat(40) } });
        await tap.ok('a phone gets it too', () => until(async () =>
            (await texts(phone)).length === 1, 10));
        await tap.ok('nothing is wider than the phone', () => phone.evaluate(
            () => document.documentElement.scrollWidth <= window.innerWidth));
        await tap.ok('the form is on the screen', async () => {
            const box = await phone.locator('#send').boundingBox();
            return box && box.y + box.height <= 640 && box.x + box.width <= 360
                   && box.height >= 32;
        });
        await tap.ok('no error in the phone\'s console', errors.length === 0);

        if (process.env.IM_BROWSER_SHOTS) {
            await a.screenshot({ path:
                path.join(process.env.IM_BROWSER_SHOTS, 'page.png') });
            await phone.screenshot({ path:
                path.join(process.env.IM_BROWSER_SHOTS, 'phone.png') });
        }

    } catch (e) {
        await tap.ok(e.stack, false);

    } finally {
        if (browser) {
            await browser.close();
        }
        await stack.stop(tap.failed === 0);
    }

    process.exit(tap.end() ? 0 : 1);
}


main();
