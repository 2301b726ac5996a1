/*
 * Copyright (C) The im authors
 *
 * Chromium for the tests of this folder.
 */

'use strict';

const fs = require('fs');
const { chromium } = require('playwright-core');

const executable = ['chromium', 'chromium-browser', 'google-chrome']
    .flatMap((n) => ['/usr/bin/', '/usr/local/bin/'].map((d) => d + n))
    .find((f) => fs.existsSync(f));


function launch() {
    return chromium.launch({ executablePath: executable,
        args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
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


/* Steps with a stack and a browser; both end with them, and so does node. */
async function run(tap, stack, steps) {
    let browser = null;

    try {
        await stack.start();
        browser = await launch();

        await steps(browser);

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


module.exports = { run, watch };
