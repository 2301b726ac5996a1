/*
 * Copyright (C) The im authors
 *
 * The admin page: polls the API while it is visible, shows what comes, and
 * pushes and kicks.  All names are shown as text.
 */

import * as api from './admin-api.js';
import { Rates, Series, Sparkline } from './admin-series.js';

const POLL_MS = 3000;                  /* workers report as often */
const BACKOFF_MAX_MS = 60000;
const TOP_ROOMS = 20;
const MAX_ROWS = 200;                  /* of a room's users, a user's sessions */

const BLANK = '\u00a0';                /* a space where no line ends */

const RATES = ['messages_out', 'messages_in', 'accepted', 'refused'];

const ui = Object.fromEntries(Array.from(document.querySelectorAll('[id]'),
                              (e) => [e.id, e]));

const workers = new Map();             /* by id: Rates */
const totals = {};                     /* by tile: series and sparkline */
const lists = new WeakMap();           /* by their parent: rows by key */

let timer = null;                      /* of the next poll */
let polling = false;
let failures = 0;
let detail = null;                     /* {kind, name}: what is looked up */
let acting = null;                     /* what the dialog is about */


/* Elements and text */

function element(name, className, text) {
    const e = document.createElement(name);

    if (className) {
        e.className = className;
    }

    if (text !== undefined) {
        e.textContent = text;
    }

    return e;
}


/* A stranger's name: it can't change the direction of what is beside it. */
function named(className, name) {
    return element('bdi', className, name);
}


function button(text, className, label, action) {
    const e = element('button', className, text);

    e.type = 'button';
    e.setAttribute('aria-label', label);
    e.addEventListener('click', action);

    return e;
}


/* Without a change nothing is announced. */
function say(where, text) {
    if (where.textContent !== text) {
        where.textContent = text;
    }
}


function alarm(where, text) {
    say(where, text);
    where.hidden = !text;
}


function number(n) {
    return n.toLocaleString('en');
}


function rate(n) {
    return n === null ? '–'
        : n.toLocaleString('en', { maximumFractionDigits: n < 10 ? 1 : 0 });
}


function many(n, one, more) {
    return number(n) + ' ' + (n === 1 ? one : more || one + 's');
}


function duration(s) {
    const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    const i = Math.max(0, units.findIndex(([size]) => s >= size));
    const [size, unit] = s < 1 ? units[3] : units[i];
    const next = units[i + 1];
    const rest = next && s >= 3600 ? Math.floor(s % size / next[0]) : 0;

    return Math.floor(s / size) + BLANK + unit
           + (rest > 0 ? BLANK + rest + BLANK + next[1] : '');
}


function moment(ms) {
    const date = new Date(ms);
    const today = date.toDateString() === new Date().toDateString();

    return (today ? '' : date.toLocaleDateString('en-GB',
            { day: 'numeric', month: 'short' }) + ', ')
           + date.toLocaleTimeString('en-GB');
}


/*
 * Children of parent for items, each made once for its key and updated; those
 * before `first` stay.  The focus stays where it is.
 */
function list(parent, items, keyOf, make, update, first = 0) {
    const focus = document.activeElement;
    const old = lists.get(parent) || new Map();
    const rows = new Map();

    items.forEach((item, i) => {
        const key = keyOf(item);
        const row = rows.get(key) || old.get(key) || make(item);
        const place = parent.children[first + i] || null;

        update(row, item);
        rows.set(key, row);

        if (place !== row.element) {
            parent.insertBefore(row.element, place);
        }
    });

    for (const [key, row] of old) {
        if (!rows.has(key)) {
            row.element.remove();
        }
    }

    lists.set(parent, rows);

    if (focus !== document.activeElement && focus.isConnected) {
        focus.focus({ preventScroll: true });
    }
}


/* Tiles */

function tile(name) {
    const total = { series: new Series(), spark: new Sparkline() };

    ui[name].after(total.spark.element);
    totals[name] = total;
}


function showTile(name, value, text) {
    say(ui[name], text);

    if (value !== null) {
        totals[name].series.add(value);
        totals[name].spark.draw(totals[name].series);
    }
}


/* The sum of a rate of all live workers; null: of none it is known. */
function sum(name) {
    let total = null;

    for (const rates of workers.values()) {
        if (rates.now !== null) {
            total += rates.now[name];
        }
    }

    return total;
}


function showTotals(data) {
    const protocols = new Map();
    const sent = sum('messages_out');
    const accepted = sum('accepted');
    const queue = data.queue;
    const away = queue.partitions.filter((p) => p.away).length;

    for (const node of data.nodes) {
        for (const worker of node.workers) {
            for (const [name, n] of Object.entries(worker.protocols || {})) {
                protocols.set(name, (protocols.get(name) || 0) + n);
            }
        }
    }

    showTile('sessions', data.sessions, number(data.sessions));
    showTile('messages', sent, rate(sent));
    showTile('handshakes', accepted, rate(accepted));
    showTile('queue', queue.length, number(queue.length));

    say(ui.protocols, [many(data.users, 'user'),
        ...Array.from(protocols, ([name, n]) => name + ' ' + number(n))]
        .join(' · '));
    say(ui.incoming, sent === null ? ''
        : rate(sum('messages_in')) + ' from clients');
    say(ui.refused, accepted === null ? ''
        : rate(sum('refused')) + ' refused');
    say(ui.age, away ? many(away, 'partition') + ' away'
        : queue.length === 0 ? 'nothing waits'
        : 'the oldest ' + (queue.age / 1000).toFixed(1) + ' s');
    ui.age.classList.toggle('bad', away > 0 || queue.age > 5000);
}


/* Nodes */

function count(data) {
    const seen = new Set();

    for (const node of data.nodes) {
        for (const worker of node.workers) {
            if (worker.state === 'away') {
                continue;
            }

            seen.add(worker.worker);

            if (!workers.has(worker.worker)) {
                workers.set(worker.worker, new Rates(RATES));
            }

            workers.get(worker.worker).report(worker);
        }
    }

    for (const id of workers.keys()) {
        if (!seen.has(id)) {
            workers.delete(id);
        }
    }
}


function cells(row, kind) {
    const parts = { element: row, name: element('th', 'name'), sub: null,
                    state: element('span', 'state') };

    parts.name.scope = kind;
    row.append(parts.name);

    for (const column of ['sessions', 'messages_out', 'accepted']) {
        const cell = element('td');

        parts[column] = element('span', 'figure', '–');
        cell.append(parts[column]);
        row.append(cell);

        if (kind === 'row' && column !== 'sessions') {
            parts[column].spark = new Sparkline();
            cell.prepend(parts[column].spark.element);
        }
    }

    return parts;
}


function showState(where, state) {
    where.dataset.state = state;
    say(where, state);
}


function makeWorker(worker) {
    const row = cells(element('tr', 'worker'), 'row');
    const slot = worker.worker.split('.').slice(-2)[0];

    row.sub = element('span', 'sub');
    row.name.title = worker.worker;
    row.name.append(named('', 'Worker ' + slot), ' ', row.state, row.sub);

    return row;
}


function updateWorker(row, worker) {
    const rates = workers.get(worker.worker);
    const away = worker.state === 'away';

    showState(row.state, worker.state);
    row.element.classList.toggle('away', away);

    say(row.sub, (worker.version ? worker.version + ' · ' : '')
        + (away ? 'gone for ' + duration(worker.gone)
                : 'up' + BLANK + duration(worker.uptime))
        + (worker.link === 'degraded'
           ? ' · ' + many(worker.away, 'partition') + ' of Redis away' : ''));
    say(row.sessions, away ? '–' : number(worker.sessions));

    for (const name of ['messages_out', 'accepted']) {
        say(row[name], rates && rates.now ? rate(rates.now[name]) : '–');

        if (rates) {
            row[name].spark.draw(rates.series[name]);
        }
    }
}


function makeNode(node) {
    const body = element('tbody');
    const row = cells(element('tr', 'node'), 'rowgroup');

    row.name.append(named('', node.node), ' ', row.state);
    body.append(row.element);

    return { element: body, row: row };
}


function updateNode(made, node) {
    const row = made.row;

    showState(row.state, node.state);
    say(row.sessions, number(node.sessions));

    for (const name of ['messages_out', 'accepted']) {
        let total = null;

        for (const worker of node.workers) {
            const rates = workers.get(worker.worker);

            if (rates && rates.now) {
                total += rates.now[name];
            }
        }

        say(row[name], rate(total));
    }

    list(made.element, node.workers, (w) => w.worker, makeWorker, updateWorker,
         1);
}


/* Services: Redis, im_job, im_logic */

function showServices(data, health) {
    const items = [];

    if (health instanceof api.Fault) {
        items.push(['Redis', health.message]);

    } else {
        const memory = health.memory;

        items.push(['Redis', health.redis
            + (memory ? ' · ' + Math.round(memory.used / 1048576) + ' MB'
               + (memory.max ? ' of ' + Math.round(memory.max / 1048576) + ' MB'
                  : '') : '')
            + ' · ' + many(health.partitions, 'partition')]);
    }

    for (const job of data.jobs) {
        items.push([job.job, many(job.partitions, 'partition')]);
    }

    if (data.jobs.length === 0) {
        items.push(['im_job', 'none lives']);
    }

    for (const p of data.queue.partitions) {
        items.push(['Queue ' + p.partition, p.away ? 'away'
            : many(p.length, 'push', 'pushes') + ' · '
              + (p.age / 1000).toFixed(1) + ' s']);
    }

    items.push(['im_logic', data.logic.version + ' · up '
        + duration(data.logic.uptime)]);

    list(ui.services, items, ([term]) => term, ([term]) => {
        const e = element('div');
        const value = element('dd');

        e.append(element('dt', '', term), value);

        return { element: e, value: value };

    }, (row, [, text]) => say(row.value, text));
}


function showWarnings(health) {
    const texts = health instanceof api.Fault ? [health.message]
        : [...health.reasons || [], ...health.warnings || [],
           ...health.warning ? [health.warning] : []];

    ui.warnings.hidden = texts.length === 0;

    list(ui.warnings, texts, (text) => text,
         (text) => ({ element: element('li', '', text) }), () => {});
}


/* Rooms and bans */

function look(kind, name) {
    const hash = '#' + kind + '/' + encodeURIComponent(name);

    if (location.hash === hash) {
        open();

    } else {
        location.hash = hash;
    }
}


function showRooms(data) {
    const most = data.rooms.length ? data.rooms[0].count : 1;

    ui['no-rooms'].hidden = data.rooms.length > 0;
    ui['more-rooms'].hidden = !data.more;

    list(ui.rooms, data.rooms, (room) => room.room, (room) => {
        const e = element('li');
        const value = element('span', 'figure');
        const b = button('', 'row', 'Who is in room ' + room.room,
                         () => look('room', room.room));

        b.append(named('label', room.room), value);
        e.append(b);

        return { element: e, value: value };

    }, (row, room) => {
        say(row.value, number(room.count));
        row.element.firstChild.setAttribute('aria-label',
            'Room ' + room.room + ': ' + many(room.count, 'session'));
        row.element.style.setProperty('--part',
                                      100 * room.count / most + '%');
    });
}


function showBans(data) {
    ui['no-bans'].hidden = data.bans.length > 0;

    list(ui.bans, data.bans.slice(0, MAX_ROWS), (ban) => ban.user, (ban) => {
        const e = element('li');
        const value = element('span', 'sub');
        const lift = button('Let in', '', 'Let in ' + ban.user, () => {
            lift.disabled = true;
            api.kickUser(ban.user, { for: 0 }).catch((fault) =>
                failed(fault)).finally(() => {
                    lift.disabled = false;
                    soon();
                });
        });

        e.append(named('label', ban.user), value, lift);

        return { element: e, value: value };

    }, (row, ban) => say(row.value, duration(ban.seconds) + ' left'));
}


/* What is looked up */

function userRow(user) {
    const e = element('li');
    const value = element('span', 'figure');
    const b = button('', 'row', 'Sessions of ' + (user.name || user.user),
                     () => look('user', user.user));
    const label = element('span', 'label');

    label.append(named('', user.name || user.user));

    if (user.name) {
        label.append(' ', named('sub', user.user));
    }

    b.append(label, value);
    e.append(b);

    return { element: e, value: value };
}


function sessionRow(session) {
    const e = element('li');
    const label = element('span', 'label');
    const what = [session.protocol, session.ip].filter((s) => s).join(' · ');

    label.append(element('span', '', what || session.session),
        element('span', 'sub', (session.since ? 'since '
            + moment(session.since * 1000) + ' · ' : '') + session.node),
        named('sub id', session.session));

    e.append(label, button('Kick', 'danger', 'Kick session '
                           + session.session, () => ask({
        title: 'Kick this session?',
        text: what + ', ' + session.session
              + '. Its client may connect again.',
        go: 'Kick',
        done: 'The session was closed.',
        action: (args) => api.kickSession(session.session, args)
    })));

    return { element: e };
}


function showRoom(room) {
    const signed = room.users.reduce((n, user) => n + user.sessions, 0);

    say(ui['detail-count'], many(room.count, 'session')
        + (room.count > signed && !room.more
           ? ', ' + many(room.count - signed, 'guest') : ''));

    list(ui['detail-rows'], room.users.slice(0, MAX_ROWS), (u) => u.user,
         userRow, (row, u) => say(row.value, number(u.sessions)));

    alarm(ui['detail-more'], room.more || room.users.length > MAX_ROWS
          ? 'There are more users.' : '');
}


function showUser(user) {
    if (user.name && ui['detail-title'].textContent !== 'User ' + user.name) {
        ui['detail-title'].replaceChildren('User ', named('', user.name));
    }

    say(ui['detail-count'], user.online ? many(user.sessions.length, 'session')
                                        : 'not connected');

    list(ui['detail-rows'], user.sessions.slice(0, MAX_ROWS),
         (s) => s.session, sessionRow, () => {});

    alarm(ui['detail-more'], user.more || user.sessions.length > MAX_ROWS
          ? 'There are more sessions.' : '');
}


async function showDetail() {
    const asked = detail;

    if (asked === null) {
        return;
    }

    const read = asked.kind === 'room' ? api.room : api.user;

    try {
        const data = await read(asked.name);

        if (detail === asked) {
            alarm(ui['detail-notice'], '');
            (asked.kind === 'room' ? showRoom : showUser)(data);
        }

    } catch (fault) {
        if (detail === asked) {
            alarm(ui['detail-notice'], fault.message);
        }
    }
}


/* The address says what is looked up. */
function open() {
    const [, kind, name] = location.hash.match(/^#(room|user)\/(.+)$/) || [];

    try {
        detail = kind ? { kind: kind, name: decodeURIComponent(name) } : null;

    } catch (e) {
        detail = null;
    }

    ui.detail.hidden = detail === null;
    alarm(ui['detail-notice'], '');
    alarm(ui['detail-more'], '');
    say(ui['detail-count'], '');
    say(ui['detail-done'], '');
    list(ui['detail-rows'], [], null, null, null);

    if (detail === null) {
        return;
    }

    const user = detail.kind === 'user';

    ui['detail-title'].replaceChildren(user ? 'User ' : 'Room ',
                                       named('', detail.name));
    ui['detail-kick'].hidden = !user;
    ui['detail-ban'].hidden = !user;
    ui['find-kind'].value = detail.kind;
    ui['find-name'].value = detail.name;
    ui['detail-title'].focus();

    showDetail();
}


/* The dialog: what: title, text, go, done, action(args), ban */

function ask(what) {
    acting = what;

    say(ui['dialog-title'], what.title);
    say(ui['dialog-text'], what.text);
    say(ui['dialog-go'], what.go);
    alarm(ui['dialog-notice'], '');
    ui['dialog-for'].hidden = !what.ban;
    ui.reason.value = '';
    ui['dialog-go'].disabled = false;

    ui.dialog.showModal();
}


async function act(event) {
    const what = acting;
    const args = {};

    event.preventDefault();

    if (what.ban) {
        args.for = ui.seconds.value;
    }

    if (ui.reason.value) {
        args.reason = ui.reason.value;
    }

    ui['dialog-go'].disabled = true;

    try {
        await what.action(args);
        ui.dialog.close();
        say(ui['detail-done'], what.done);

    } catch (fault) {
        alarm(ui['dialog-notice'], fault.message);
    }

    ui['dialog-go'].disabled = false;
    soon();
}


function askUser(ban) {
    const id = detail.name;

    ask({
        title: ban ? 'Keep ' + id + ' out?' : 'Kick ' + id + '?',
        text: ban ? 'All sessions are closed, and new ones are refused for '
                    + 'this time.'
                  : 'All sessions are closed. Clients may connect again.',
        go: ban ? 'Keep out' : 'Kick',
        done: ban ? 'The user is kept out.' : 'The sessions were closed.',
        ban: ban,
        action: (args) => api.kickUser(id, args)
    });
}


/* Publishing */

const TOPICS = { r: 'Room ', u: 'User ', k: 'Key ', b: 'Everybody' };

function showResults(results) {
    ui.results.replaceChildren(...results.map((result) => {
        const e = element('li', result.code ? 'bad' : '');

        e.append(TOPICS[result.topic[0]] || '',
                 named('', result.topic.slice(2)), result.code
                 ? ': ' + result.code + ', ' + result.msg
                 : ': accepted' + (result.seq ? ' as message '
                                   + number(result.seq) : ''));

        return e;
    }));
}


async function publish(event) {
    const to = ui.to.value;
    const names = ui.targets.value.split('\n').map((s) => s.trim())
        .filter((s) => s);
    let data = ui.data.value;

    event.preventDefault();
    alarm(ui['publish-notice'], '');
    ui.results.replaceChildren();

    if (ui.form.value === 'json') {
        try {
            JSON.parse(data);

        } catch (e) {
            alarm(ui['publish-notice'], 'This is not JSON: ' + e.message);
            ui.data.focus();
            return;
        }

    } else {
        data = JSON.stringify(data);
    }

    try {
        const answer = await api.push(to === 'all' ? { all: true }
                                                   : { [to]: names }, data);

        showResults(answer.results);

    } catch (fault) {
        alarm(ui['publish-notice'], fault.message);

        if (fault.results) {
            showResults(fault.results);
        }
    }
}


function showTo() {
    const all = ui.to.value === 'all';

    ui.targets.hidden = all;
    ui.targets.required = !all;
}


/* Polling */

function connected(state, text) {
    ui.state.dataset.state = state;
    say(ui.state, text);
}


function failed(fault) {
    const key = fault.status === 401;

    ui.board.classList.toggle('old', true);
    ui.board.hidden = key;
    ui.keyform.hidden = !key;
    ui.forget.hidden = key || !api.hasKey();

    if (key) {
        connected('refused', 'a key is needed');
        alarm(ui['key-notice'], api.hasKey() ? fault.message : '');
        ui.fault.hidden = true;
        api.setKey(null);

        if (document.activeElement === document.body) {
            ui.key.focus();
        }

        return;
    }

    connected('waiting', 'no connection, it tries again');
    say(ui['fault-text'], fault.message);
    ui.fault.hidden = false;
}


function shown() {
    failures = 0;
    ui.fault.hidden = true;
    ui.keyform.hidden = true;
    ui.board.hidden = false;
    ui.board.classList.toggle('old', false);
    ui.forget.hidden = !api.hasKey();
    connected('open', 'connected');
}


async function read() {
    const [data, rooms, bans, health] = await Promise.all([
        api.nodes(), api.rooms(TOP_ROOMS), api.bans(),
        api.health().catch((fault) => fault), showDetail()]);

    count(data);
    shown();
    showWarnings(health);
    showTotals(data);
    list(ui.nodes, data.nodes, (node) => node.node, makeNode, updateNode, 1);
    showServices(data, health);
    showRooms(rooms);
    showBans(bans);
}


async function poll() {
    clearTimeout(timer);
    timer = null;

    if (polling || document.hidden) {
        return;
    }

    polling = true;

    try {
        await read();

    } catch (fault) {
        failures++;
        failed(fault instanceof api.Fault ? fault
               : new api.Fault('The answer was not understood: '
                               + fault.message, 0));
    }

    polling = false;

    /* without a key nothing is asked until there is one */
    if (!document.hidden && ui.keyform.hidden && timer === null) {
        timer = setTimeout(poll, Math.min(POLL_MS * 2 ** failures,
                                          BACKOFF_MAX_MS));
    }
}


/* Something was done: what it changed is there a moment later. */
function soon() {
    clearTimeout(timer);
    timer = setTimeout(poll, 500);
}


for (const name of ['sessions', 'messages', 'handshakes', 'queue']) {
    tile(name);
}

ui.again.addEventListener('click', poll);

ui.forget.addEventListener('click', () => {
    api.setKey(null);
    poll();
});

ui.keyform.addEventListener('submit', (event) => {
    event.preventDefault();
    api.setKey(ui.key.value);
    ui.key.value = '';
    poll();
});

ui.find.addEventListener('submit', (event) => {
    event.preventDefault();
    look(ui['find-kind'].value, ui['find-name'].value);
});

ui['detail-kick'].addEventListener('click', () => askUser(false));
ui['detail-ban'].addEventListener('click', () => askUser(true));

ui['detail-close'].addEventListener('click', () => {
    location.hash = '';
    ui['find-name'].value = '';
    ui['find-name'].focus();
});

ui['detail-publish'].addEventListener('click', () => {
    ui.to.value = detail.kind === 'room' ? 'rooms' : 'users';
    ui.targets.value = detail.name;
    showTo();
    ui.data.focus();
});

ui.confirm.addEventListener('submit', act);
ui['dialog-cancel'].addEventListener('click', () => ui.dialog.close());

ui.publish.addEventListener('submit', publish);
ui.to.addEventListener('change', showTo);

document.addEventListener('visibilitychange', poll);
window.addEventListener('hashchange', open);

open();
poll();
