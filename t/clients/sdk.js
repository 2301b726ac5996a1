/*
 * Copyright (C) The im authors
 *
 * centrifuge-python, as PyPI has it, against protocol=centrifuge.  Its versions
 * ask for a subprotocol in different ways.  Each speaks JSON and Protobuf.
 */

'use strict';

const { spawn } = require('child_process');
const path = require('path');
const readline = require('readline');
const { Stack, Tap, last, ports, run, until,
        within } = require('../lib/stack.js');

const port = ports();
const versions = ['0.5.0', '0.7.0'];
const encodings = ['json', 'protobuf'];

const rules = `
    im_room open:*    history=1000 ttl=1h publish=member;
    im_room _ready    history=0;
    im_inbox          history=100 ttl=1h;
    im_broadcast      history=100 ttl=1h;
`;

const locations = `
        location = /sdk {
            im_comet protocol=centrifuge;
            im_auth none;
            im_connect /im_connect;
        }
`;


function client(version, encoding, events) {
    const child = spawn('/usr/bin/python3',
                        [path.join(__dirname, 'sdk.py'),
                         `ws://127.0.0.1:${port}/sdk`, encoding],
                        { stdio: ['pipe', 'pipe', 'inherit'],
                          env: { ...process.env,
                                 PYTHONPATH: path.join(__dirname, 'python',
                                                       version) } });

    child.closed = new Promise((resolve) => child.on('close', resolve));
    readline.createInterface({ input: child.stdout }).on('line', (line) => {
        events.push(line);
    });

    return child;
}


async function talk(tap, stack, number, encoding) {
    const events = [];
    const child = client(number, encoding, events);
    const version = `${number} ${encoding}`;
    const count = (line) => events.filter((e) => e === line).length;
    const comes = (name, line, n = 1) => tap.ok(`${version}: ${name}`,
        () => until(() => count(line) === n));

    tap.look = () => [last('events', events)];

    await comes('connects', '["connected"]');
    await comes('subscribes', '["subscribed"]');

    await stack.push({ rooms: ['open:py'], data: { v: version } });
    await comes('a push', `["publication", {"v": "${version}"}]`);

    child.stdin.write('{"from":"python"}\n');
    await comes('publishes', '["published"]');
    await comes('its own message', '["publication", {"from": "python"}]');

    await fetch(`${stack.url}/api/publish`, { method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"channel":"open:py","b64data":"AQL/"}' });
    await comes('binary data', encoding === 'json'
        ? '["publication", "AQL/"]'
        : '["publication", {"base64": "AQL/"}]');

    child.stdin.write('cut\n');
    await comes('connects again', '["connected"]', 2);
    await comes('subscribes again', '["subscribed"]', 2);

    await stack.push({ rooms: ['open:py'], data: { then: version } });
    await comes('goes on', `["publication", {"then": "${version}"}]`);
    await comes('nothing twice', '["publication", {"from": "python"}]');

    child.stdin.end();
    await tap.ok(`${version}: disconnects`, async () =>
        await within(child.closed) === 0 && count('["disconnected", 0]') === 1);
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port, rules, server: locations });

    await run(tap, stack, async () => {
        for (const version of versions) {
            for (const encoding of encodings) {
                await talk(tap, stack, version, encoding);
            }
        }
    });
}


main();
