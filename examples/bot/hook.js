/*
 * Copyright (C) The im authors
 *
 * A chat bot without a connection: nginx asks it about each message that a
 * client publishes (im_webhook publish).  It lets all of them pass, and answers
 * /help, and messages that mention it, by POST /im/push.
 *
 * The question comes before the message is in the room.  So the bot gives the
 * message an id, and answers when the room's history has it.
 */

'use strict';

const crypto = require('crypto');
const http = require('http');

const env = process.env;
const port = Number(env.BOT_PORT || 9000);
const api = env.IM_API || 'http://127.0.0.1:8080/im';
const user = env.BOT_USER || 'bot:helper';
const name = env.BOT_NAME || 'helper';

const BODY = 1024 * 1024;
const LOOKS = 50;         /* for the message, with a pause between */
const PAUSE_MS = 100;
const ATTEMPTS = 10;      /* to send an answer */


function log(...words) {
    console.log(new Date().toISOString(), ...words);
}


function sleep(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
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
function said(question) {
    const text = question.data && (question.data.msg ?? question.data);

    return typeof text !== 'string' || !question.user
        || question.user.startsWith('bot:')
        ? null : answer(text, question.user);
}


/* The message is in the room; in rooms without history that isn't known. */
async function published(room, id) {
    for (let i = 0; i < LOOKS; i++) {
        const reply = await fetch(`${api}/rooms/${encodeURIComponent(room)}`
                                  + '/history?limit=100');

        if (reply.status === 404) {
            return true;
        }

        if (reply.ok) {
            const { data } = await reply.json();

            if (data.messages.some((message) => message.id === id)) {
                return true;
            }
        }

        await sleep(PAUSE_MS);
    }

    return false;
}


async function push(room, id, msg) {
    if (!await published(room, id)) {
        log('the question did not come to', room);
        return;
    }

    for (let i = 0; i < ATTEMPTS; i++) {
        const reply = await fetch(api + '/push', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ id: id + '-answer', rooms: [room],
                                   from: { user, name }, data: { msg } })
        }).catch((e) => ({ status: 503, text: async () => e.message }));

        if (reply.status < 500) {
            log(reply.ok ? 'answers in' : 'may not answer in', room,
                reply.ok ? '' : await reply.text());
            return;
        }

        log('tries again:', reply.status, await reply.text());
        await sleep(PAUSE_MS * 2 ** i);
    }
}


/*
 * What nginx gets, and what is to be done behind it.  The id is that of nginx's
 * question, the same where nginx asks twice.
 */
function judge(text, header) {
    const question = JSON.parse(text);
    const id = header || crypto.randomUUID();
    const msg = said(question);

    if (msg === null) {
        return { result: {} };
    }

    return { result: { idempotency_key: id },
             then: () => push(question.channel, id, msg) };
}


async function handle(request, reply) {
    const pieces = [];
    let size = 0;

    for await (const piece of request) {
        size += piece.length;

        if (size > BODY) {
            reply.writeHead(413).end();
            return;
        }

        pieces.push(piece);
    }

    let judged = null;

    try {
        judged = judge(Buffer.concat(pieces).toString(),
                       request.headers['x-request-id']);

    } catch (e) {
        log('not a question:', e.message);
        reply.writeHead(400).end();
        return;
    }

    reply.writeHead(200, { 'Content-Type': 'application/json' });
    reply.end(JSON.stringify({ result: judged.result }));

    await judged.then?.();
}


const server = http.createServer((request, reply) => {
    handle(request, reply).catch((e) => log('failed:', e.message));
});

server.listen(port, '127.0.0.1', () => log('listens on', port));

/* it ends behind the last answer */

for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => server.close());
}
