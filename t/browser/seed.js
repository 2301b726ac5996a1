/*
 * Copyright (C) The im authors
 *
 * Pages in the style of `im`, in seed/, on the four origins of im-compat.conf:
 * what they ask for works across origins in a real browser.  Prints TAP.
 */

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { context, run, watch } = require('./browser.js');

const port = ports();
const compat = [1, 2, 3, 4].map((i) => port + i);
const home = `http://localhost:${port + 1}/`;
const logic = `http://localhost:${port + 3}/api/v1`;
const accounts = `http://localhost:${port + 4}/v1/user`;
const password = 'correct horse';


/* The pages, with our ports instead of those that they have built in. */
function pages(dir) {
    for (const name of fs.readdirSync(path.join(__dirname, 'seed'))) {
        const text = fs.readFileSync(path.join(__dirname, 'seed', name),
                                     'utf8');

        fs.writeFileSync(path.join(dir, name), [1999, 8911, 6921, 8080].reduce(
            (t, p, i) => t.replaceAll(`localhost:${p}`,
                                      `localhost:${compat[i]}`), text));
    }

    fs.chmodSync(dir, 0o755);

    return dir;
}


async function open(from, faults, where) {
    const page = await from.newPage();

    watch(page, faults);
    page.alerts = [];
    page.frames_in = [];
    page.on('dialog', (d) => {
        page.alerts.push(d.message());
        d.accept();
    });
    page.on('websocket', (ws) => ws.on('framereceived', (frame) =>
        page.frames_in.push(JSON.parse(frame.payload))));
    await page.goto(home + where);

    return page;
}


async function sign(page, where, name, secret) {
    if (where) {
        await page.goto(home + where);
    }
    await page.fill('#name', name);
    await page.fill('#password', secret);
    await page.click('#go');
}


function visible(page, id) {
    return until(async () => page.url() === home && await page.isVisible(id));
}


function room(page, ...names) {
    return until(async () => {
        const items = await page.locator('#members li').allTextContents();

        return JSON.stringify(items.sort()) === JSON.stringify(names.sort())
               && await page.textContent('#online') === String(names.length);
    });
}


function got(page, text) {
    return until(async () => (await page.locator('#messages span')
        .allTextContents()).filter((t) => t === text).length === 1);
}


/* As the page does it, from its own origin. */
function request(page, type, url, data) {
    return page.evaluate(([t, u, d]) => new Promise((resolve) =>
        ajax({ type: t, url: u, data: d, success: resolve })),
        [type, url, data]);
}


function alerted(page, what) {
    return until(async () => page.alerts.some((a) => a.includes(what)));
}


async function main() {
    const tap = new Tap();
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'im-seed-'));
    const stack = new Stack({ port, compat, pages: pages(dir) });
    const faults = [];

    await run(tap, stack, async (browser) => {
        const one = await context(browser);
        const a = await open(one, faults, '');
        const b = await open(await context(browser), faults, '');

        await tap.ok('a page without a login shows its links', () =>
            visible(a, '#links'));
        await tap.ok('nobody is in the room', () => room(a));

        await stack.push({ rooms: ['1'], data: { msg: 'by HTTP' } });
        await tap.ok('it receives as a guest', () => got(a, 'by HTTP'));

        await sign(a, 'register.html', 'ann', password);
        await tap.ok('one registers and comes to the room', () =>
            visible(a, '#write'));
        await tap.ok('under that name', async () =>
            await a.textContent('#user') === 'ann');

        await sign(b, 'register.html', 'ann', password);
        await tap.ok('the same name is refused with words', () =>
            alerted(b, '用户名已存在'));
        await sign(b, '', '鲍勃勃', password);
        await tap.ok('another name is not', () => visible(b, '#write'));

        await tap.ok('both are listed in the one', () => room(a, 'ann',
                                                              '鲍勃勃'));
        await tap.ok('and in the other', () => room(b, 'ann', '鲍勃勃'));

        for (const text of ['hello', '你好 😀', '"quoted" \'too\' \\']) {
            await a.fill('#text', text);
            await a.click('#send');
            await tap.ok(`one has what it sent: ${text}`, () => got(a, text));
            await until(async () => await a.inputValue('#text') === '');
            await tap.ok('the other too', () => got(b, text));
        }

        let sent = null;

        await tap.ok('the frame has all members of the original', () => until(
            () => {
                sent = b.frames_in.find((f) => f.op === 3
                                               && f.msg === 'hello');
                return sent && JSON.stringify(Object.keys(sent).sort())
                    === '["code","fname","fuid","msg","op"]'
                    && sent.fname === 'ann' && b.frames_in.some(
                        (f) => f.op === 4 && sent.fuid in f.roomUserInfo);
            }));

        const mine = await a.evaluate(() => localStorage.getItem('auth'));
        const his = await b.evaluate(() => localStorage.getItem('auth'));
        let answer = await request(b, 'POST', `${logic}/push?auth=${his}`
            + `&userId=${sent.fuid}`, '{"msg":"privately"}');

        await tap.ok('a private message is taken', answer.code === 0);
        await tap.ok('and arrives as op 2', () => until(() =>
            a.frames_in.some((f) => f.op === 2 && f.msg === 'privately'
                                    && f.fname === '鲍勃勃')));

        const infos = b.frames_in.filter((f) => f.op === 4).length;

        answer = await request(b, 'POST', `${logic}/count?rid=1`);
        await tap.ok('count is answered', answer.code === 0);
        await tap.ok('and sends the whole list', () => until(() => {
            const all = b.frames_in.filter((f) => f.op === 4);
            return all.length > infos && all.at(-1).count === 2;
        }));
        await tap.ok('so that the page still shows it', () =>
            room(b, 'ann', '鲍勃勃'));

        answer = await request(b, 'POST', `${logic}/pushRoom?auth=unknown`
                               + '&rid=1', '{"msg":"forged"}');
        await tap.ok('an unknown token is refused, readably across origins',
                     answer.code === -11 && answer.msg === '发送失败');
        answer = await request(b, 'POST', `${logic}/pushRoom?auth=${his}`
                               + '&rid=x', '{"msg":"astray"}');
        await tap.ok('so is a bad room', answer.code === -11);
        answer = await request(b, 'POST', `${logic}/pushRoom?auth=${his}`
                               + '&rid=1', 'not json');
        await tap.ok('and a bad body', answer.code === -11
                                       || answer.code === -1);

        await a.goto(home);
        await tap.ok('a page that is loaded again is still logged in', () =>
            visible(a, '#write'));
        await tap.ok('and in the list once', () => room(b, 'ann', '鲍勃勃'));

        await a.click('#logout');
        await tap.ok('logout leads to the login', () => until(() =>
            a.url() === home + 'login.html'));
        await tap.ok('who has left is gone from the list', () =>
            room(b, '鲍勃勃'));

        answer = await request(b, 'POST', `${accounts}/check_auth`,
                               JSON.stringify({ Auth: mine }));
        await tap.ok('the token is over', answer.code === -1004);

        await sign(a, '', 'ann', 'wrong one');
        await tap.ok('a wrong password is refused with words', () =>
            alerted(a, '用户名密码有误'));
        await sign(a, '', 'ann', password);
        await tap.ok('the right one is not', () => visible(a, '#write'));

        await a.evaluate(() => localStorage.setItem('auth', 'stale'));
        await a.fill('#text', 'with a stale token');
        await a.click('#send');
        await tap.ok('a page with a stale token asks to register', () => until(
            () => a.alerts.includes('please register')
                  && a.url() === home + 'register.html'));

        await stack.end('logic', 'TERM');
        answer = await request(b, 'POST', `${logic}/pushRoom?auth=${his}`
                               + '&rid=1', '{"msg":"to nobody"}');
        await tap.ok('without im_logic a send has a code', answer.code === -11);
        await b.goto(home);
        await tap.ok('and a page its links', () => visible(b, '#links'));
        await tap.ok('the page says why', () => alerted(b, '发送失败'));

        const log = fs.readFileSync(path.join(stack.dir, 'access.log'),
                                    'utf8');

        await tap.ok('the browser did ask before check_auth',
            /"OPTIONS \/v1\/user\/check_auth" 20[04]/.test(log));
        await tap.ok('and before nothing else', () => {
            const asked = log.match(/"OPTIONS [^"]*/g);
            return asked.every((l) => /check_auth/.test(l));
        });

        await tap.ok('no page alerted an error', () => {
            const errors = [...a.alerts, ...b.alerts]
                .filter((t) => /^error/.test(t));

            if (errors.length) {
                throw new Error(errors.join('\n'));
            }
            return true;
        });
        fs.rmSync(dir, { recursive: true });
        await tap.ok('no error in the consoles', () => {
            if (faults.length) {
                throw new Error(faults.join('\n'));
            }
            return true;
        });
    });
}


main();
