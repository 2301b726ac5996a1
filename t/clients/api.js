/*
 * Copyright (C) The im authors
 *
 * The npm package cent.js, a library of backends, as it is, against the server
 * API; beside it clients of the npm package centrifuge, and Python's cent 4,
 * which speaks as Centrifugo 3 did.
 */

'use strict';

const assert = require('assert');
const { execFile } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const os = require('os');
const path = require('path');
const WebSocket = require('ws');
const { CentClient } = require('cent.js');
const { Centrifuge } = require('centrifuge');
const { LIMIT_MS, Stack, Tap, last, ports, run, until } = require('../lib/stack.js');

const port = ports();
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'im-api-'));
const secret = 'a secret of at least thirty-two bytes';
const apiKey = 'the-key-of-the-backend';
const events = [];
const clients = [];

let api;


const rules = `
    im_room chat:*  history=100 ttl=1h presence join=user;
    im_room _ready  history=0;
    im_inbox        history=100 ttl=1h;
    im_jwt_key HS256 file=${dir}/jwt.key;
`;

const server = `
        location = /jwt {
            im_comet protocol=centrifuge;
            im_auth jwt;
        }
`;


function jwt(claims) {
    const part = (value) => Buffer.from(JSON.stringify(value))
        .toString('base64url');
    const text = part({ alg: 'HS256', typ: 'JWT' }) + '.' + part(claims);

    return text + '.' + crypto.createHmac('sha256', secret).update(text)
        .digest('base64url');
}


/* A client whose events are kept as [NAME, EVENT, ...]. */
async function connect(user) {
    const client = new Centrifuge(
        `ws://127.0.0.1:${port}/jwt`,
        { websocket: WebSocket, token: jwt({ sub: user }), timeout: LIMIT_MS });

    for (const name of ['subscribed', 'unsubscribed', 'publication']) {
        client.on(name, (ctx) => events.push([user, name, ctx.channel,
                                              ctx.data]));
    }

    client.on('disconnected', (ctx) =>
        events.push([user, 'disconnected', ctx.code, ctx.reason]));

    client.connect();
    await client.ready(LIMIT_MS);
    clients.push(client);

    return client;
}


function saw(...event) {
    return until(() => events.some((e) =>
        JSON.stringify(e) === JSON.stringify(event)));
}


async function talk(tap, stack) {
    const ann = await connect('ann');
    const bob = await connect('bob');
    const room = bob.newSubscription('chat:1');
    const got = [];

    room.on('publication', (ctx) => got.push(ctx));
    room.subscribe();
    await room.ready(LIMIT_MS);

    await tap.ok('a wrong key is refused', async () => {
        const other = new CentClient({ url: stack.url + '/api',
                                       apiKey: 'another-key-of-nobody' });

        await assert.rejects(other.getInfo({}));
        return true;
    });

    await tap.ok('publish', async () => {
        const at = await api.publish({ channel: 'chat:1', data: { n: 1 },
                                       tags: { k: 'v' } });

        await until(() => got.length === 1);
        assert.deepEqual(got[0].data, { n: 1 });
        assert.deepEqual(got[0].tags, { k: 'v' });
        assert.equal(got[0].offset, at.offset);
        assert.match(at.epoch, /^\w+$/);
        return true;
    });

    await tap.ok('broadcast, to an inbox too', async () => {
        const { responses } = await api.broadcast({
            channels: ['chat:1', '#ann', 'nowhere'], data: { n: 2 } });

        assert.equal(responses[0].result.offset, 2);
        assert.equal(responses[1].result.offset, 1);
        assert.equal(responses[2].error.code, 102);
        await saw('ann', 'publication', '#ann', { n: 2 });
        return true;
    });

    await tap.ok('history', async () => {
        const history = await api.getHistory({ channel: 'chat:1', limit: 10 });

        assert.deepEqual(history.publications.map((p) => p.data),
                         [{ n: 1 }, { n: 2 }]);
        assert.equal(history.offset, 2);

        const back = await api.getHistory({ channel: 'chat:1', limit: 1,
                                            reverse: true });

        assert.equal(back.publications[0].offset, 2);

        const next = await api.getHistory({ channel: 'chat:1', limit: 10,
            since: { offset: 1, epoch: history.epoch } });

        assert.deepEqual(next.publications.map((p) => p.offset), [2]);
        return true;
    });

    await tap.ok('presence', async () => {
        await until(async () => Object.keys((await api.getPresence(
            { channel: 'chat:1' })).presence).length === 1);

        const [one] = Object.values((await api.getPresence(
            { channel: 'chat:1' })).presence);

        assert.equal(one.user, 'bob');
        assert.deepEqual(await api.getPresenceStats({ channel: 'chat:1' }),
                         { num_clients: 1, num_users: 1 });
        return true;
    });

    await tap.ok('channels', async () => {
        await until(async () => 'chat:1' in (await api.getChannels(
            { pattern: 'chat:*' })).channels);
        assert.deepEqual(await api.getChannels({ pattern: 'chat:*' }),
                         { channels: { 'chat:1': { num_clients: 1 } } });
        return true;
    });

    await tap.ok('info', async () => {
        await until(async () => (await api.getInfo({})).nodes
            .reduce((n, node) => n + node.num_clients, 0) === 2);

        for (const node of (await api.getInfo({})).nodes) {
            assert.equal(node.name, 'comet-1');
            assert.ok(node.num_channels >= 1 && node.num_subs >= 1
                      && node.uptime >= 0 || node.num_clients === 0);
        }

        return true;
    });

    await tap.ok('subscribe', async () => {
        assert.deepEqual(await api.subscribe({ user: 'ann',
                                               channel: 'chat:2' }), {});
        await saw('ann', 'subscribed', 'chat:2', null);
        await api.publish({ channel: 'chat:2', data: { n: 3 } });
        return saw('ann', 'publication', 'chat:2', { n: 3 });
    });

    await tap.ok('unsubscribe', async () => {
        assert.deepEqual(await api.unsubscribe({ user: 'ann',
                                                 channel: 'chat:2' }), {});
        return saw('ann', 'unsubscribed', 'chat:2', null);
    });

    await tap.ok('refresh of who is there, and of nobody', async () => {
        assert.deepEqual(await api.refresh({ user: 'ann' }), {});
        assert.deepEqual(await api.refresh({ user: 'nobody' }), {});
        assert.equal(ann.state, 'connected');
        return true;
    });

    await tap.ok('history_remove', async () => {
        assert.deepEqual(await api.removeHistory({ channel: 'chat:1' }), {});

        const history = await api.getHistory({ channel: 'chat:1', limit: 10 });

        assert.deepEqual(history.publications, []);
        assert.equal(history.offset, 2);
        return true;
    });

    await tap.ok('disconnect', async () => {
        assert.deepEqual(await api.disconnect({ user: 'ann' }), {});
        await saw('ann', 'disconnected', 3503, 'force disconnect');
        return bob.state === 'connected';
    });

    await tap.ok('errors', async () => {
        await assert.rejects(api.publish({ channel: 'nowhere', data: {} }));
        await assert.rejects(api.getPresence({ channel: '#' }));
        return true;
    });
}


/* What cent 4 got, a value for each call. */
function cent4(stack) {
    return new Promise((resolve, reject) => {
        execFile('/usr/bin/python3',
                 [path.join(__dirname, 'cent4.py'), stack.url + '/api', apiKey],
                 { env: { ...process.env,
                          PYTHONPATH: path.join(__dirname, 'python',
                                                'cent-4.1.0') } },
                 (error, stdout, stderr) => error
                     ? reject(new Error(stderr))
                     : resolve(stdout.trim().split('\n').map(JSON.parse)));
    });
}


async function earlier(tap, stack) {
    await tap.ok('cent 4 of Python', async () => {
        const got = await cent4(stack);
        const epoch = got[0].epoch;

        assert.match(epoch, /^\w+$/);
        assert.deepEqual(got.slice(0, 6), [
            { offset: 1, epoch },
            { responses: [
                { result: { offset: 2, epoch } },
                { error: { code: 102,
                           message: 'unknown channel: no im_room rule' } }
            ] },
            { publications: [{ data: { n: 1 }, offset: 1 },
                             { data: { n: 2 }, offset: 2 }],
              epoch, offset: 2 },
            {},
            { num_clients: 0, num_users: 0 },
            {}
        ]);
        assert.equal(got[6].nodes[0].name, 'comet-1');
        assert.deepEqual(got.slice(7), [
            null, null, null, null,
            ['error', "{'code': 102, "
                      + "'message': 'unknown channel: no im_room rule'}"],
            [{ result: { offset: 3, epoch } },
             { error: { code: 102,
                        message: 'unknown channel: no im_room rule' } },
             { result: { publications: [{ data: 3, offset: 3 }], epoch,
                         offset: 3 } }]
        ]);
        return true;
    });
}


async function main() {
    const tap = new Tap();

    fs.chmodSync(dir, 0o755);
    fs.writeFileSync(path.join(dir, 'jwt.key'), secret);
    fs.writeFileSync(path.join(dir, 'api.keys'), apiKey + '\n');

    const stack = new Stack({ port, rules, server, key: apiKey,
                              logic: [`--api-key-file=${dir}/api.keys`] });

    api = new CentClient({ url: stack.url + '/api', apiKey });
    tap.look = () => [last('events', events)];

    await run(tap, stack, async () => {
        await talk(tap, stack);
        await earlier(tap, stack);
    }, () => {
        clients.forEach((client) => client.disconnect());
        fs.rmSync(dir, { recursive: true, force: true });
    });
}


main();
