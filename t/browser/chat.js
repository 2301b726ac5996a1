/*
 * Copyright (C) The im authors
 *
 * What the chat page remembers and how it shows messages: history, times,
 * private messages after a reload, links, lines, new messages below, the
 * banner, names of rooms, the command to copy, errors in English.  Prints TAP.
 */

'use strict';

const { execFileSync } = require('child_process');
const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { axe, context, run, watch } = require('./browser.js');

const port = ports();
const password = 'correct horse';

const shown = '[role=log]:not([hidden])';


function texts(page) {
    return page.locator(`${shown} .text`).allTextContents();
}


function shows(page, text) {
    return until(async () =>
        (await texts(page)).filter((t) => t === text).length === 1);
}


async function open(stack, from, faults, hash = '') {
    const page = await from.newPage();

    watch(page, faults);
    await page.goto(`${stack.url}/${hash}`);
    await page.waitForSelector('#state[data-state=open]');

    return page;
}


async function register(page, name) {
    await page.click('#register');
    await page.fill('#name', name);
    await page.fill('#password', password);
    await page.click('#sign-go');
    await until(async () => await page.textContent('#me') === name);
    await page.waitForSelector('#state[data-state=open]');
}


async function send(page, text) {
    await page.fill('#text', text);
    await page.waitForSelector('#send:enabled');
    await page.press('#text', 'Enter');
    await until(async () => await page.inputValue('#text') === '');
}


function push(stack, room, ...all) {
    return all.reduce((before, msg) => before.then(() =>
        stack.push({ rooms: [room], data: { msg: msg } })), Promise.resolve());
}


function talk(page, name) {
    return page.locator('#side nav .talk').filter({
        has: page.locator('.label', { hasText: name }) });
}


async function clean(tap, what, page) {
    await tap.ok(`axe finds nothing: ${what}`, async () => {
        const found = await axe(page);

        if (found.length) {
            throw new Error(found.join('\n'));
        }
        return true;
    });
}


/*
 * A page whose WebSockets a test answers; opened(ws, n) gets each of them.
 * still: the clock of the page, and of all in its context, stands still.
 */
async function mocked(stack, from, hash, still, opened) {
    const page = await from.newPage();
    let n = 0;

    await page.routeWebSocket(/\/ws$/, (ws) => {
        n++;
        opened(ws, n);
    });

    if (still) {
        await page.clock.install();
        await page.clock.pauseAt(Date.now() + 60000);
    }

    await page.goto(`${stack.url}/${hash}`);

    return page;
}


function place(seq) {
    return JSON.stringify({ op: 7, room: 'm', seq: seq, epoch: 'e',
                            recovered: true });
}


const INFO = '{"op":4,"roomId":-1,"room":"m","count":0,"roomUserInfo":{}}';


async function history(tap, stack, from, faults) {
    const sent = Array.from({ length: 60 }, (x, i) => `number ${i + 1}`);
    const last = JSON.stringify(sent.slice(10));

    await push(stack, 'history', ...sent);

    const page = await open(stack, from, faults, '#history');

    await tap.ok('a page begins with the last 50 messages, in order', () =>
        until(async () => JSON.stringify(await texts(page)) === last));
    await tap.ok('at their end, and nothing is new', async () =>
        await page.isHidden('#newer')
        && await page.title() === 'history \u2013 im chat'
        && await page.evaluate(() => {
            const e = document.querySelector('#scroll');
            return e.scrollHeight - e.clientHeight - e.scrollTop < 2;
        }));

    const answer = await fetch(`${stack.url}/im/rooms/history/history?limit=50`);
    const times = (await answer.json()).data.messages.map((m) =>
        new Date(m.time).toISOString());
    const said = await page.locator(`${shown} time`).evaluateAll((all) =>
        all.map((e) => e.dateTime));

    await tap.ok('their times are the server\'s', JSON.stringify(times)
                                                  === JSON.stringify(said));
    await page.reload();
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('they are there after a reload', () =>
        until(async () => JSON.stringify(await texts(page)) === last));
    await tap.ok('with their times', async () => JSON.stringify(times)
        === JSON.stringify(await page.locator(`${shown} time`).evaluateAll(
            (all) => all.map((e) => e.dateTime))));
    await page.close();
}


async function days(tap, stack, from) {
    const first = Date.UTC(2026, 10, 26, 12);

    const page = await mocked(stack, from, '#m', false, (ws) => ws.onMessage(() => {
        ws.send(place(0));

        for (const [i, hours] of [0, 0.01, 1, 24].entries()) {
            ws.send(JSON.stringify({ op: 3, code: 0, msg: `message ${i}`,
                fuid: 'u1', fname: 'Ann', seq: i + 1, epoch: 'e',
                time: first + hours * 3600000 }));
        }

        ws.send(INFO);
    }));

    await shows(page, 'message 3');
    await tap.ok('each day stands above its messages', async () =>
        JSON.stringify(await page.locator(`${shown} li`).evaluateAll((all) =>
            all.map((e) => e.className.split(' ')[0])))
        === '["day","message","message","message","day","message"]');
    await tap.ok('with its date', async () => JSON.stringify(
        await page.locator('.day').allTextContents())
        === '["Thursday, November 26, 2026","Friday, November 27, 2026"]');
    await tap.ok('and each message has the whole of it', async () =>
        /Thursday, November 26, 2026/.test(
            await page.locator('time').first().getAttribute('title')));
    await tap.ok('a name is shown once above what was sent in a row', async () =>
        await page.locator('.follow').count() === 1);
    await page.close();
}


/* Redis has lost a part: the last messages follow, of which some are shown. */
async function again(tap, stack, from) {
    const page = await mocked(stack, from, '#m', false, (ws, n) => {
        const say = (seq) => ws.send(JSON.stringify({ op: 3, code: 0,
            msg: `message ${seq}`, fuid: '', fname: '', seq: seq,
            epoch: `e${n}`, time: 1795877538000 + seq }));

        ws.onMessage(async () => {
            ws.send(JSON.stringify({ op: 7, room: 'm', seq: 0, epoch: `e${n}`,
                                     recovered: n === 1 }));
            [[], [1, 2], [2, 3]][n].forEach(say);
            ws.send(INFO);

            if (n === 1) {
                await ws.close({ code: 1012 });
            }
        });
    });

    await tap.ok('a hole is told, and nothing is there twice', () => until(
        async () => JSON.stringify(await page.locator(`${shown} .text, .note`)
            .allTextContents()).replace(/Some [^"]*/, 'hole')
        === '["message 1","message 2","hole","message 3"]'));
    await page.close();
}


async function many(tap, stack, from) {
    const page = await mocked(stack, from, '#m', false, (ws) =>
        ws.onMessage(() => {
            ws.send(place(0));
            ws.send(INFO);

            for (let i = 1; i <= 520; i++) {
                ws.send(JSON.stringify({ op: 3, code: 0, msg: `message ${i}`,
                    fuid: '', fname: '', seq: i, epoch: 'e',
                    time: 1795877538000 + i }));
            }
        }));

    await shows(page, 'message 520');
    await tap.ok('a page keeps 500 messages, the first one under its day',
        async () => JSON.stringify(await page.locator(`${shown} li`)
            .evaluateAll((all) => [all.length, all[0].className,
                all[1].querySelector('.text').textContent]))
        === '[501,"day","message 21"]');
    await page.close();
}


async function looks(tap, stack, a, b) {
    await push(stack, '1', 'see (https://example.org/a?b=1&c=2#d). '
               + 'javascript:alert(1) http://[ "https://example.net/"');

    const links = b.locator(`${shown} .text a`);

    await until(async () => await links.count() === 2);
    await tap.ok('addresses are links, without what stands behind them', async () =>
        JSON.stringify(await links.evaluateAll((all) =>
            all.map((e) => [e.textContent, e.href, e.target, e.rel])))
        === JSON.stringify([['https://example.org/a?b=1&c=2#d',
                             'https://example.org/a?b=1&c=2#d'],
                            ['https://example.net/', 'https://example.net/']]
            .map((l) => [...l, '_blank', 'noopener noreferrer nofollow'])));

    await a.fill('#text', 'one');
    await a.press('#text', 'Shift+Enter');
    await tap.ok('Shift+Enter breaks the line', async () =>
        await a.inputValue('#text') === 'one\n');
    await a.type('#text', 'two');
    await a.press('#text', 'Enter');
    await tap.ok('Enter sends the lines', () => shows(b, 'one\ntwo'));

    const high = (text) => b.locator(`${shown} .text`, { hasText: text }).last()
        .evaluate((e) => e.getClientRects().length
                         / parseFloat(getComputedStyle(e).lineHeight)
                         * e.getBoundingClientRect().height);

    await send(a, 'short');
    await shows(b, 'short');
    await tap.ok('and they are lines for those that read', async () =>
        await high('one') > 1.5 * await high('short'));
    await tap.ok('a bubble is as wide as its text', async () => {
        const bubble = await b.locator('.bubble', { hasText: 'short' }).last()
            .boundingBox();
        const list = await b.locator('.messages').first().boundingBox();
        return bubble.width < list.width / 3;
    });
    await tap.ok('users have colours of their own', () => b.evaluate(() => {
        const hues = Array.from(document.querySelectorAll('#members .talk'),
            (e) => e.className.match(/hue-\d/)[0]);
        return hues.length === 2 && new Set(Array.from(
            document.querySelectorAll('.message:not(.mine) .from'),
            (e) => getComputedStyle(e).color)).size > 1;
    }));
    await tap.ok('a Chinese word may be chosen by Enter', async () => {
        await a.fill('#text', 'ni hao');
        await a.evaluate(() => document.querySelector('#text').dispatchEvent(
            new KeyboardEvent('keydown', { key: 'Enter', isComposing: true,
                                           bubbles: true, cancelable: true })));
        return await a.inputValue('#text') === 'ni hao'
               && await a.isEnabled('#send');
    });
    await a.fill('#text', '');
}


async function below(tap, stack, page) {
    await push(stack, '1', ...Array.from({ length: 30 }, (x, i) => `line ${i}`));
    await shows(page, 'line 29');
    await page.locator('#scroll').evaluate((e) => new Promise((seen) => {
        /* the page's own listener is called before this one */
        e.addEventListener('scroll', seen, { once: true });
        e.scrollTop = 0;
    }));
    await push(stack, '1', 'below one');
    await tap.ok('a new message below is counted', () => until(async () =>
        await page.textContent('#newer') === '1 new message'));
    await push(stack, '1', 'below two', 'below three');
    await tap.ok('and the next ones', () => until(async () =>
        await page.textContent('#newer') === '3 new messages'));
    await tap.ok('the reader stays', () => page.evaluate(
        () => document.querySelector('#scroll').scrollTop === 0));
    await clean(tap, 'new messages below', page);
    await page.click('#newer');
    await tap.ok('a click leads to them', () => until(() => page.evaluate(() => {
        const e = document.querySelector('#scroll');
        return e.scrollHeight - e.clientHeight - e.scrollTop < 2;
    })));
    await tap.ok('and they are no longer new', () => page.isHidden('#newer'));
}


async function privately(tap, stack, from, a, b, faults) {
    await a.click('#members button:has-text("Bob")');
    await send(a, 'first to Bob');
    await until(async () => await talk(b, 'Ann').locator('.unread')
        .isVisible());
    await talk(b, 'Ann').click();
    await tap.ok('what one sends to another that is there is not kept', async () =>
        await shows(b, 'first to Bob') && await a.locator('.kept').count() === 0);
    await send(b, 'and back');
    await shows(a, 'and back');

    const tab = await open(stack, from, faults);

    await until(async () => await talk(tab, 'Bob').count() === 1);
    await talk(tab, 'Bob').click();
    await tap.ok('another tab has all of it, in order', () => until(async () =>
        JSON.stringify(await texts(tab)) === '["first to Bob","and back"]'));
    await send(tab, 'from the tab');
    await tap.ok('what one tab sends is in the other', () =>
        shows(a, 'from the tab'));
    await talk(tab, 'Lobby').click();
    await talk(a, 'Lobby').click();
    await send(b, 'read in one tab');
    await until(async () => await talk(tab, 'Bob').locator('.unread')
        .isVisible());
    await talk(a, 'Bob').click();
    await tap.ok('what is read in one tab is not unread in the other', () =>
        until(() => talk(tab, 'Bob').locator('.unread').isHidden()));
    await tab.close();

    await talk(b, 'Lobby').click();
    await send(a, 'not read yet');
    await until(async () => await talk(b, 'Ann').locator('.unread')
        .textContent() === '1');

    for (const page of [a, b]) {
        await page.reload();
        await page.waitForSelector('#state[data-state=open]');
    }

    await tap.ok('after a reload the talk is there, under its name', () =>
        until(async () => await talk(a, 'Bob').count() === 1
                          && await talk(b, 'Ann').count() === 1));
    await tap.ok('only what was not read is unread', () => until(async () =>
        await talk(b, 'Ann').locator('.unread').textContent() === '1'
        && await talk(a, 'Bob').locator('.unread').isHidden()));
    await talk(a, 'Bob').click();
    await tap.ok('with all of its messages', () => until(async () =>
        JSON.stringify(await texts(a)) === '["first to Bob","and back",'
            + '"from the tab","read in one tab","not read yet"]'));
    await tap.ok('those of the reader at their side', async () =>
        await a.locator(`${shown} .mine`).count() === 3);

    await b.click('#logout');
    await until(async () => await b.textContent('#me') === 'Guest');

    const id = await a.evaluate(async () => {
        const answer = await fetch('/v1/user/check_auth', { method: 'POST',
            body: JSON.stringify({ Auth: localStorage.getItem('auth') }) });
        return (await answer.json()).data.UserId;
    });

    await tap.ok('the user is known', /^[0-9a-f]{16}$/.test(id));
    await talk(a, 'Lobby').click();
    await until(async () => await a.locator('#members .label').count() === 1);
    await talk(a, 'Bob').click();
    await send(a, 'while you were out');
    await tap.ok('what is sent to one that is away is said to be kept', () =>
        until(async () => JSON.stringify(await a.locator(`${shown} .kept`)
            .allTextContents()) === '["Kept until Bob returns"]'));
    await b.click('#login');
    await b.fill('#name', 'Bob');
    await b.fill('#password', password);
    await b.click('#sign-go');
    await until(async () => await talk(b, 'Ann').count() === 1);
    await talk(b, 'Ann').click();
    await tap.ok('and it is there when the receiver returns', () =>
        shows(b, 'while you were out'));
    await talk(a, 'Lobby').click();
    await talk(b, 'Lobby').click();
}


/* The clock stands still: only a click can connect again. */
async function banner(tap, stack, from) {
    let seen = 0;

    const page = await mocked(stack, from, '#m', true, async (ws, n) => {
        seen = n;

        if (n === 1) {
            await ws.close({ code: 1008, reason: 'no <b>such</b> room' });
            return;
        }

        ws.onMessage(() => {
            ws.send(place(0));
            ws.send(INFO);
        });
    });

    await tap.ok('a refused connection has a banner with the reason', () =>
        until(async () => await page.textContent('#banner-text')
        === 'The server refused the connection: no <b>such</b> room.'));
    await tap.ok('and with the time of the next try', async () =>
        /^Next try in ([89]|1[0-5]) s\.$/.test(
            await page.textContent('#banner-next')));

    const tries = seen;

    await page.click('#retry');
    await tap.ok('"Try now" connects', () => until(() => seen === tries + 1));
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('and then the banner is gone', () => page.isHidden('#banner'));
    await tap.ok('the focus is not lost', () => page.evaluate(
        () => document.activeElement !== document.body));
    await page.close();
}


async function names(tap, stack, from, faults) {
    const name = 'Käse & "Wein" \'7\'';
    const page = await from.newPage();

    watch(page, faults);
    await page.route('**/chat.json', (route) => route.fulfill({ json: {
        rooms: [{ room: 'kitchen', title: 'Kitchen' }, { room: name }],
        docs: 'https://example.org/docs' } }));
    await page.goto(stack.url);
    await page.waitForSelector('#state[data-state=open]');

    await tap.ok('chat.json names the rooms and the documents', async () =>
        await page.textContent('#title') === 'Kitchen'
        && await talk(page, 'Käse').count() === 1
        && await page.getAttribute('#docs', 'href')
           === 'https://example.org/docs');
    await talk(page, 'Käse').click();
    await page.waitForSelector('#state[data-state=open]');
    await push(stack, name, 'by name');
    await tap.ok('a room has any name', () => shows(page, 'by name'));
    await tap.ok('which is in the address', async () =>
        decodeURIComponent(new URL(page.url()).hash) === '#' + name);

    execFileSync('sh', ['-c', await page.textContent('#curl')],
                 { stdio: 'ignore' });
    await tap.ok('the command of the page pushes to that room', () =>
        shows(page, 'hello'));
    await page.evaluate(() => {
        navigator.clipboard.writeText = async (text) => {
            window.copied = text;
        };
    });
    await page.click('#copy');
    await tap.ok('it can be copied', () => until(async () =>
        await page.evaluate(() => window.copied)
        === await page.textContent('#curl')
        && await page.textContent('#copy') === 'Copied'));
    await page.evaluate(() => {
        navigator.clipboard.writeText = () => Promise.reject(new Error('no'));
    });
    await page.click('#copy');
    await tap.ok('or is selected, where the page may not copy', () => until(
        async () => await page.evaluate(() => String(getSelection()))
        === await page.textContent('#curl')));

    await page.fill('#room-name', 'attic');
    await page.press('#room-name', 'Enter');
    await until(async () => await page.textContent('#title') === 'attic');
    await page.reload();
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('a room that was added is there after a reload', async () =>
        await page.textContent('#title') === 'attic'
        && await talk(page, 'attic').count() === 1
        && await talk(page, 'Kitchen').count() === 1);
    await page.click('[aria-label="Leave attic"]');
    await page.reload();
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('until the reader leaves it', async () =>
        await talk(page, 'attic').count() === 0);
    await page.close();
}


async function broadcasts(tap, stack, from, faults) {
    await stack.push({ all: true, data: { msg: 'to everybody' } });
    await push(stack, 'later', 'after the broadcast');

    const page = await open(stack, from, faults, '#later');

    await tap.ok('a broadcast of before is in its place by time', () =>
        until(async () => JSON.stringify(await texts(page))
        === '["to everybody","after the broadcast"]'));
    await page.close();
}


async function here(tap, stack, from, a, b, faults) {
    const guest = await open(stack, from, faults);

    await tap.ok('guests are counted beside users', () => until(async () =>
        await guest.textContent('#here') === '3 here, 1 of them a guest'
        && await guest.textContent('#count') === '2'
        && await guest.textContent('#guests') === '1 guest'));
    await clean(tap, 'a guest', guest);
    await guest.close();
}


/* The server's own texts are Chinese. */
async function english(tap, stack, from, a) {
    const page = await from.newPage();
    const answers = [[-11, '系统异常'], [-12, '数据库操作异常'],
                     [-1002, '用户名密码有误'], [-1003, '用户不存在'],
                     [-1005, '尝试次数过多'], [-1006, '用户已被暂时禁止'],
                     [-1, '参数验证出错'], [-77, '未知']];
    let answer = null;

    await page.route('**/v1/user/*', (route) => route.fulfill({
        status: answer[0] === -12 ? 500 : 200,
        json: { code: answer[0], msg: answer[1], data: {} } }));
    await page.goto(stack.url);
    await page.waitForSelector('#state[data-state=open]');

    for (const what of ['login', 'register']) {
        await page.click('#' + what);
        await page.fill('#name', 'Carl');
        await page.fill('#password', password);

        for (answer of answers) {
            await page.click('#sign-go');
            await page.waitForSelector('#sign-go:enabled');
            await tap.ok(`${what}, code ${answer[0]}: said in English`, () =>
                until(async () => /^[A-Z][ -~]+\.$/.test(
                    await page.textContent('#sign-notice'))));
        }

        await page.click('#sign-cancel');
    }

    await page.close();

    for (const [code, msg] of [[-11, '发送失败'], [-1, '网络请求出错']]) {
        await a.route('**/api/v1/pushRoom*', (route) => route.fulfill({
            json: { code: code, msg: msg } }));
        await a.fill('#text', 'refused');
        await a.press('#text', 'Enter');
        await tap.ok(`a send, code ${code}: said in English, the text kept`, () =>
            until(async () => /^Not sent\. [ -~]+\.$/.test(
                await a.textContent('#notice'))
                && await a.inputValue('#text') === 'refused'
                && await a.isEnabled('#send')));
        await a.unroute('**/api/v1/pushRoom*');
    }

    await a.fill('#text', '');
}


async function docs(tap, stack, page) {
    const answer = await page.request.get(
        new URL(await page.getAttribute('#docs', 'href'), page.url()).href);
    const one = await page.request.get(`${stack.url}/docs/protocol-im.md`);

    await tap.ok('the page leads to the documents', answer.ok()
                 && /protocol-im\.md/.test(await answer.text()));
    await tap.ok('which are text', one.headers()['content-type']
                                   === 'text/plain; charset=utf-8');
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port });
    const faults = [];

    await run(tap, stack, async (browser) => {
        const [one, two, guest] = await Promise.all([0, 1, 2].map(() =>
            context(browser, { locale: 'en-US', timezoneId: 'UTC' })));

        await history(tap, stack, guest, faults);
        await days(tap, stack, guest);
        await again(tap, stack, guest);
        await many(tap, stack, guest);
        await broadcasts(tap, stack, guest, faults);
        await names(tap, stack, guest, faults);
        await banner(tap, stack, await context(browser));

        const a = await open(stack, one, faults);
        const b = await open(stack, two, faults);

        await register(a, 'Ann');
        await register(b, 'Bob');
        await until(async () => await b.locator('#members .label').count()
                                === 2);
        await here(tap, stack, guest, a, b, faults);
        await looks(tap, stack, a, b);
        await below(tap, stack, b);
        await privately(tap, stack, one, a, b, faults);
        await english(tap, stack, guest, a);
        await docs(tap, stack, a);
        await tap.ok('no error in any console', () => {
            if (faults.length) {
                throw new Error(faults.join('\n'));
            }
            return true;
        });
    });
}


main();
