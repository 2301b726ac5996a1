/*
 * Copyright (C) The im authors
 *
 * The code blocks of the documents, for tests in node: lib/Test/Im/Docs.pm has
 * the same for those in Perl.
 */

'use strict';

const fs = require('fs');
const path = require('path');


/* The text of the only block of a page with a line that begins so. */
function block(page, start) {
    const text = fs.readFileSync(path.join(__dirname, '../..', page), 'utf8');
    const found = [...text.matchAll(/^```\S*\n([\s\S]*?)^```/mg)]
        .map((match) => match[1])
        .filter((b) => b.split('\n').some((line) => line.startsWith(start)));

    if (found.length !== 1) {
        throw new Error(`${page} has ${found.length} blocks with "${start}"`);
    }

    return found[0];
}


module.exports = { block };
