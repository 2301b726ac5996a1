/*
 * Copyright (C) The im authors
 *
 * The chat page.  A connection for each joined room, so that rooms out of
 * sight have unread marks; and one without a room for private messages, which
 * every connection of a user receives.
 */

import * as api from './api.js';
import { Link, NO_ROOM, OP_INFO, OP_PLACE, OP_ROOM, OP_USER }
    from './link.js';
import { Talk, element, mark } from './talk.js';

const ROOMS = [1, 2, 3];
const MAX_JOINED = 5;
const MAX_ROOM = 2147483647;
const CHECK_MS = 5000;

const ui = Object.fromEntries(Array.from(document.querySelectorAll('[id]'),
                              (e) => [e.id, e]));

const rooms = new Map();
const peers = new Map();
const shown = new Map();               /* the items of the members' list */

let user = null;                       /* {id, name, token}, null: a guest */
let inbox = null;                      /* the connection without a room */
const sessions = new Set();            /* names that the inbox has had */
let session = '';                      /* the last of them */
let current = null;                    /* the talk that is shown */
let room = null;                       /* the room that was shown last */
let atEnd = true;                      /* messages are scrolled to their end */
let checking = null;                   /* timer of the next check */
let signing = 'login';                 /* what the dialog does */


/* Where the token is kept; a page without storage has it to itself. */

let kept = null;

function storedToken() {
    try {
        return localStorage.getItem('auth');

    } catch (e) {
        return kept;
    }
}


function storeToken(token) {
    kept = token;

    try {
        if (token === null) {
            localStorage.removeItem('auth');

        } else {
            localStorage.setItem('auth', token);
        }

    } catch (e) {
        return;
    }
}


function say(where, content) {
    where.textContent = content;
    where.hidden = !content;
}


/* What is shown */

function keepAtEnd() {
    if (atEnd) {
        ui.scroll.scrollTop = ui.scroll.scrollHeight;
    }
}


function showUnread() {
    let total = 0;

    for (const talk of [...rooms.values(), ...peers.values()]) {
        total += talk.unread;
    }

    mark(ui.unread, total);
    document.title = (total ? '(' + total + ') ' : '')
                     + (current ? current.name + ' \u2013 im' : 'im');
}


function showState() {
    const link = current.kind === 'room' ? current.link : inbox;

    ui.state.dataset.state = link ? link.state : 'waiting';
    ui.state.textContent = link ? link.about : 'not connected';
}


function memberItem(id, name) {
    const item = document.createElement('li');

    if (user !== null && id === user.id) {
        item.append(element('span', 'talk', name + ' (you)'));
        return item;
    }

    const button = element('button', 'talk', name);

    button.type = 'button';
    button.title = 'Write to ' + name;
    button.addEventListener('click', () => {
        if (user === null) {
            openSign('login');
            return;
        }

        go(peerTalk(id, name));
    });

    item.append(button);

    return item;
}


/* Those that stay are not touched: the reader may be about to click on one. */
function showItems(ids) {
    const keys = ids.map((id) => JSON.stringify([id, String(room.members[id]),
                                 user !== null && id === user.id]));
    const wanted = new Set(keys);

    for (const [key, item] of shown) {
        if (!wanted.has(key)) {
            item.remove();
            shown.delete(key);
        }
    }

    let next = ui.members.firstElementChild;

    keys.forEach((key, i) => {
        let item = shown.get(key);

        if (item === undefined) {
            item = memberItem(ids[i], String(room.members[ids[i]]));
            shown.set(key, item);
        }

        if (item === next) {
            next = next.nextElementSibling;

        } else {
            ui.members.insertBefore(item, next);
        }
    });
}


function showMembers() {
    const ids = Object.keys(room.members).sort((a, b) =>
        String(room.members[a]).localeCompare(String(room.members[b])));
    const focused = ui.members.contains(document.activeElement);

    ui['members-title'].textContent = 'In ' + room.name.toLowerCase();
    ui.count.textContent = String(room.count);
    showItems(ids);
    ui.nobody.hidden = room.count > 0;
    say(ui.more, room.count > ids.length && ids.length > 0
        ? 'and ' + (room.count - ids.length) + ' more' : '');

    if (focused && !ui.members.contains(document.activeElement)) {
        (ui.members.querySelector('button') || ui.text).focus();
    }
}


function showWriter() {
    ui.guest.hidden = user !== null;
    ui.write.hidden = user === null || current.key === '';
    ui.me.textContent = user === null ? 'Guest' : user.name;
    ui.login.hidden = ui.register.hidden = user !== null;
    ui.logout.hidden = ui.change.hidden = ui.erase.hidden = user === null;
    ui['text-label'].textContent = current.kind === 'room'
        ? 'Message to ' + current.name.toLowerCase()
        : 'Private message to ' + current.name;
}


function choose(talk) {
    if (current !== null) {
        current.draft = ui.text.value;
        current.show(false);
    }

    current = talk;

    if (talk.kind === 'room') {
        room = talk;
        join(talk);
        history.replaceState(null, '', '#' + talk.key);
    }

    talk.show(true);
    talk.setUnread(0);
    ui.title.textContent = talk.name;
    ui.text.value = talk.draft;
    ui.empty.hidden = talk.list.childElementCount > 0;
    say(ui.notice, '');
    closeMenu();
    showUnread();
    showMembers();
    showState();
    showWriter();

    atEnd = true;
    keepAtEnd();
}


/* The same, when the reader asked for it: where to type is next. */
function go(talk) {
    choose(talk);
    (ui.write.hidden ? ui.scroll : ui.text).focus();
}


/* A message is new until its talk is on the screen. */
function arrived(talk, from) {
    if (talk === current) {
        ui.empty.hidden = true;
        keepAtEnd();
    }

    if (talk !== current || document.hidden) {
        talk.setUnread(talk.unread + 1);
        showUnread();
        ui.news.textContent = 'New message in ' + talk.name
                              + (from ? ' from ' + from : '');
    }
}


/* Rooms */

function sender(frame) {
    return String(frame.fname || frame.fuid || '');
}


function roomFrame(talk, frame) {
    if (frame.op === OP_ROOM) {
        talk.message(sender(frame), frame.msg,
                     user !== null && frame.fuid === user.id);
        arrived(talk, sender(frame));
    }

    if (frame.op === OP_INFO && typeof frame.roomUserInfo === 'object') {
        talk.members = frame.roomUserInfo || {};
        talk.count = Number(frame.count) || 0;

        if (talk === room) {
            showMembers();
        }
    }
}


function join(talk) {
    if (talk.link !== null) {
        /* the Map is in the order of use */
        rooms.delete(talk.key);
        rooms.set(talk.key, talk);
        return;
    }

    const joined = Array.from(rooms.values()).filter((t) => t.link !== null);

    if (joined.length >= MAX_JOINED) {
        leave(joined.find((t) => t !== current));
    }

    rooms.delete(talk.key);
    rooms.set(talk.key, talk);
    talk.item.classList.add('joined');
    connectRoom(talk);
}


function connectRoom(talk) {
    talk.link = new Link(talk.key, user === null ? null : user.token, {
        frame: (frame) => roomFrame(talk, frame),
        state: (link) => {
            if (talk.link === link && talk === current) {
                showState();
            }

            recheck(link);
        },
        lost: () => lost(talk)
    }, talk.link === null ? null : talk.link.places);

    if (talk === current) {
        showState();
    }
}


function lost(talk) {
    talk.note('Some messages are missing here, which were sent while there '
              + 'was no connection.');

    if (talk === current) {
        ui.empty.hidden = true;
        keepAtEnd();
    }
}


function leave(talk) {
    talk.link.close();
    talk.link = null;
    talk.members = {};
    talk.count = 0;
    talk.setUnread(0);
    talk.item.classList.remove('joined');

    if (!ROOMS.includes(talk.key)) {
        rooms.delete(talk.key);
        talk.remove();
    }

    if (talk === room) {
        room = Array.from(rooms.values()).reverse()
            .find((t) => t.link !== null)
            || roomTalk(ROOMS.find((number) => number !== talk.key));
        join(room);
        showMembers();
    }

    if (talk === current) {
        go(room);
    }

    showUnread();
}


function roomTalk(number) {
    let talk = rooms.get(number);

    if (talk !== undefined) {
        return talk;
    }

    talk = new Talk('room', number, 'Room ' + number);
    talk.button.addEventListener('click', () => go(talk));

    const close = element('button', 'leave', '\u00d7');

    close.type = 'button';
    close.setAttribute('aria-label', 'Leave room ' + number);
    close.title = 'Leave';
    close.addEventListener('click', () => leave(talk));
    talk.item.append(close);

    rooms.set(number, talk);
    ui.rooms.append(talk.item);
    ui.scroll.append(talk.log);

    return talk;
}


/* Private messages */

function peerTalk(id, name) {
    let talk = peers.get(id);

    if (talk !== undefined) {
        if (talk.name !== name) {
            talk.rename(name);
        }

        return talk;
    }

    talk = new Talk('peer', id, name);
    talk.button.addEventListener('click', () => go(talk));
    peers.set(id, talk);
    ui.peers.append(talk.item);
    ui.private.hidden = false;
    ui.scroll.append(talk.log);

    return talk;
}


/* What this user has sent, maybe in another tab or on another device. */
function copyFrame(frame) {
    const id = String(frame.tuid);

    if (sessions.has(frame.session)) {
        return;                            /* shown when it was sent */
    }

    const talk = peers.get(id) || peerTalk(id, id);

    talk.message(sender(frame), frame.msg, true);
}


function inboxFrame(frame) {
    if (frame.op === OP_PLACE && frame.session) {
        sessions.add(frame.session);
        session = frame.session;
    }

    if (frame.op !== OP_USER) {
        return;
    }

    if (frame.tuid !== undefined) {
        copyFrame(frame);
        return;
    }

    const from = sender(frame);
    const talk = peerTalk(String(frame.fuid || ''),
                          frame.fuid ? from : 'The server');

    talk.message(from, frame.msg, false);
    arrived(talk, '');
}


/* places: where a connection of the same user was */
function connectInbox(places) {
    if (user === null) {
        inbox = null;
        return;
    }

    inbox = new Link(NO_ROOM, user.token, {
        frame: inboxFrame,
        state: (link) => {
            if (inbox === link && current.kind === 'peer') {
                showState();
            }

            recheck(link);
        },
        lost: () => {
            for (const talk of peers.values()) {
                lost(talk);
            }
        }
    }, places);
}


function links() {
    return [inbox, ...Array.from(rooms.values(), (t) => t.link)]
        .filter((link) => link !== null);
}


/* Who this is */

function become(next) {
    const same = next !== null && user !== null && next.id === user.id;

    clearTimeout(checking);

    for (const link of links()) {
        link.close();
    }

    user = next;

    if (!same) {
        for (const talk of peers.values()) {
            talk.remove();
        }

        peers.clear();
        ui.private.hidden = true;

        if (current !== null && current.kind === 'peer') {
            current = null;
        }
    }

    connectInbox(same && inbox !== null ? inbox.places : null);

    for (const talk of rooms.values()) {
        if (talk.link !== null) {
            connectRoom(talk);
        }
    }

    choose(current || room);
}


/*
 * Asks whether the stored token holds.  While nobody can tell, the page goes
 * on as before, at first as a guest's, and asks again.
 */
async function identify() {
    const token = storedToken();

    clearTimeout(checking);

    if (!token) {
        if (user !== null || current === null) {
            become(null);
        }

        return;
    }

    try {
        const found = await api.check(token);

        if (token !== storedToken()) {
            return;                    /* whoever changed it asks too */
        }

        if (found !== null && user !== null && user.token === token) {
            return;
        }

        if (found === null) {
            storeToken(null);
        }

        become(found);
        say(ui.notice, found === null
            ? 'Your login has ended. Please log in again.' : '');

    } catch (e) {
        if (current === null) {
            become(null);
        }

        say(ui.notice, 'It is not clear yet who you are. ' + e.message);
        checking = setTimeout(identify,
                              CHECK_MS / 2 + Math.random() * CHECK_MS);
    }
}


/*
 * The login has ended elsewhere.  The token stays where it is kept: another tab
 * may have put a new one there, which this one sees some time later, and would
 * remove.
 */
function ended(token) {
    if (user === null || user.token !== token) {
        return;
    }

    /* another tab has another one already */
    if (storedToken() !== token) {
        identify();
        return;
    }

    become(null);
    say(ui.notice, 'Your login has ended. Please log in again.');
}


/* A connection that is refused may be so as the login has ended. */
async function recheck(link) {
    const token = user === null ? null : user.token;

    if (link.state === 'refused' && token !== null
        && await api.check(token).catch(() => user) === null)
    {
        ended(token);
    }
}


async function logout() {
    const token = user.token;
    let notice = '';

    ui.logout.disabled = true;

    try {
        await api.logout(token);

    } catch (e) {
        notice = 'You are logged out here, but the server could not be told: '
                 + e.message;
    }

    for (const talk of rooms.values()) {
        talk.draft = '';
    }

    ui.logout.disabled = false;
    ui.text.value = '';
    storeToken(null);
    become(null);
    say(ui.notice, notice);
    ui.login.focus();
}


/* The dialog */

const TITLES = { login: 'Log in', register: 'Register',
                 change: 'Change password', erase: 'Delete account' };

function openSign(what) {
    const mine = what === 'change' || what === 'erase';

    signing = what;
    ui['dialog-title'].textContent = TITLES[what];
    ui['sign-go'].textContent = TITLES[what];
    ui['sign-other'].hidden = mine;
    ui['sign-other'].textContent = TITLES[otherSign()] + ' instead';
    ui.hint.hidden = what === 'login' || what === 'erase';
    ui.renewal.hidden = what !== 'change';
    ui.next.required = what === 'change';
    ui.password.autocomplete = what === 'register' ? 'new-password'
                                                   : 'current-password';
    ui.name.readOnly = mine;
    say(ui['sign-notice'], '');

    if (mine) {
        ui.name.value = user.name;
        ui.password.value = ui.next.value = '';
    }

    if (!ui.dialog.open) {
        ui.dialog.showModal();
    }

    (mine ? ui.password : ui.name).focus();
}


function otherSign() {
    return signing === 'login' ? 'register' : 'login';
}


function refusal(answer) {
    switch (answer.code) {

    case api.TAKEN:
        return 'Somebody has this name already, or one that looks like it. '
               + 'Choose another.';

    case api.WRONG:
        return 'There is no such name with this password.';

    case api.OFTEN:
        return 'Too many attempts. Try again in a few minutes.';

    case api.KEPT_OUT:
        return 'This user is kept out for now.';

    case api.INVALID:
        return 'That name or password does not fit: a name has 3 to 20 '
               + 'characters, a password 6 or more'
               + (/:/.test(answer.msg) ? '. ' + answer.msg.split(':')[1] : '')
               + '.';

    default:
        return 'The server refused it: ' + answer.msg;
    }
}


async function sign(name, password) {
    if (signing === 'register') {
        const answer = await api.register(name, password);

        if (answer.code !== api.OK) {
            return refusal(answer);
        }
    }

    const answer = signing === 'change'
        ? await api.changePassword(name, password, ui.next.value, user.token)
        : signing === 'erase'
        ? await api.deleteAccount(name, password, user.token)
        : await api.login(name, password);

    if (answer.code !== api.OK) {
        return refusal(answer);
    }

    if (signing === 'erase') {
        storeToken(null);
        become(null);

        return '';
    }

    storeToken(answer.data.Auth);
    become({ id: answer.data.UserId, name: answer.data.UserName,
             token: answer.data.Auth });

    return '';
}


ui.sign.addEventListener('submit', async (event) => {
    event.preventDefault();

    if (ui['sign-go'].disabled) {
        return;
    }

    ui['sign-go'].disabled = true;
    say(ui['sign-notice'], '');

    const why = await sign(ui.name.value, ui.password.value)
        .catch((e) => e.message);

    ui['sign-go'].disabled = false;
    say(ui['sign-notice'], why);

    if (why === '') {
        ui.password.value = ui.next.value = '';
        ui.dialog.close();
        ui.text.focus();
    }
});


/* The form */

async function send(talk, content) {
    const token = user.token;
    const answer = talk.kind === 'room'
        ? await api.sendToRoom(token, talk.key, content)
        : await api.sendToUser(token, talk.key, content, session);

    if (answer.code === api.OK) {
        return '';
    }

    if (answer.code === api.BUSY) {
        throw new api.Fault('The service cannot do that now. Try again in a '
                            + 'moment.');
    }

    /* the answer doesn't say which: a login that has ended, or nobody there */
    if (await api.check(token) === null) {
        ended(token);
        return 'Not sent. Your login has ended, please log in again.';
    }

    return talk.kind === 'room'
        ? 'Not sent. The server refused it: ' + answer.msg
        : 'Not sent. ' + talk.name + ' is not online now.';
}


ui.form.addEventListener('submit', async (event) => {
    const talk = current;
    const content = ui.text.value;

    event.preventDefault();

    if (user === null || ui.send.disabled || content.trim() === '') {
        return;
    }

    ui.send.disabled = true;

    const why = await send(talk, content)
        .catch((e) => 'Not sent. ' + e.message);

    ui.send.disabled = false;
    say(ui.notice, why);

    if (why !== '') {
        return;
    }

    if (talk.kind === 'peer') {
        talk.message(user.name, content, true);

        if (talk === current) {
            ui.empty.hidden = true;
            atEnd = true;
            keepAtEnd();
        }
    }

    if (talk !== current) {
        talk.draft = '';
        return;
    }

    if (ui.text.value === content) {
        ui.text.value = '';
    }

    ui.text.focus();
});


ui.join.addEventListener('submit', (event) => {
    const digits = ui.number.value.trim();

    event.preventDefault();

    if (!/^\d{1,10}$/.test(digits) || Number(digits) > MAX_ROOM) {
        say(ui['join-notice'], 'A room is a number from 0 to ' + MAX_ROOM
            + '.');
        return;
    }

    say(ui['join-notice'], '');
    ui.number.value = '';
    go(roomTalk(Number(digits)));
});


/* The rest */

function closeMenu() {
    document.body.classList.remove('menu');
    ui.menu.setAttribute('aria-expanded', 'false');
}


function hashRoom() {
    const digits = location.hash.slice(1);

    return /^\d{1,10}$/.test(digits) && Number(digits) <= MAX_ROOM
           ? Number(digits) : ROOMS[0];
}


function retryNow() {
    if (!document.hidden) {
        for (const link of links()) {
            link.retryNow();
        }
    }
}


ui.menu.addEventListener('click', () => {
    const open = document.body.classList.toggle('menu');

    ui.menu.setAttribute('aria-expanded', String(open));
});

document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && document.body.classList.contains('menu')) {
        closeMenu();
        ui.menu.focus();
    }
});

for (const id of ['login', 'guest-login']) {
    ui[id].addEventListener('click', () => openSign('login'));
}

for (const id of ['register', 'guest-register']) {
    ui[id].addEventListener('click', () => openSign('register'));
}

ui['sign-other'].addEventListener('click', () => openSign(otherSign()));
ui.change.addEventListener('click', () => openSign('change'));
ui.erase.addEventListener('click', () => openSign('erase'));
ui['sign-cancel'].addEventListener('click', () => ui.dialog.close());
ui.logout.addEventListener('click', logout);

ui.scroll.addEventListener('scroll', () => {
    atEnd = ui.scroll.scrollHeight - ui.scroll.clientHeight
            - ui.scroll.scrollTop < 48;
});

new ResizeObserver(keepAtEnd).observe(ui.scroll);

document.addEventListener('visibilitychange', () => {
    retryNow();

    if (!document.hidden && current !== null) {
        current.setUnread(0);
        showUnread();
    }
});

window.addEventListener('online', retryNow);
window.addEventListener('hashchange', () => choose(roomTalk(hashRoom())));

/* another tab has logged in or out */
window.addEventListener('storage', (event) => {
    if (event.key === 'auth' || event.key === null) {
        identify();
    }
});

ROOMS.forEach(roomTalk);
room = roomTalk(hashRoom());
identify();
