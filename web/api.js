/*
 * Copyright (C) The im authors
 *
 * The HTTP side: accounts, sends, who is in a room.  Each call gives {code, msg,
 * data} of the server, or throws a Fault whose message is for the reader.
 *
 * The server's texts are for other pages, in their language: this one says what
 * a code means by itself.
 */

export const OK = 0;
export const INVALID = -1;             /* of accounts */
export const BUSY = -1;                /* of sends */
export const TAKEN = -1001;
export const WRONG = -1002;
export const NO_USER = -1003;
export const ENDED = -1004;
export const OFTEN = -1005;
export const KEPT_OUT = -1006;

const TIMEOUT_MS = 15000;

const NOT_NOW = 'The service cannot do that now. Try again in a moment.';

const STATUSES = {
    403: 'The server does not allow that from here.',
    404: 'The server does not offer that.',
    413: 'That is too long.',
    502: NOT_NOW,
    503: NOT_NOW,
    504: NOT_NOW
};


export class Fault extends Error {
}


async function call(path, options) {
    const response = await fetch(path, Object.assign({
        cache: 'no-store',
        signal: AbortSignal.timeout(TIMEOUT_MS)

    }, options)).catch(() => {
        throw new Fault('The server cannot be reached.');
    });

    const body = await response.json().catch(() => null);

    if (body !== null && typeof body.code === 'number' && response.ok) {
        return body;
    }

    if (response.status === 429) {
        const after = response.headers.get('Retry-After');

        throw new Fault('Too many attempts. Try again '
                        + (after ? 'in ' + after + ' s.' : 'in a while.'));
    }

    throw new Fault(STATUSES[response.status]
                    || 'The server answered ' + response.status + '.');
}


/* token: in the head, so that it is in no address and in no log */
function post(path, body, token) {
    const headers = { 'Content-Type': 'application/json' };

    if (token) {
        headers.Authorization = 'Bearer ' + token;
    }

    return call(path, {
        method: 'POST',
        headers: headers,
        body: JSON.stringify(body)
    });
}


export function register(name, password) {
    return post('/v1/user/register', { UserName: name, Password: password });
}


export function login(name, password) {
    return post('/v1/user/login', { UserName: name, Password: password });
}


/* Who the token is, {id, name, token}; null: nobody, or no longer. */
export async function check(token) {
    const answer = await post('/v1/user/check_auth', {}, token);

    if (answer.code === OK) {
        return { id: answer.data.UserId, name: answer.data.UserName,
                 token: token };
    }

    if (answer.code === ENDED || answer.code === INVALID) {
        return null;
    }

    if (answer.code === KEPT_OUT) {
        throw new Fault('You are kept out for now.');
    }

    throw new Fault('The accounts cannot be reached.');
}


export function logout(token) {
    return call('/v1/user/logout',
                { headers: { Authorization: 'Bearer ' + token } });
}


/* The answer is that of a login. */
export function changePassword(name, password, next, token) {
    return post('/v1/user/password', { UserName: name, Password: password,
                                       NewPassword: next }, token);
}


export function deleteAccount(name, password, token) {
    return post('/v1/user/delete', { UserName: name, Password: password },
                token);
}


export function sendToRoom(token, room, msg) {
    return post('/api/v1/pushRoom?room=' + encodeURIComponent(room),
                { msg: msg }, token);
}


/* session: of the inbox, which needs no copy; "" none */
export function sendToUser(token, user, msg, session) {
    return post('/api/v1/push?userId=' + encodeURIComponent(user)
                + (session ? '&session=' + encodeURIComponent(session) : ''),
                { msg: msg }, token);
}


/* Of a room: {users, guests, sessions}. */
export async function online(token, room) {
    const answer = await post('/api/v1/online?room='
                              + encodeURIComponent(room), {}, token);

    return answer.code === OK ? answer.data : null;
}


/*
 * {rooms, docs}: the rooms that the operator names, an array, and where the
 * documents are.  Nothing, where chat.json is not there or not in order.
 */
export async function settings() {
    try {
        const response = await fetch('chat.json', {
            cache: 'no-cache',
            signal: AbortSignal.timeout(TIMEOUT_MS)
        });
        const { rooms, docs } = await response.json();

        return { rooms: Array.isArray(rooms) ? rooms.filter(Boolean) : [],
                 docs: docs };

    } catch (e) {
        return {};
    }
}
