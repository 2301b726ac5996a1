/*
 * Copyright (C) The im authors
 *
 * The admin page in Chromium, with a service of two nodes that asks for a key:
 * what it shows, pushes, kicks, faults, a phone, the keyboard.  Prints TAP, and
 * leaves screenshots in build/shots.
 */

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { axe, context, run, watch } = require('./browser.js');

const port = ports();
const key = 'admin-test-key';
const password = 'correct horse';

/* Docs have pictures of a run with IM_BROWSER_SHOTS=1. */
const pictures = process.env.IM_BROWSER_SHOTS;

/* a name and a room's */
const MARKUP = pictures ? 'chess club' : '<img src=x id=xss>';
const ROOMS = ['lobby', 'lobby', 'lobby', 'lobby', 'support', 'support',
               'news:eu', 'news:eu', 'news:us', 'match-17', 'match-18'];

const shots = path.join(__dirname, '../../build/shots');


function api(stack, method, where, body) {
    return fetch(stack.url + where, {
        method: method,
        headers: { 'X-API-Key': key, 'Content-Type': 'application/json' },
        body: body && JSON.stringify(body)
    }).then((answer) => answer.json());
}


async function shot(page, name) {
    await page.screenshot({ path: path.join(shots, `admin-${name}.png`) });
}


/* Nothing that axe finds, and nothing wider than the screen. */
async function sound(tap, page, what) {
    await tap.ok(`axe finds nothing: ${what}`, async () => {
        const faults = await axe(page);

        if (faults.length) {
            throw new Error(faults.join('\n'));
        }
        return true;
    });
    await tap.ok(`nothing is wider than the page: ${what}`, () =>
        page.evaluate(() => document.documentElement.scrollWidth
                            <= window.innerWidth
            && Array.from(document.querySelectorAll('.panel, .tile')).every(
                   (e) => e.scrollWidth <= e.clientWidth)));
}


/* A user of the service; the token. */
async function register(stack, name) {
    const body = { UserName: name, Password: password };

    await api(stack, 'POST', '/v1/user/register', body);

    const { data } = await api(stack, 'POST', '/v1/user/login', body);

    return { token: data.Auth, id: data.UserId, name: name };
}


/* Clients are sockets of a page without a policy; by name, at a node. */
class Clients {
    constructor(page) {
        this.page = page;
    }

    open(name, node, token, room) {
        return this.page.evaluate(([n, url, first]) => {
            const socket = new WebSocket(url);
            const client = { got: [], closed: null };

            window.clients = window.clients || {};
            window.clients[n] = client;
            socket.onopen = () => socket.send(JSON.stringify(first));
            socket.onmessage = (e) => client.got.push(JSON.parse(e.data));
            socket.onclose = (e) => {
                client.closed = { code: e.code, reason: e.reason };
            };
        }, [name, `ws://127.0.0.1:${port + node}/ws`,
            { auth: token, room: room }]);
    }

    get(name) {
        return this.page.evaluate((n) => window.clients[n], name);
    }

    async got(name, msg) {
        return (await this.get(name)).got.some((frame) =>
            JSON.stringify(frame.msg) === JSON.stringify(msg));
    }

    closed(name) {
        return until(async () => (await this.get(name)).closed);
    }
}


function text(page, selector, pattern) {
    return until(async () => pattern.test(
        await page.locator(selector).innerText()));
}


async function keys(tap, stack, page) {
    await page.goto(stack.url + '/admin');
    await tap.ok('the page asks for the key', () =>
        page.waitForSelector('#keyform:not([hidden])').then(() => true));
    await tap.ok('and shows nothing else', async () =>
        await page.isHidden('#board') && await page.isHidden('#fault'));
    await sound(tap, page, 'the key');
    await shot(page, 'key');

    await page.fill('#key', 'another key');
    await page.press('#key', 'Enter');
    await tap.ok('a wrong key is said to be one', () =>
        text(page, '#key-notice', /key is not valid/));
    await sound(tap, page, 'a wrong key');

    await page.fill('#key', key);
    await page.press('#key', 'Enter');
    await tap.ok('with the right one it is connected', () =>
        page.waitForSelector('#state[data-state=open]').then(() => true));
    await page.reload();
    await tap.ok('a reload keeps it', () =>
        page.waitForSelector('#state[data-state=open]').then(() => true));
}


/* Some minutes of a service that is in use, for pictures. */
async function past(stack, clients) {
    for (let i = 0; i < 600; i++) {
        await api(stack, 'POST', '/im/push', { rooms: ['lobby', 'news:eu'],
                                               data: { msg: 'hello ' + i } });
        await new Promise((resolve) => setTimeout(resolve,
            90 + 60 * Math.sin(i / 60)));

        if (i % 7 === 0 || i % 100 < 5) {
            await clients.open('past' + i, i % 2, null,
                               i % 3 ? 'match-19' : ROOMS[i % 11]);
        }
    }
}


async function board(tap, stack, page, clients, nsessions) {
    await tap.ok('it counts sessions', () => text(page, '#sessions',
        new RegExp(`^${nsessions}$`)));
    await tap.ok('two nodes with two workers each are live', async () =>
        await text(page, '#nodes', /nginx1[^]*nginx2/)
        && await page.locator('.worker .state[data-state=live]').count() === 4);
    await tap.ok('the largest room is the first', () => text(page,
        '#rooms li:first-child', /^lobby\s+\d+$/));
    await tap.ok('im_job and im_logic are there', () => text(page, '#services',
        /Redis\s+up[^]*job-[^]*16 partitions[^]*im_logic/));

    const before = await page.locator('#messages ~ .spark .line')
        .getAttribute('d');
    let n = 0;

    await tap.ok('pushes move the numbers', () => until(async () => {
        await api(stack, 'POST', '/im/push', { rooms: ['lobby', 'news:eu'],
                                               data: { msg: 'hello ' + n++ } });
        return Number(await page.textContent('#messages')) > 5
            && await page.locator('#messages ~ .spark .line')
                   .getAttribute('d') !== before;
    }));
    await tap.ok('of the workers too', () => until(async () =>
        await page.locator('.worker td:nth-child(3) .line[d^=M]').count()
        > 0));

    if (pictures) {
        await past(stack, clients);
    }

    await sound(tap, page, 'all of it');
    await shot(page, 'desktop');
}


async function rooms(tap, page, ann) {
    await page.locator('#rooms button', { hasText: MARKUP }).click();
    await tap.ok('a room shows its users', () => text(page, '#detail-rows',
        new RegExp(ann.name)));
    await tap.ok('and guests', () => text(page, '#detail-count',
                                          /^3 sessions, 1 guest$/));
    await tap.ok('its name is in the title, as text', async () =>
        await page.textContent('#detail-title') === 'Room ' + MARKUP);
    await tap.ok('no name is markup', async () =>
        await page.locator('#xss').count() === 0);
    await sound(tap, page, 'a room');

    await page.fill('#find-name', 'nowhere');
    await page.selectOption('#find-kind', 'room');
    await page.press('#find-name', 'Enter');
    await tap.ok('a room without clients', () => text(page, '#detail-count',
                                                      /^0 sessions$/));
    await page.fill('#find-name', 'x'.repeat(300));
    await page.press('#find-name', 'Enter');
    await tap.ok('a name that can\'t be one', () => text(page,
        '#detail-notice', /not valid/));
    await page.goBack();
    await tap.ok('back is back', () => text(page, '#detail-title',
                                            /^Room nowhere$/));
    await page.click('#detail-close');
    await tap.ok('it closes', () => until(() => page.isHidden('#detail')));
}


async function publish(tap, page, clients) {
    const sent = async (to, names, form, data) => {
        await page.selectOption('#to', to);

        if (names !== null) {
            await page.fill('#targets', names);
        }

        await page.selectOption('#form', form);
        await page.fill('#data', data);
        await page.click('#publish [type=submit]');
    };

    await sent('rooms', 'lobby\nsupport\n', 'text', 'a "text" <b>');
    await tap.ok('a text is accepted by two rooms', () => text(page,
        '#results', /Room lobby: accepted as message \d+\s+Room support: /));
    await tap.ok('and reaches their clients', () => until(async () =>
        await clients.got('room0', 'a "text" <b>')
        && await clients.got('room4', 'a "text" <b>')));

    await sent('all', null, 'json', '{"msg":[1,{"a":2}]}');
    await tap.ok('JSON reaches everybody', async () =>
        await text(page, '#results', /^Everybody: accepted/)
        && await until(() => clients.got('room8', [1, { a: 2 }])));

    await sent('all', null, 'json', '{"msg":');
    await tap.ok('what is no JSON is not sent', () => text(page,
        '#publish-notice', /not JSON/));
    await sound(tap, page, 'a form that is refused');

    await sent('rooms', 'x'.repeat(300), 'text', 'x');
    await tap.ok('the server\'s reason is shown', () => text(page,
        '#publish-notice', /400.*room/));
}


async function show(page, user) {
    await page.selectOption('#find-kind', 'user');
    await page.fill('#find-name', user.id);
    await page.press('#find-name', 'Enter');
    await page.waitForSelector('#detail:not([hidden])');
}


async function kicks(tap, page, clients, ann, bob) {
    await show(page, ann);
    await tap.ok('a user\'s sessions, with protocol and address', async () =>
        await text(page, '#detail-title', /^User Ann$/)
        && await text(page, '#detail-count', /^2 sessions$/)
        && await text(page, '#detail-rows',
                      /im · 127\.0\.0\.1\s+since \d\d:\d\d:\d\d · nginx/));
    await sound(tap, page, 'a user');
    await shot(page, 'user');

    await page.locator('#detail-rows button').first().click();
    await tap.ok('a kick is to be confirmed', () => page.isVisible('#dialog'));
    await sound(tap, page, 'the dialog');
    await page.click('#dialog-cancel');
    await tap.ok('and can be left', async () =>
        await page.isHidden('#dialog')
        && (await clients.get('ann')).closed === null
        && (await clients.get('ann2')).closed === null);

    await page.locator('#detail-rows button').first().click();
    await page.click('#dialog-go');
    await tap.ok('one session is closed', () => until(async () =>
        Boolean((await clients.get('ann')).closed)
        !== Boolean((await clients.get('ann2')).closed)));
    await tap.ok('and gone', () => text(page, '#detail-count',
                                        /^1 session$/));

    await page.click('#detail-kick');
    await page.fill('#reason', 'too loud');
    await page.click('#dialog-go');
    await tap.ok('all of a user are closed, with the reason', async () =>
        await clients.closed('ann') && await clients.closed('ann2')
        && [await clients.get('ann'), await clients.get('ann2')].some((c) =>
            c.closed.code === 1008 && c.closed.reason === 'too loud'));
    await tap.ok('the page says so', () => text(page, '#detail-done',
                                                /sessions were closed/));

    await show(page, bob);
    await page.click('#detail-ban');
    await page.selectOption('#seconds', '3600');
    await shot(page, 'ban');
    await page.click('#dialog-go');
    await tap.ok('a user is kept out', async () => await clients.closed('bob')
        && await text(page, '#bans', new RegExp(
            bob.id + '[^]*(?:59\\smin|1\\sh)')));
    await clients.open('bob', 0, bob.token, 'lobby');
    await tap.ok('and can\'t come back', async () =>
        await clients.closed('bob') && (await clients.get('bob')).closed.code
        === 1008);
    await page.click('#bans button');
    await tap.ok('until he is let in', () => text(page, '#no-bans',
                                                  /No user/));
    await clients.open('bob', 0, bob.token, 'lobby');
    /* workers hear of it a moment after the page */
    await tap.ok('then he can', () => until(async () => {
        if ((await clients.get('bob')).closed) {
            await clients.open('bob', 0, bob.token, 'lobby');
        }

        return /^1 session$/.test(
            await page.locator('#detail-count').innerText());
    }));
}


/* What a test would wait long for; the server's answer, changed. */
async function states(tap, page) {
    await page.route('**/im/nodes', async (route) => {
        const response = await route.fetch();
        const answer = await response.json();
        const [one, two] = answer.data.nodes;

        Object.assign(one.workers[0], { link: 'degraded', away: 5 });
        one.workers[1].state = 'draining';
        two.state = 'away';
        two.workers = two.workers.map((w) => ({ worker: w.worker,
            state: 'away', version: w.version, gone: 70 }));
        Object.assign(answer.data.queue, { length: 12, age: 6200, partitions:
            [{ partition: 3, length: 12, age: 6200, job: '' },
             { partition: 7, away: true }] });
        answer.data.jobs = [];
        await route.fulfill({ response: response, json: answer });
    });
    await page.route('**/im/health', async (route) => {
        const response = await route.fetch();
        const answer = await response.json();

        answer.data.warnings = ['appendonly is no: <i>set</i> it'];
        await route.fulfill({ response: response, json: answer });
    });

    await tap.ok('a worker that ends, and one without all of Redis', () =>
        text(page, '#nodes',
             /5 partitions of Redis away[^]*Worker 1\s+draining/));
    await tap.ok('a node that is away', () => text(page, '#nodes',
        /nginx2\s+away[^]*Worker 0\s+away[^]*gone for 1\smin/));
    await tap.ok('a queue that waits', async () =>
        await text(page, '#age', /1 partition away/)
        && await text(page, '#services', /Queue 3\s+12 pushes · 6\.2 s/)
        && await text(page, '#services', /im_job\s+none lives/));
    await tap.ok('a warning, as text', () => text(page, '#warnings',
        /^appendonly is no: <i>set<\/i> it$/));
    await sound(tap, page, 'what is wrong');
    await shot(page, 'wrong');
    await page.unroute('**/im/nodes');
    await page.unroute('**/im/health');
    await tap.ok('all is well again', () => until(async () =>
        await page.isHidden('#warnings')
        && await page.locator('.state[data-state=away]').count() === 0));
}


function focused(page, id) {
    return page.evaluate((i) => document.activeElement.id === i, id);
}


async function keyboard(tap, page) {
    await page.click('#detail-close');
    await tap.ok('the field is focused again', () => focused(page,
                                                             'find-name'));
    await page.keyboard.type('support');
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await tap.ok('a room is looked up by keyboard', () => text(page,
        '#detail-title', /^Room support$/));
    await tap.ok('and focused', () => focused(page, 'detail-title'));
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await tap.ok('its name goes to the form', async () =>
        await focused(page, 'data')
        && await page.inputValue('#targets') === 'support');
}


async function phone(tap, stack, browser, faults) {
    for (const [width, scheme] of [[390, 'light'], [320, 'dark']]) {
        const page = await (await context(browser, {
            hasTouch: true, isMobile: true, colorScheme: scheme,
            deviceScaleFactor: 2, viewport: { width: width, height: 844 },
            extraHTTPHeaders: { 'X-API-Key': key } })).newPage();

        watch(page, faults);
        await page.goto(stack.url + '/admin.html#room/lobby');
        await tap.ok(`without a key of its own it works, ${width} px`, () =>
            text(page, '#detail-count', /^\d+ sessions/));
        await until(async () => await page.textContent('#messages') !== '–');
        await page.evaluate(() => window.scrollTo(0, 0));
        await sound(tap, page, `${width} px, ${scheme}`);
        await shot(page, `phone-${width}`);
        await page.close();
    }
}


/* The clock is ours. */
async function visible(tap, stack, browser, faults) {
    const page = await (await context(browser, { colorScheme: 'dark',
        viewport: { width: 1280, height: 900 },
        extraHTTPHeaders: { 'X-API-Key': key } })).newPage();
    let asked = 0;

    const hide = (hidden) => page.evaluate((value) => {
        Object.defineProperty(document, 'hidden',
                              { value: value, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);

    watch(page, faults);
    page.on('request', (r) => asked += /im\/nodes/.test(r.url()) ? 1 : 0);
    await page.clock.install();
    await page.goto(stack.url + '/admin');
    await page.waitForSelector('#state[data-state=open]');
    await until(async () => {
        await page.clock.fastForward(3000);
        return await page.textContent('#messages') !== '–';
    });
    await sound(tap, page, 'dark');
    await shot(page, 'dark');

    await hide(true);
    await page.clock.fastForward(10000);       /* what was under way ends */
    const before = asked;
    await page.clock.fastForward(600000);
    await tap.ok('out of sight it asks for nothing', () => asked === before);
    await hide(false);
    await tap.ok('in sight it goes on', () => until(() => asked > before));

    await tap.ok('what it remembers has an end', () => page.evaluate(
        async () => {
            const { Rates, Series } = await import('./admin-series.js');
            const series = new Series();
            const rates = new Rates(['n']);

            for (let i = 0; i < 1000; i++) {
                series.add(i);
                rates.report({ time: i * 3000, n: i * 6 });
            }
            return series.values.length === 60 && rates.now.n === 2
                   && rates.series.n.values.length === 60;
        }));
    await page.close();
}


async function down(tap, stack, page) {
    await stack.end('nginx1', 'QUIT');
    await tap.ok('the page says that the server is away', () => text(page,
        '#fault-text', /cannot be reached/));
    await tap.ok('and shows what was last', () => page.isVisible('#board'));
    await sound(tap, page, 'the server is away');
    await stack.begin('nginx1');
    await page.click('#again');
    await tap.ok('it goes on', () =>
        page.waitForSelector('#state[data-state=open]').then(() => true));

    await stack.end('logic', 'TERM');
    await tap.ok('im_logic is away', () => text(page, '#fault-text',
                                                /cannot reach im_logic/));
    await stack.begin('logic');
    await tap.ok('it comes back by itself', () => until(() =>
        page.isHidden('#fault')));

    await page.route('**/im/nodes', (route) => route.fulfill({ status: 403,
        contentType: 'text/html', body: 'no' }));
    await tap.ok('an address that is refused', () => text(page,
        '#fault-text', /refuses this address/));
    await page.unroute('**/im/nodes');
    await page.click('#again');
    await page.waitForSelector('#state[data-state=open]');

    await page.click('#forget');
    await tap.ok('a key is forgotten', () =>
        page.waitForSelector('#keyform:not([hidden])').then(() => true));
}


/* Two users; the room with markup in its name has both, and a guest. */
async function populate(stack, clients) {
    const ann = await register(stack, 'Ann');
    const bob = await register(stack, MARKUP);

    await clients.open('ann', 0, ann.token, MARKUP);
    await clients.open('ann2', 1, ann.token, 'support');
    await clients.open('bob', 1, bob.token, MARKUP);
    await clients.open('guest', 0, null, MARKUP);

    for (const [i, room] of ROOMS.entries()) {
        await clients.open('room' + i, i % 2, null, room);
    }

    return [ann, bob];
}


async function main() {
    const tap = new Tap();
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'im-admin-'));
    const file = path.join(dir, 'keys');

    fs.mkdirSync(shots, { recursive: true });
    fs.writeFileSync(file, key + '\n');
    process.on('exit', () => fs.rmSync(dir, { recursive: true }));

    const stack = new Stack({ port, nodes: ['nginx1', 'nginx2'], key: key,
                              logic: ['--api-key-file=' + file] });
    const faults = [];

    await run(tap, stack, async (browser) => {
        const outside = await (await context(browser)).newPage();
        const page = await (await context(browser, {
            viewport: { width: 1280, height: 900 } })).newPage();
        const clients = new Clients(outside);

        await outside.goto(stack.url + '/im/status');

        const [ann, bob] = await populate(stack, clients);

        await keys(tap, stack, page);
        watch(page, faults);
        await board(tap, stack, page, clients, 4 + ROOMS.length);
        await rooms(tap, page, ann);
        await publish(tap, page, clients);
        await phone(tap, stack, browser, faults);
        await visible(tap, stack, browser, faults);
        await kicks(tap, page, clients, ann, bob);
        await keyboard(tap, page);
        await states(tap, page);
        await tap.ok('no error in any console', () => {
            const others = faults.filter((f) => !/status of 400/.test(f));

            if (others.length) {
                throw new Error(others.join('\n'));
            }
            return true;
        });
        await down(tap, stack, page);
    });
}


main();
