/*
 * Copyright (C) The im authors
 *
 * Chromium for the tests of this folder.
 */

'use strict';

const fs = require('fs');
const { chromium } = require('playwright-core');
const { LIMIT_MS, run: runStack, within } = require('../lib/stack.js');

const executable = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((n) => ['/usr/bin/', '/usr/local/bin/'].map((d) => d + n))
    .find((f) => fs.existsSync(f));


function launch() {
    return chromium.launch({ executablePath: executable,
        args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
}


/* A context whose pages wait for what they are told as all tests do. */
async function context(browser, options) {
    const made = await browser.newContext(options);

    made.setDefaultTimeout(LIMIT_MS);

    return made;
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


/*
 * What axe finds wrong in a page as it is now, a line each.  The debugger
 * evaluates it, so the page's Content-Security-Policy does not bind it.
 */
async function axe(page) {
    if (!await page.evaluate(() => 'axe' in window)) {
        await page.evaluate(fs.readFileSync(require.resolve('axe-core'),
                                            'utf8'));
    }

    const { violations } = await within(
        page.evaluate(() => window.axe.run()));

    return violations.map((v) => `${v.id}: ${v.help}: `
        + v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(', '));
}


/* What each page shows: its text, and values of its fields. */
async function look(browser) {
    const pages = browser.contexts().flatMap((c) => c.pages());

    return Promise.all(pages.map(async (page, i) => {
        const text = await within(page.evaluate(() =>
            document.body.innerText
            + Array.from(document.querySelectorAll('input'),
                         (e) => ` ${e.id}=${e.value}`).join('')))
            .catch((e) => e.message);
        const short = text.replace(/\s+/g, ' ');

        return `page ${i + 1}, ${page.url()}: `
            + (short.length > 500
               ? short.slice(0, 300) + ' ... ' + short.slice(-200) : short);
    }));
}


/* Steps with a stack and a browser; both end with them, and so does node. */
async function run(tap, stack, steps) {
    let browser = null;

    tap.look = () => browser ? look(browser) : [];

    await runStack(tap, stack, async () => {
        browser = await launch();
        await steps(browser);

    }, () => browser && browser.close());
}


module.exports = { axe, context, run, watch };
