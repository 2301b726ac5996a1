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


module.exports = { launch, watch };
