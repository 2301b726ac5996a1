/*
 * Copyright (C) The im authors
 *
 * A chat bot that joins rooms as a client, by a token that it signs itself.  It
 * answers /help, and messages that mention it, by POST /im/push.
 *
 * It keeps its place in each room in a file.  An answer has an id that follows
 * from the question, so that one that is sent again is delivered once.
 */

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const { Centrifuge } = require('centrifuge');
const WebSocket = require('ws');

const env = process.env;
const url = env.IM_URL || 'ws://127.0.0.1:8080/connection/websocket';
const api = env.IM_API || 'http://127.0.0.1:8080/im';
const secret = fs.readFileSync(env.IM_SECRET || '/etc/im/secret');
const user = env.BOT_USER || 'bot:helper';
const name = env.BOT_NAME || 'helper';
const rooms = (env.BOT_ROOMS || 'lobby').split(',');
const file = env.BOT_STATE || 'bot.json';
const life = Number(env.BOT_TOKEN_LIFE || 3600);       /* s */

const WAITING = 1000;     /* messages that wait for their answer */
const RETRY_MS = 10000;   /* the longest pause between two attempts */

/* Its place in each room: what is up to there has its answer. */
let places = {};
let waiting = 0;
let last = Promise.resolve();


function log(...words) {
    console.log(new Date().toISOString(), ...words);
}


function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
}


/* Whoever supervises the bot starts it again. */
function die(why) {
    log('ends:', why);
    process.exit(1);
}


function token() {
    const part = (value) => Buffer.from(JSON.stringify(value))
        .toString('base64url');
    const text = part({ alg: 'HS256', typ: 'JWT' }) + '.'
        + part({ sub: user, info: { name },
                 exp: Math.floor(Date.now() / 1000) + life });

    log('signs a token');

    return text + '.' + crypto.createHmac('sha256', secret).update(text)
        .digest('base64url');
}


function load() {
    try {
        places = JSON.parse(fs.readFileSync(file, 'utf8'));

    } catch (e) {
        if (e.code !== 'ENOENT') {
            throw e;
        }
    }
}


/* A file that is half written must not take the place of a whole one. */
function save(room, offset, epoch) {
    places[room] = { offset, epoch };

    fs.writeFileSync(file + '.new', JSON.stringify(places));
    fs.renameSync(file + '.new', file);
}


/* What it says to a message; null: nothing. */
function answer(text, from) {
    const words = text.trim().toLowerCase().split(/[^\p{L}\p{N}@/_:-]+/u);

    if (words[0] === '/help') {
        return `I am ${name}.  Mention me as @${name}, or say /help.`;
    }

    if (words.includes(`@${name.toLowerCase()}`)) {
        return `${from}, I am here.  Say /help to see what I can do.`;
    }

    return null;
}


/* Bots don't answer bots: two of them would never end. */
function said(pub) {
    const text = pub.data && (pub.data.msg ?? pub.data);

    if (!pub.info || !pub.info.user || pub.info.user.startsWith('bot:')
        || typeof text !== 'string')
    {
        return null;
    }

    return answer(text, (pub.info.connInfo && pub.info.connInfo.name)
                        || pub.info.user);
}


/* Repeats it until it is accepted, or refused for good. */
async function push(body) {
    for (let pause = 100; ; pause = Math.min(pause * 2, RETRY_MS)) {
        try {
            const reply = await fetch(api + '/push', {
                method: 'POST',
                headers: { 'Content-Type': 'application/json' },
                body: JSON.stringify(body)
            });
            const text = await reply.text();

            if (reply.status < 500) {
                log(reply.ok ? 'answers in' : 'may not answer in',
                    body.rooms[0], reply.ok ? '' : text);
                return;
            }

            log('tries again:', reply.status);

        } catch (e) {
            log('tries again:', e.message);
        }

        await sleep(pause);
    }
}


async function handle(room, epoch, pub) {
    const msg = said(pub);

    if (msg !== null) {
        await push({
            id: crypto.createHash('sha256').update(
                JSON.stringify([user, room, pub.offset, pub.data]))
                .digest('hex'),
            rooms: [room],
            from: { user, name },
            data: { msg }
        });
    }

    if (pub.offset !== undefined) {
        save(room, pub.offset, epoch);
    }

    waiting--;
}


function join(client, room) {
    const sub = client.newSubscription(room, { since: places[room] });
    let epoch = '';

    sub.on('subscribed', (ctx) => {
        const begins = !ctx.wasRecovering || !ctx.recovered;

        log('is in', room);

        if (ctx.wasRecovering && !ctx.recovered) {
            log('has missed messages of', room);
        }

        if (ctx.streamPosition) {
            epoch = ctx.streamPosition.epoch;

            if (begins) {
                save(room, ctx.streamPosition.offset, epoch);
            }
        }
    });

    /* one after the other, in their order */

    sub.on('publication', (pub) => {
        const at = epoch;

        if (++waiting > WAITING) {
            die('too much waits for its answer');
        }

        last = last.then(() => handle(room, at, pub));
    });

    sub.on('unsubscribed', (ctx) => die(`${room}: ${ctx.reason}`));
    sub.on('error', (ctx) => log(`${room}:`, ctx.error.message));
    sub.subscribe();
}


function main() {
    const client = new Centrifuge(url, {
        websocket: WebSocket,
        getToken: async () => token()
    });

    load();

    client.on('connected', () => log('is connected'));
    client.on('connecting', (ctx) => log('connects:', ctx.reason));
    client.on('error', (ctx) => log('error:', ctx.error.message));
    client.on('disconnected', (ctx) => die(ctx.reason));

    for (const room of rooms) {
        join(client, room);
    }

    client.connect();

    for (const signal of ['SIGINT', 'SIGTERM']) {
        process.on(signal, () => {
            client.removeAllListeners('disconnected');
            client.disconnect();
            last.then(() => process.exit(0));
        });
    }
}


main();
