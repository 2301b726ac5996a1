/*
 * Copyright (C) The im authors
 *
 * The chat page.  A connection for each joined room, so that rooms out of
 * sight have unread marks; and one without a room for private messages, which
 * every connection of a user receives.
 */

import * as api from './api.js';
import * as memory from './memory.js';
import { Link, OP_INFO, OP_PLACE, OP_ROOM, OP_USER } from './link.js';
import { People, here } from './people.js';
import { Sign } from './sign.js';
import { Talk, mark } from './talk.js';
import { element, plural } from './text.js';

const ROOM = '1';                      /* without a chat.json */
const MAX_JOINED = 5;
const MAX_NAME = 253;                  /* bytes */
const CHECK_MS = 5000;
const COUNT_MS = 20000;
const COUNT_SOON_MS = 3000;            /* after a change, at a random time */
const COUNT_LEAST_MS = 600;            /* until the server has counted anew */
const END_PX = 48;                     /* so near counts as the end */

const ui = Object.fromEntries(Array.from(document.querySelectorAll('[id]'),
                              (e) => [e.id, e]));

const rooms = new Map();
const peers = new Map();
const titles = new Map();              /* of the rooms that stay */
const names = new Map();               /* of users, as far as they are known */

let user = null;                       /* {id, name, token}, null: a guest */
let inbox = null;                      /* the connection without a room */
const sessions = new Set();            /* names that the inbox has had */
let session = '';                      /* the last of them */
let current = null;                    /* the talk that is shown */
let room = null;                       /* the room that was shown last */
let atEnd = true;                      /* messages are scrolled to their end */
let checking = null;                   /* timer of the next check */
let counting = null;                   /* of the next count of a room */
let countAt = 0;

const people = new People(ui, (id, name) => {
    if (user === null) {
        sign.open('login');

    } else {
        go(peerTalk(id, name));
    }
});

const sign = new Sign(ui, {
    user: () => user,
    signedIn: (data) => {
        memory.storeToken(data.Auth);
        become({ id: data.UserId, name: data.UserName, token: data.Auth });
    },
    erased: () => {
        memory.storeToken(null);
        become(null);
    }
});


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


function showNewer() {
    const below = current.below;

    ui.newer.hidden = below === 0;

    if (below > 0) {
        ui.newer.textContent = plural(below, 'new message', 'new messages');
    }
}


function toEnd() {
    current.below = 0;
    atEnd = true;
    keepAtEnd();
    showNewer();
}


function showUnread() {
    let total = 0;

    for (const talk of [...rooms.values(), ...peers.values()]) {
        total += talk.unread;
    }

    mark(ui.unread, total);
    document.title = (total ? '(' + total + ') ' : '')
                     + (current ? current.name + ' \u2013 im chat'
                                : 'im chat');
}


function currentLink() {
    return current.kind === 'room' ? current.link : inbox;
}


function showBannerNext() {
    const link = currentLink();
    const left = link && link.timer !== null
                 ? Math.max(Math.round((link.next - Date.now()) / 1000), 1)
                 : 0;

    ui['banner-next'].textContent = left > 0
        ? 'Next try in ' + left + ' s.' : 'Trying now.';
}


/* The text that a screen reader says doesn't change with each second. */
function showState() {
    const link = currentLink();
    const refused = link !== null && link.state === 'refused';
    const away = link !== null && link.away && link.state !== 'open';
    const focused = ui.banner.contains(document.activeElement);

    ui.state.dataset.state = link ? link.state : 'waiting';
    ui.state.textContent = link ? link.about : 'not connected';

    const text = refused ? 'The server refused the connection: '
                           + link.reason + '.'
               : away ? 'You are offline. What you miss will follow.' : '';

    if (ui['banner-text'].textContent !== text) {
        ui['banner-text'].textContent = text;
    }

    ui.banner.hidden = text === '';
    showBannerNext();

    if (focused && ui.banner.hidden) {
        (ui.write.hidden ? ui.scroll : ui.text).focus();
    }
}


function showHere() {
    say(ui.here, current.kind === 'room' ? here(current) : 'Private messages');
}


function showMembers() {
    people.show(room, user === null ? null : user.id);
    showHere();
}


function showWriter() {
    ui.guest.hidden = user !== null;
    ui.write.hidden = user === null || current.key === '';
    ui.me.textContent = user === null ? 'Guest' : user.name;
    ui.login.hidden = ui.register.hidden = user !== null;
    ui.logout.hidden = ui.change.hidden = ui.erase.hidden = user === null;
    ui['text-label'].textContent = ui.text.placeholder
        = current.kind === 'room' ? 'Message to ' + current.name
                                  : 'Private message to ' + current.name;
}


/* For a shell: a quote ends the string, and another one begins it again. */
function showWelcome() {
    const body = JSON.stringify({ rooms: [current.key],
                                  data: { msg: 'hello' } });

    ui.welcome.hidden = current.kind !== 'room';
    ui['welcome-room'].textContent = current.name;
    ui.curl.textContent = 'curl ' + location.origin
        + '/im/push -H \'Content-Type: application/json\' -d \''
        + body.replace(/'/g, '\'\\\'\'') + '\'';
}


function fitText() {
    if (ui.write.hidden) {
        return;
    }

    ui.text.style.height = 'auto';
    ui.text.style.height = ui.text.scrollHeight + 2 + 'px';
}


function showEmpty() {
    ui.empty.hidden = !current.empty;
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
        history.replaceState(null, '', '#' + encodeURIComponent(talk.key));
    }

    talk.show(true);
    read(talk);
    ui.title.textContent = talk.name;
    ui.text.value = talk.draft;
    say(ui.notice, '');
    closeMenu();
    showEmpty();
    showWelcome();
    showUnread();
    showMembers();
    showState();
    showWriter();
    fitText();
    toEnd();
    count();
}


/* The same, when the reader asked for it: where to type is next. */
function go(talk) {
    choose(talk);
    (ui.write.hidden ? ui.scroll : ui.text).focus();
}


function read(talk) {
    talk.setUnread(0);

    if (talk.kind === 'peer' && user !== null) {
        memory.read(user.id, talk.key, talk.name, talk.last);
    }
}


/* A message is new until its talk is on the screen. */
function arrived(talk, from) {
    if (talk === current) {
        showEmpty();

        if (!atEnd && !talk.history) {
            talk.below += 1;
            showNewer();
        }

        keepAtEnd();
    }

    if (talk.history) {
        return;
    }

    if (talk !== current || document.hidden) {
        talk.setUnread(talk.unread + 1);
        showUnread();
        ui.news.textContent = 'New message in ' + talk.name
                              + (from ? ' from ' + from : '');

    } else if (talk.kind === 'peer') {
        read(talk);
    }
}


/* Rooms */

function know(id, name) {
    const talk = peers.get(id);

    names.set(id, name);

    if (talk !== undefined && talk.name !== name) {
        talk.rename(name);

        if (talk === current) {
            ui.title.textContent = name;
            showWriter();
        }
    }
}


/* What a Talk shows of a frame. */
function messageOf(frame) {
    const id = String(frame.fuid || '');
    const name = String(frame.fname || id);

    return {
        id: id,
        from: name || (frame.broadcast ? 'To everybody' : 'Server'),
        text: typeof frame.msg === 'string' ? frame.msg
                                            : JSON.stringify(frame.msg),
        time: frame.time || Date.now(),
        mine: user !== null && id === user.id,
        broadcast: frame.broadcast === true
    };
}


function roomFrame(talk, frame) {
    if (frame.op === OP_ROOM) {
        const message = messageOf(frame);

        if (message.id && frame.fname) {
            know(message.id, message.from);
        }

        if (talk.message(message)) {
            arrived(talk, message.from);
        }
    }

    if (frame.op === OP_INFO && typeof frame.roomUserInfo === 'object') {
        talk.members = Object.create(null);
        talk.count = Number(frame.count) || 0;
        talk.setHistory(false);
        talk.repeated = false;

        for (const [id, name] of Object.entries(frame.roomUserInfo || {})) {
            talk.members[id] = String(name);
            know(id, String(name));
        }

        if (talk === room) {
            showMembers();
            countSoon();
        }
    }
}


function countIn(ms) {
    clearTimeout(counting);
    countAt = Date.now() + ms;
    counting = setTimeout(count, ms);
}


/* All pages of a room hear of a change at once, and ask one after the other. */
function countSoon() {
    if (countAt > Date.now() + COUNT_LEAST_MS + COUNT_SOON_MS) {
        countIn(COUNT_LEAST_MS + COUNT_SOON_MS * Math.random());
    }
}


/* How many guests there are: rooms' lists have users alone. */
async function count() {
    const talk = room;

    countIn(COUNT_MS);

    if (document.hidden) {
        return;
    }

    const found = await api.online(user === null ? null : user.token,
                                   talk.key).catch(() => null);

    if (found !== null) {
        talk.guests = found.guests;

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
    const places = talk.link === null ? talk.places : talk.link.places;

    talk.setHistory(places === null);
    talk.link = new Link(talk.key, user === null ? null : user.token, {
        frame: (frame) => roomFrame(talk, frame),
        state: (link) => {
            if (talk.link === link && talk === current) {
                showState();
            }

            recheck(link);
        },
        lost: () => lost(talk)
    }, places);

    if (talk === current) {
        showState();
    }
}


/* The last messages follow, of which some may be shown. */
function lost(talk) {
    talk.repeated = true;
    talk.note('Some messages are missing here, which were sent while there '
              + 'was no connection.');

    if (talk === current) {
        showEmpty();
        keepAtEnd();
    }
}


function leave(talk) {
    if (talk.link !== null) {
        talk.link.close();
        talk.places = talk.link.places;
        talk.link = null;
    }

    talk.members = Object.create(null);
    talk.count = talk.guests = 0;
    talk.setUnread(0);
    talk.item.classList.remove('joined');

    if (!titles.has(talk.key)) {
        rooms.delete(talk.key);
        talk.remove();
        storeRooms();
    }

    if (talk === room) {
        room = Array.from(rooms.values()).reverse()
            .find((t) => t.link !== null)
            || roomTalk(Array.from(titles.keys())
                        .find((name) => name !== talk.key) || talk.key);
        join(room);
        showMembers();
    }

    if (talk === current) {
        go(room);
    }

    showUnread();
}


function storeRooms() {
    memory.storeRooms(Array.from(rooms.keys())
                      .filter((name) => !titles.has(name)));
}


function roomTalk(key) {
    let talk = rooms.get(key);

    if (talk !== undefined) {
        return talk;
    }

    talk = new Talk('room', key, titles.get(key) || key);
    talk.places = null;                /* where it was left */
    talk.button.addEventListener('click', () => go(talk));

    if (talk.name !== key) {
        talk.label.after(element('span', 'key', key));
        talk.button.title = 'Room ' + key;
    }

    const close = element('button', 'leave', '\u00d7');

    close.type = 'button';
    close.setAttribute('aria-label', 'Leave ' + talk.name);
    close.title = 'Leave';
    close.addEventListener('click', () => leave(talk));
    talk.item.append(close);
    talk.item.classList.toggle('added', !titles.has(key));

    rooms.set(key, talk);
    ui.rooms.append(talk.item);
    ui.scroll.append(talk.log);
    storeRooms();

    return talk;
}


/* Private messages */

function peerTalk(id, name) {
    let talk = peers.get(id);

    if (talk !== undefined) {
        return talk;
    }

    talk = new Talk('peer', id, name || names.get(id)
                    || memory.name(user.id, id)
                    || (id ? 'User ' + id.slice(0, 8) : 'Server'));
    talk.last = null;                  /* place of the last message in it */
    talk.button.addEventListener('click', () => go(talk));
    peers.set(id, talk);
    ui.peers.append(talk.item);
    ui.private.hidden = false;
    ui.scroll.append(talk.log);

    return talk;
}


/* What this user has sent, maybe in another tab or on another device: there
   the user has read what came before. */
function copyFrame(frame) {
    if (sessions.has(frame.session)) {
        return;                            /* shown when it was sent */
    }

    const talk = peerTalk(String(frame.tuid), '');

    if (talk.message(messageOf(frame))) {
        talk.setUnread(0);
        showUnread();
        showCurrent(talk);
    }
}


function showCurrent(talk) {
    if (talk === current) {
        showEmpty();
        keepAtEnd();
    }
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

    const message = messageOf(frame);
    const talk = peerTalk(message.id, message.from);

    if (message.id && frame.fname) {
        know(message.id, message.from);
    }

    talk.last = { seq: frame.seq, epoch: frame.epoch };
    talk.setHistory(memory.wasRead(user.id, message.id, talk.last));

    if (talk.message(message)) {
        arrived(talk, '');
    }
}


/* places: where a connection of the same user was */
function connectInbox(places) {
    if (user === null) {
        inbox = null;
        return;
    }

    inbox = new Link(null, user.token, {
        frame: inboxFrame,
        state: (link) => {
            if (inbox === link && current !== null
                && current.kind === 'peer')
            {
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
    const token = memory.storedToken();

    clearTimeout(checking);

    if (!token) {
        if (user !== null || current === null) {
            become(null);
        }

        return;
    }

    try {
        const found = await api.check(token);

        if (token !== memory.storedToken()) {
            return;                    /* whoever changed it asks too */
        }

        if (found !== null && user !== null && user.token === token) {
            return;
        }

        if (found === null) {
            memory.storeToken(null);
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
    if (memory.storedToken() !== token) {
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
        notice = 'You are logged out here, but the server does not know it: '
                 + e.message;
    }

    for (const talk of rooms.values()) {
        talk.draft = '';
    }

    ui.logout.disabled = false;
    ui.text.value = '';
    memory.storeToken(null);
    become(null);
    say(ui.notice, notice);
    ui.login.focus();
}


/* The form */

/* Why it was not sent, or {kept}: the receiver is away. */
async function send(talk, content) {
    const token = user.token;
    const answer = talk.kind === 'room'
        ? await api.sendToRoom(token, talk.key, content)
        : await api.sendToUser(token, talk.key, content, session);

    if (answer.code === api.OK) {
        return { kept: Boolean(answer.data && answer.data.kept) };
    }

    if (answer.code === api.BUSY) {
        throw new api.Fault('The service cannot do that now. Try again in a '
                            + 'moment.');
    }

    /* the answer doesn't say which: a login that has ended, or no receiver */
    if (await api.check(token) === null) {
        ended(token);
        throw new api.Fault('Your login has ended, please log in again.');
    }

    throw new api.Fault(talk.kind === 'room'
        ? 'You may not write in this room.'
        : talk.name + ' is away, and this server keeps no private messages.');
}


ui.form.addEventListener('submit', async (event) => {
    const talk = current;
    const content = ui.text.value;

    event.preventDefault();

    if (user === null || ui.send.disabled || content.trim() === '') {
        return;
    }

    ui.send.disabled = true;

    let why = '';
    const sent = await send(talk, content.trimEnd()).catch((e) => {
        why = 'Not sent. ' + e.message;
    });

    ui.send.disabled = false;
    say(ui.notice, why);

    if (why !== '') {
        return;
    }

    if (talk.kind === 'peer') {
        talk.message({ id: user.id, from: user.name, text: content.trimEnd(),
                       time: Date.now(), mine: true, kept: sent.kept });
        showCurrent(talk);
    }

    if (talk !== current) {
        talk.draft = '';
        return;
    }

    if (ui.text.value === content) {
        ui.text.value = '';
        fitText();
    }

    toEnd();
    ui.text.focus();
});


ui.text.addEventListener('input', fitText);

/* Not the Enter that ends a composition, such as of Chinese. */
ui.text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        ui.form.requestSubmit();
    }
});


function validName(name) {
    return name !== '' && !name.startsWith('$')
           && new TextEncoder().encode(name).length <= MAX_NAME
           && !/[\u0000-\u001f\u007f]/.test(name);
}


ui.join.addEventListener('submit', (event) => {
    const name = ui['room-name'].value.trim();

    event.preventDefault();

    if (!validName(name)) {
        say(ui['join-notice'], 'Type a name of at most ' + MAX_NAME
            + ' bytes that does not begin with "$".');
        return;
    }

    say(ui['join-notice'], '');
    ui['room-name'].value = '';
    go(roomTalk(name));
});


/* Where the page may not copy by itself, the reader can. */
ui.copy.addEventListener('click', async () => {
    try {
        await navigator.clipboard.writeText(ui.curl.textContent);
        ui.copy.textContent = 'Copied';

    } catch (e) {
        getSelection().selectAllChildren(ui.curl);
        ui.copy.textContent = 'Selected';
    }

    ui.news.textContent = ui.copy.textContent;
});

ui.copy.addEventListener('blur', () => {
    ui.copy.textContent = 'Copy';
});


/* The rest */

function closeMenu() {
    document.body.classList.remove('menu');
    ui.menu.setAttribute('aria-expanded', 'false');
}


function hashRoom() {
    let name = '';

    try {
        name = decodeURIComponent(location.hash.slice(1));

    } catch (e) {
        name = location.hash.slice(1);
    }

    return validName(name) ? name : titles.keys().next().value;
}


function retryNow() {
    for (const link of links()) {
        link.retryNow();
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
    ui[id].addEventListener('click', () => sign.open('login'));
}

for (const id of ['register', 'guest-register']) {
    ui[id].addEventListener('click', () => sign.open('register'));
}

ui.change.addEventListener('click', () => sign.open('change'));
ui.erase.addEventListener('click', () => sign.open('erase'));
ui.logout.addEventListener('click', logout);
ui.retry.addEventListener('click', retryNow);

ui.newer.addEventListener('click', () => {
    toEnd();
    (ui.write.hidden ? ui.scroll : ui.text).focus();
});

ui.scroll.addEventListener('scroll', () => {
    atEnd = ui.scroll.scrollHeight - ui.scroll.clientHeight
            - ui.scroll.scrollTop < END_PX;

    if (atEnd && current !== null && current.below > 0) {
        current.below = 0;
        showNewer();
    }
});

new ResizeObserver(keepAtEnd).observe(ui.scroll);

document.addEventListener('visibilitychange', () => {
    if (document.hidden) {
        return;
    }

    retryNow();

    if (current !== null) {
        read(current);
        showUnread();
        count();
    }
});

window.addEventListener('resize', fitText);
window.addEventListener('online', retryNow);
window.addEventListener('hashchange', () => choose(roomTalk(hashRoom())));

/* another tab has logged in or out, or its reader has read something */
window.addEventListener('storage', (event) => {
    if (event.key === 'auth' || event.key === null) {
        identify();
        return;
    }

    for (const talk of peers.values()) {
        if (talk.unread > 0 && talk.last !== null
            && memory.wasRead(user.id, talk.key, talk.last))
        {
            talk.setUnread(0);
            showUnread();
        }
    }
});

setInterval(() => {
    if (!ui.banner.hidden) {
        showBannerNext();
    }
}, 1000);


/* chat.json: {"rooms":[{"room":NAME,"title":TEXT}],"docs":URL} */
async function start() {
    const settings = await api.settings();

    for (const { room: key, title } of settings.rooms || []) {
        if (validName(String(key))) {
            titles.set(String(key), String(title || key));
        }
    }

    if (titles.size === 0) {
        titles.set(ROOM, 'Room ' + ROOM);
    }

    if (settings.docs) {
        ui.docs.href = ui['welcome-docs'].href = settings.docs;
    }

    for (const key of [...titles.keys(), ...memory.storedRooms()]) {
        roomTalk(key);
    }

    room = roomTalk(hashRoom());
    identify();
}


start();
