/*
 * Copyright (C) The im authors
 *
 * Makes the pictures of the chat page in docs/images/; no test:
 *
 *   t/slot node t/browser/shots.js
 */

'use strict';

const path = require('path');
const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { context, run } = require('./browser.js');

const folder = path.join(__dirname, '..', '..', 'docs', 'images');
const password = 'correct horse';


async function open(stack, from, name) {
    const page = await from.newPage();

    await page.goto(stack.url);
    await page.waitForSelector('#state[data-state=open]');

    if (name) {
        await page.click('#guest-register');
        await page.fill('#name', name);
        await page.fill('#password', password);
        await page.click('#sign-go');
        await page.waitForSelector('#dialog', { state: 'hidden' });
        await page.waitForSelector('#state[data-state=open]');
    }

    return page;
}


async function send(page, text) {
    await page.fill('#text', text);
    await page.waitForSelector('#send:enabled');
    await page.press('#text', 'Enter');
    await until(async () => await page.inputValue('#text') === '');
}


async function shot(page, name) {
    await page.screenshot({ path: path.join(folder, `chat-${name}.png`) });
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port: ports() });
    const common = { locale: 'en-GB', timezoneId: 'UTC',
                     reducedMotion: 'reduce' };

    await run(tap, stack, async (browser) => {
        const desktop = { ...common, viewport: { width: 1280, height: 800 } };
        const one = await context(browser, desktop);
        const a = await open(stack, one, '');

        await a.waitForSelector('#here:has-text("1 guest here")');
        await shot(a, 'welcome');
        await a.close();

        const ann = await open(stack, one, 'Ann Alder');
        const ben = await open(stack, await context(browser, common),
                               'Ben Okafor');
        const cho = await open(stack, await context(browser, { ...common,
            hasTouch: true, isMobile: true, colorScheme: 'dark',
            viewport: { width: 390, height: 844 } }), 'Cho 조');

        await open(stack, await context(browser, common), '');
        await send(ben, 'Morning. The new build is on the staging host.');
        await send(ben, 'What changed: https://example.org/notes/42');
        await stack.push({ rooms: ['1'], data: {
            msg: 'Build 1842 passed in 4 min 12 s' } });
        await send(cho, 'Nice! I tried three things:\n1. reload\n'
                        + '2. a second tab\n3. nginx -s reload in between');
        await send(cho, 'Nothing lost \u{1F44D}');
        await send(ann, 'Good. Shipping it at noon then.');
        await send(ben, 'Fine with me.');
        await ben.click('#members button:has-text("Ann")');
        await send(ben, 'Lunch after that?');
        await until(async () => await ann.locator('#peers .unread')
            .isVisible());

        for (const page of [ann, cho]) {
            await page.waitForSelector(
                '#here:has-text("4 here, 1 of them a guest")');
        }

        await shot(ann, 'desktop');
        await shot(cho, 'phone-dark');
        await ann.emulateMedia({ colorScheme: 'dark' });
        await shot(ann, 'dark');
        await cho.emulateMedia({ colorScheme: 'light' });
        await shot(cho, 'phone');
        await tap.ok('the pictures are made', true);
    });
}


main();
