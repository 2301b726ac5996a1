/*
 * Copyright (C) The im authors
 *
 * The chat page in Chromium: accounts, rooms, private messages, unread marks,
 * several tabs and devices, a restart of nginx, a phone.  Prints TAP.
 */

'use strict';

const { Stack, Tap, until, ports } = require('../lib/stack.js');
const { axe, context, run, watch } = require('./browser.js');

const port = ports();
const password = 'correct horse';

const TEXTS = ['你好，世界', 'emoji 👩‍👩‍👧‍👦 😀', '"double" \'single\' `back`',
               '<b>not bold</b> & &amp; <img src=x onerror=alert(1)>',
               'back\\slash \\u0041 {"op":3}'];

const shown = '[role=log]:not([hidden]) .text';


function texts(page) {
    return page.locator(shown).allTextContents();
}


async function count(page, text) {
    return (await texts(page)).filter((t) => t === text).length;
}


function once(text, ...pages) {
    return until(async () => {
        for (const page of pages) {
            if (await count(page, text) !== 1) {
                return false;
            }
        }
        return true;
    });
}


async function members(page) {
    const names = await page.locator('#members .label').allTextContents();
    return names.map((n) => n.replace(/ \(you\)$/, '')).sort();
}


function listed(page, ...names) {
    return until(async () =>
        JSON.stringify(await members(page)) === JSON.stringify(names.sort())
        && await page.textContent('#count') === String(names.length));
}


async function open(stack, from, faults, hash) {
    const page = await from.newPage();

    if (faults) {
        watch(page, faults);
    }

    page.infos = 0;
    page.on('websocket', (ws) => ws.on('framereceived', (frame) => {
        page.infos += /"op":4/.test(frame.payload) ? 1 : 0;
    }));

    await page.goto(stack.url + '/' + (hash || ''));
    await page.waitForSelector('#state[data-state=open]');

    return page;
}


async function sign(page, what, name, secret) {
    if (await page.isHidden('#dialog')) {
        await page.click('#' + what);
    }

    await page.fill('#name', name);
    await page.fill('#password', secret);
    await page.click('#sign-go');
}


async function signed(page, name) {
    await until(async () => await page.textContent('#me') === name);
    await page.waitForSelector('#state[data-state=open]');
    return await page.isHidden('#dialog');
}


async function send(page, text) {
    await page.fill('#text', text);
    await page.waitForSelector('#send:enabled');
    await page.press('#text', 'Enter');
}


function talk(page, name) {
    return page.locator('#side nav .talk').filter({
        has: page.locator('.label', { hasText: name }) });
}


async function unread(page, name) {
    const badge = talk(page, name).locator('.unread');
    return await badge.isVisible() ? await badge.textContent() : '';
}


async function clean(tap, what, ...pages) {
    for (const page of pages) {
        await tap.ok(`axe finds nothing: ${what}`, async () => {
            const found = await axe(page);

            if (found.length) {
                throw new Error(found.join('\n'));
            }
            return true;
        });
    }
}


function post(page, url, body) {
    return page.evaluate(async ([u, b]) => {
        const answer = await fetch(u, { method: 'POST',
                                        body: JSON.stringify(b) });
        return answer.json();
    }, [url, body]);
}


function token(page) {
    return page.evaluate(() => localStorage.getItem('auth'));
}


/* The next room info, whoever asks for it: what was before it is known. */
async function refresh(page) {
    const before = page.infos;
    const answer = await post(page, '/api/v1/getRoomInfo?rid=1', {});

    return answer.code === 0 && await until(() => page.infos > before);
}


/* All in Redis: those in its rooms, and one without a room a page. */
async function sessions(stack, id) {
    const answer = await fetch(stack.url + '/im/users/' + id);
    return (await answer.json()).data.sessions.length;
}


function focused(page, id) {
    return page.evaluate((i) => document.activeElement.id === i, id);
}


async function guests(tap, stack, a, b) {
    await tap.ok('two guests are connected, and said to be', () => until(
        async () => await b.textContent('#here')
        === '2 guests here'));
    await tap.ok('a guest has no field to write in', async () =>
        await a.isHidden('#text') && await a.isVisible('#guest'));
    await tap.ok('nobody is listed', () => listed(a));

    const answer = await post(a, '/api/v1/pushRoom?rid=1&auth=',
                              { op: 3, msg: 'from a guest', rid: 1 });

    await tap.ok('the server takes nothing from a guest', answer.code === -11);
    await stack.push({ rooms: ['1'], data: { msg: 'by HTTP' } });
    await tap.ok('a guest reads', () => once('by HTTP', a, b));
    await tap.ok('what the guest sent is not there', async () =>
        await count(a, 'from a guest') === 0);
}


async function register(tap, a, b, ann, bob) {
    await sign(a, 'register', 'ab', password);
    await tap.ok('a name that is too short is refused, at its field', () =>
        until(async () => /3 to 20/.test(await a.textContent('#name-fault'))));
    await tap.ok('which is marked and in focus', async () =>
        await a.getAttribute('#name', 'aria-invalid') === 'true'
        && await focused(a, 'name') && await a.isHidden('#sign-notice'));
    await sign(a, 'register', 'abc', 'short');
    await tap.ok('so is a password', () => until(async () =>
        /6 characters/.test(await a.textContent('#password-fault'))
        && await a.isHidden('#name-fault')));
    await clean(tap, 'the dialog', a);

    await sign(a, 'register', ann, password);
    await tap.ok('one registers and is logged in', () => signed(a, ann));

    await sign(b, 'register', ann, password);
    await tap.ok('a name is registered once', () => until(async () =>
        /is taken/.test(await b.textContent('#name-fault'))));

    await sign(b, 'register', bob, password);
    await tap.ok('another one registers', () => signed(b, bob));
    await tap.ok('the page can be written in', async () =>
        await b.isVisible('#text') && await b.isHidden('#guest'));
    await tap.ok('both are listed in the one', () => listed(a, ann, bob));
    await tap.ok('and in the other', () => listed(b, ann, bob));
    await tap.ok('names are no markup', async () =>
        await a.locator('#members b').count() === 0);
}


async function chat(tap, a, b) {
    for (const text of TEXTS) {
        await send(a, text);
        await tap.ok(`both have, once: ${text}`, () => once(text, a, b));
        await tap.ok('the field is empty again', () => until(async () =>
            await a.inputValue('#text') === ''));
        await send(b, text + ' back');
        await tap.ok('and the answer', () => once(text + ' back', a, b));
    }

    await tap.ok('markup stays text', async () => await a.locator(
        'ol.messages b, ol.messages img').count() === 0);
    await tap.ok('who wrote it stands above', async () =>
        await b.locator('.message', { hasText: TEXTS[0] }).first()
            .locator('.from').textContent() === await a.textContent('#me'));
    await clean(tap, 'a room', a, b);
}


async function tabs(tap, stack, from, a, b, ann, bob) {
    const tab = await open(stack, from);
    const id = await a.evaluate(async () => {
        const answer = await fetch('/v1/user/check_auth', { method: 'POST',
            body: JSON.stringify({ Auth: localStorage.getItem('auth') }) });
        return (await answer.json()).data.UserId;
    });

    await tap.ok('a second tab is logged in', () => signed(tab, ann));
    await tap.ok('its user is listed once', () => listed(tab, ann, bob));

    await send(b, 'to both tabs');
    await tap.ok('both tabs get a message', () => once('to both tabs', a,
                                                       tab));
    await tab.close();
    await tap.ok('the tab is gone', () => until(async () =>
        await sessions(stack, id) === 2));
    await refresh(b);
    await tap.ok('its user stays', () => listed(b, ann, bob));

    return id;
}


async function privately(tap, a, b, device, ann, bob) {
    await b.click(`#members button:has-text("${ann}")`);
    await send(b, 'for <i>Ann</i> 悄悄话');
    await tap.ok('what one sends privately is shown to him', () =>
        once('for <i>Ann</i> 悄悄话', b));

    for (const [name, page] of [['one', a], ['other', device]]) {
        await tap.ok(`the ${name} device marks it unread`, () => until(
            async () => await unread(page, bob) === '1'));
        await talk(page, bob).click();
        await tap.ok('it is there once', () =>
            once('for <i>Ann</i> 悄悄话', page));
        await tap.ok('and no longer unread', async () =>
            await unread(page, bob) === '');
    }

    await send(device, 'back, privately');
    await tap.ok('the answer arrives, once', () => once('back, privately', b));
    await tap.ok('and stands on the other device', () =>
        once('back, privately', a));
    await send(a, 'from the other device');
    await tap.ok('from the other device too', () =>
        once('from the other device', b, a));
    await tap.ok('and on the first one, which has nothing unread', async () =>
        await once('from the other device', device)
        && await unread(device, bob) === '');
    await talk(b, 'Lobby').click();
    await tap.ok('the room has nothing of it', async () =>
        await count(b, 'for <i>Ann</i> 悄悄话') === 0
        && await count(b, 'back, privately') === 0);
    await talk(a, 'Lobby').click();
}


async function marks(tap, stack, a, b) {
    await talk(a, 'Questions').click();
    await a.waitForSelector('#state[data-state=open]');
    await tap.ok('another room is another list', async () =>
        (await texts(a)).length === 0);

    await send(b, 'unread one');
    await send(b, 'unread two');
    await tap.ok('the room out of sight has two unread', () => until(
        async () => await unread(a, 'Lobby') === '2'));
    await tap.ok('the title says so', async () =>
        /^\(2\) /.test(await a.title()));

    await a.fill('#text', 'a draft');
    await talk(a, 'Lobby').click();
    await tap.ok('they are there once it is chosen', () =>
        once('unread two', a));
    await tap.ok('and no longer unread', async () =>
        await unread(a, 'Lobby') === '' && !/^\(/.test(await a.title()));
    await tap.ok('a draft stays in its room', async () =>
        await a.inputValue('#text') === '');
    await talk(a, 'Questions').click();
    await tap.ok('and is there again', async () =>
        await a.inputValue('#text') === 'a draft');
    await a.fill('#text', '');

    await a.fill('#room-name', '$mine');
    await a.press('#room-name', 'Enter');
    await tap.ok('a room that can\'t be is refused', async () =>
        /does not begin/.test(await a.textContent('#join-notice')));
    await a.fill('#room-name', '4711');
    await a.press('#room-name', 'Enter');
    await a.waitForSelector('#state[data-state=open]');
    await stack.push({ rooms: ['4711'], data: { msg: 'in 4711' } });
    await tap.ok('a room is joined by its number', () => once('in 4711', a));
    await tap.ok('the address names it', () => /#4711$/.test(a.url()));

    await stack.push({ all: true, data: { msg: 'to all' } });
    await tap.ok('a broadcast is in each room, once', () =>
        once('to all', a, b));
    await tap.ok('and unread in the others', () => until(async () =>
        await unread(a, 'Lobby') === '1' && await unread(a, 'Questions') === '1'));

    await a.click('[aria-label="Leave 4711"]');
    await tap.ok('a room that was left is gone', async () =>
        await talk(a, '4711').count() === 0);
    await talk(a, 'Lobby').click();
}


async function restart(tap, stack, a, b) {
    await a.fill('#text', 'a draft');
    await stack.end('nginx', 'QUIT');
    await tap.ok('the page sees that nginx is away', () => until(async () =>
        await a.getAttribute('#state', 'data-state') !== 'open'));
    await tap.ok('and says so in a banner', () => until(async () =>
        await a.isVisible('#banner')
        && /offline/.test(await a.textContent('#banner-text'))));
    await clean(tap, 'offline', a);

    await stack.begin('nginx');
    await stack.ready();

    for (const page of [a, b]) {
        await page.waitForSelector('#state[data-state=open]');
    }

    await tap.ok('both are connected again, and the draft is there', async () =>
        await a.isHidden('#banner')
        && await a.inputValue('#text') === 'a draft');
    await a.fill('#text', '');
    await send(b, 'after the restart');
    await tap.ok('and get what is sent, once', () =>
        once('after the restart', a, b));
    await tap.ok('nothing is said to be missing', async () =>
        await a.locator('ol.messages .note').count() === 0);
}


/* A connection that ends between page and server, and one that stalls. */
async function resume(tap, stack, from) {
    const page = await from.newPage();
    const sockets = [];
    let open = null;
    let gate = Promise.resolve();

    await page.routeWebSocket(/\/ws$/, async (ws) => {
        sockets.push(ws);
        await gate;
        ws.connectToServer();
    });

    await page.goto(stack.url);
    await page.waitForSelector('#state[data-state=open]');
    await stack.push({ rooms: ['1'], data: { msg: 'before' } });
    await once('before', page);

    gate = new Promise((resolve) => {
        open = resolve;
    });
    await sockets[0].close({ code: 1012 });
    await tap.ok('a page comes back', () => until(() => sockets.length === 2));

    for (const text of ['missed one', 'missed two']) {
        await stack.push({ rooms: ['1'], data: { msg: text } });
    }

    open();
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('it gets what it has missed, once', () =>
        once('missed two', page));
    await tap.ok('in order', async () =>
        JSON.stringify((await texts(page)).slice(-3))
        === '["before","missed one","missed two"]');
    await tap.ok('nothing is said to be missing there', async () =>
        await page.locator('.note').count() === 0);
    await page.close();
}


async function hole(tap, stack, from) {
    const page = await from.newPage();
    let first = null;

    await page.routeWebSocket(/\/ws$/, (ws) => {
        ws.onMessage((text) => {
            first = JSON.parse(text);
            ws.send('{"op":7,"roomId":5,"room":"5","seq":3,"epoch":"e",'
                    + '"recovered":true}');
            ws.send('{"op":4,"roomId":5,"count":0,"roomUserInfo":{}}');
            ws.send('not json');
            ws.send('null');
            ws.send('{"op":7,"roomId":5,"room":"5","seq":9,"epoch":"f",'
                    + '"recovered":false}');
        });
    });

    await page.goto(stack.url + '/#5');
    await tap.ok('a hole is told', () => until(async () =>
        /missing/.test(await page.locator('.note').textContent())));
    await tap.ok('the first frame asks for the last messages of the room',
                 first.room === '5' && first.auth === null && first.last === 50
                 && first.seq === undefined && first.epoch === undefined);
    await page.close();
}


async function outage(tap, stack, page, name) {
    await stack.end('logic', 'TERM');
    await send(page, 'without im_logic');
    await tap.ok('a send that fails is told', () => until(async () =>
        /^Not sent\. /.test(await page.textContent('#notice'))));
    await tap.ok('and its text kept', async () =>
        await page.inputValue('#text') === 'without im_logic');

    await page.reload();
    await page.waitForSelector('#state[data-state=open]');
    await tap.ok('a page that can\'t know its user reads as a guest', async () =>
        await page.textContent('#me') === 'Guest'
        && /not clear yet/.test(await page.textContent('#notice')));
    await sign(page, 'login', name, password);
    await tap.ok('a login that fails is told', () => until(async () =>
        /cannot do that now/.test(await page.textContent('#sign-notice'))));
    await page.click('#sign-cancel');

    await stack.begin('logic');
    await tap.ok('it knows its user as soon as somebody can tell', () =>
        until(async () => await page.textContent('#me') === name));
    await tap.ok('and says nothing of it any more', () =>
        page.isHidden('#notice'));
}


async function leave(tap, stack, a, b, device, ann, bob, id) {
    const old = await token(a);

    await device.click('#logout');
    await tap.ok('one device logs out', () => signed(device, 'Guest'));
    await tap.ok('it reads as a guest', () => device.isHidden('#text'));
    await tap.ok('and keeps no private talk', async () =>
        await device.isHidden('#private')
        && await device.locator('#peers li').count() === 0);
    await until(async () => await sessions(stack, id) === 2);
    await refresh(b);
    await tap.ok('its user stays, with the other device', () =>
        listed(b, ann, bob));

    await a.click('#logout');
    await tap.ok('the other device logs out', () => signed(a, 'Guest'));
    await tap.ok('the token is gone', async () => await token(a) === null
        && (await post(a, '/v1/user/check_auth', { Auth: old })).code
           === -1004);
    await tap.ok('the user is gone from the list', () => listed(b, bob));
    await tap.ok('in the own page too', () => listed(a, bob));

    await until(async () => await sessions(stack, id) === 0);
    await talk(b, ann).click();
    await send(b, 'anybody there');
    await tap.ok('a private message to nobody is kept', () =>
        once('anybody there', b));
    await tap.ok('and the page says so', async () => await b.locator(
        '[role=log]:not([hidden]) .kept').last().textContent()
        === `Kept until ${ann} returns`);
    await clean(tap, 'a private talk', b);
    await talk(b, 'Lobby').click();

    await sign(a, 'login', ann, 'wrong password');
    await tap.ok('a wrong password is refused', () => until(async () =>
        /no account/.test(await a.textContent('#sign-notice'))));
    await sign(a, 'login', ann, password);
    await tap.ok('the right one is not', () => signed(a, ann));
    await tap.ok('and the user is listed again', () => listed(b, ann, bob));
    await tap.ok('what was sent meanwhile is there', () => until(
        async () => await unread(a, bob) !== ''));
    await talk(a, bob).click();
    await tap.ok('once', () => once('anybody there', a));
    await talk(a, 'Lobby').click();
}


async function ended(tap, stack, from, a, b, ann, bob) {
    const tab = await open(stack, from);
    const old = await token(a);

    await signed(tab, ann);
    await a.evaluate((auth) => fetch('/v1/user/logout?auth=' + auth), old);
    await tap.ok('a login that has ended is told', () => until(async () =>
        /login has ended/.test(await a.textContent('#notice')
                               + await tab.textContent('#notice'))));
    await tap.ok('the page goes on as a guest', () => signed(a, 'Guest'));
    await tap.ok('so does the other tab', () => signed(tab, 'Guest'));
    await send(b, 'after it');
    await tap.ok('what is sent then arrives', () => once('after it', a, b));

    await sign(tab, 'login', ann, password);
    await tap.ok('one tab logs in', () => signed(tab, ann));
    await tap.ok('and the other is logged in with it', () => signed(a, ann));

    await tab.close();
    await a.close();
    await tap.ok('with the last tab the user goes', () => listed(b, bob));
}


/*
 * Runs in a page before its scripts: between fallBehind() and catchUp() it does
 * not see what other tabs store.
 */
function lag() {
    const { getItem } = Storage.prototype;
    let behind = false;

    window.addEventListener('storage', (event) => {
        if (behind) {
            event.stopImmediatePropagation();
        }
    });

    window.fallBehind = () => {
        const old = localStorage.getItem('auth');

        behind = true;
        Storage.prototype.getItem = () => old;
    };

    window.catchUp = () => {
        behind = false;
        Storage.prototype.getItem = getItem;
        window.dispatchEvent(new StorageEvent('storage', { key: 'auth' }));
    };
}


async function account(tap, stack, from, other) {
    await from.addInitScript(lag);

    const page = await open(stack, from);
    const tab = await open(stack, from);
    const device = await open(stack, other);
    const next = 'another horse';

    await sign(page, 'register', 'cleo', password);
    await tap.ok('a third one registers', () => signed(page, 'cleo'));
    await signed(tab, 'cleo');
    await sign(device, 'login', 'cleo', password);
    await signed(device, 'cleo');

    await page.click('#change');
    await tap.ok('the name is not to be changed', async () =>
        await page.inputValue('#name') === 'cleo'
        && await page.getAttribute('#name', 'readonly') !== null);
    await page.fill('#password', 'wrong password');
    await page.fill('#next', next);
    await page.click('#sign-go');
    await tap.ok('the old password must be right', () => until(async () =>
        /no account/.test(await page.textContent('#sign-notice'))));
    await page.fill('#password', password);
    await page.fill('#next', 'cleo');
    await page.click('#sign-go');
    await tap.ok('a weak one is refused', () => until(async () =>
        /6 characters/.test(await page.textContent('#next-fault'))));

    let release = null;
    const gate = new Promise((resolve) => {
        release = resolve;
    });

    await tab.evaluate(() => window.fallBehind());
    await tab.route('**/v1/user/check_auth', async (route) => {
        await gate;
        await route.continue();
    });
    await page.fill('#next', next);
    await page.click('#sign-go');
    await tap.ok('the password is changed', () => until(() =>
        page.isHidden('#dialog')));
    release();
    await tap.ok('another tab hears first that its login has ended', () =>
        signed(tab, 'Guest'));
    await tab.evaluate(() => window.catchUp());
    await tap.ok('and then of the new one', () => signed(tab, 'cleo'));
    await tap.ok('one is still logged in', () => signed(page, 'cleo'));
    await tap.ok('another device is not', () => signed(device, 'Guest'));

    await sign(device, 'login', 'cleo', password);
    await tap.ok('the old password is over', () => until(async () =>
        /no account/.test(await device.textContent('#sign-notice'))));
    await sign(device, 'login', 'cleo', next);
    await tap.ok('the new one is not', () => signed(device, 'cleo'));

    await page.click('#erase');
    await page.fill('#password', next);
    await page.click('#sign-go');
    await tap.ok('the account is deleted', () => signed(page, 'Guest'));
    await tap.ok('for the other tab too', () => signed(tab, 'Guest'));
    await tap.ok('and the other device', () => signed(device, 'Guest'));
    await sign(page, 'login', 'cleo', next);
    await tap.ok('nobody has the name', () => until(async () =>
        /no account/.test(await page.textContent('#sign-notice'))));

    await page.close();
    await tab.close();
    await device.close();
}


async function keyboard(tap, stack, from, faults) {
    const page = await open(stack, from, faults);

    await page.focus('#guest-login');
    await page.keyboard.press('Enter');
    await tap.ok('the dialog opens by keyboard, in its first field',
                 () => until(() => focused(page, 'name')));
    await page.keyboard.press('Escape');
    await tap.ok('and closes, back to where it came from', () =>
        until(() => focused(page, 'guest-login')));
    await tap.ok('every field and button has a name', () => page.evaluate(
        () => Array.from(document.querySelectorAll('input, textarea, button'))
            .filter((e) => !e.hidden).every((e) => e.tagName === 'BUTTON'
                   ? e.textContent.trim() || e.ariaLabel
                   : e.labels.length > 0)));
    await page.close();
}


async function phone(tap, stack, browser, b, faults, ann, bob) {
    const page = await open(stack, await context(browser, {
        hasTouch: true, isMobile: true, colorScheme: 'dark',
        viewport: { width: 360, height: 640 } }), faults);

    await stack.push({ rooms: ['1'],
                       data: { msg: 'a-word-without-end-'.repeat(40) } });
    await tap.ok('a phone gets a message', () => until(async () =>
        (await texts(page)).some((t) => /^a-word-without-end-/.test(t))));
    await page.tap('#guest-register');
    await page.waitForSelector('#dialog');

    const box = await b.locator('#members button', { hasText: ann })
        .boundingBox();

    await b.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    await b.mouse.down();
    await sign(page, 'register', 'Phoebe', password);
    await tap.ok('one registers on a phone', () => signed(page, 'Phoebe'));
    await tap.ok('and is listed', () => listed(b, ann, bob, 'Phoebe'));
    await b.mouse.up();
    await tap.ok('a click counts although the list changes meanwhile', () =>
        until(async () => await b.textContent('#title') === ann));
    await talk(b, 'Lobby').click();
    await page.tap('#menu');
    await tap.ok('the rooms cover the messages', () =>
        until(() => page.isVisible('#rooms')));
    await tap.ok('the menu says that it is open', () => until(async () =>
        await page.getAttribute('#menu', 'aria-expanded') === 'true'));
    await clean(tap, 'the menu of a phone, dark', page);
    await page.locator('#members button', {
        hasText: await b.textContent('#me') }).tap();
    await tap.ok('a talk is chosen, and the rooms are gone', () => until(
        async () => await page.isHidden('#rooms')
        && await page.textContent('#title') === await b.textContent('#me')));
    await send(b, 'to the phone');
    await tap.ok('the menu counts what is unread', () => until(async () =>
        await page.textContent('#unread') === '1'));
    await clean(tap, 'a phone, dark', page);

    for (const width of [320, 360]) {
        await page.setViewportSize({ width: width, height: 640 });
        await tap.ok(`nothing is wider than ${width} px`, () => page.evaluate(
            () => document.documentElement.scrollWidth <= window.innerWidth));
    }

    await tap.ok('the form is on the screen', async () => {
        const box = await page.locator('#send').boundingBox();
        return box && box.y + box.height <= 640 && box.x + box.width <= 360
               && box.height >= 32;
    });

    return page;
}


async function main() {
    const tap = new Tap();
    const stack = new Stack({ port });
    const faults = [];

    await run(tap, stack, async (browser) => {
        const ann = 'Ann 安娜 😀';
        const bob = 'Bob <b>"&\'';
        const contexts = [];

        for (let i = 0; i < 3; i++) {
            contexts.push(await context(browser));
        }

        const a = await open(stack, contexts[0], faults);
        const b = await open(stack, contexts[1], faults);

        await guests(tap, stack, a, b);
        await register(tap, a, b, ann, bob);
        await chat(tap, a, b);

        const id = await tabs(tap, stack, contexts[0], a, b, ann, bob);
        const device = await open(stack, contexts[2], faults);

        await sign(device, 'login', ann, password);
        await tap.ok('a second device logs in', () => signed(device, ann));
        await until(async () => await sessions(stack, id) === 4);
        await privately(tap, a, b, device, ann, bob);
        await marks(tap, stack, a, b);

        const small = await phone(tap, stack, browser, b, faults,
                                  ann, bob);

        await keyboard(tap, stack, await context(browser), faults);

        await small.close();
        await tap.ok('the phone\'s user goes with it', () =>
            listed(b, ann, bob));
        await tap.ok('no error in any console', () => {
            if (faults.length) {
                throw new Error(faults.join('\n'));
            }
            return true;
        });

        await restart(tap, stack, a, b);
        await resume(tap, stack, await context(browser));
        await hole(tap, stack, await context(browser));
        await outage(tap, stack, a, ann);
        await leave(tap, stack, a, b, device, ann, bob, id);
        await ended(tap, stack, contexts[0], a, b, ann, bob);
        await account(tap, stack, await context(browser),
                      await context(browser));
    });
}


main();
