/*
 * Copyright (C) The im authors
 *
 * The HTTP side: accounts and sends.  Each call gives {code, msg, data} of the
 * server, or throws a Fault whose message is for the reader.
 */

export const OK = 0;
export const INVALID = -1;             /* of accounts */
export const BUSY = -1;                /* of sends */
export const TAKEN = -1001;
export const WRONG = -1002;
export const OFTEN = -1005;
export const KEPT_OUT = -1006;

const ENDED = -1004;
const TIMEOUT_MS = 15000;


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

    if (response.status === 413) {
        throw new Fault('That is too long.');
    }

    if (response.status === 502 || response.status === 503
        || response.status === 504)
    {
        throw new Fault('The service cannot do that now. Try again in a '
                        + 'moment.');
    }

    throw new Fault('The server answered ' + response.status
                    + (body && body.msg ? ': ' + body.msg : '') + '.');
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
    return post('/api/v1/pushRoom?rid=' + room,
                { op: 3, msg: msg, rid: room }, token);
}


/* session: of the inbox, which needs no copy; "" none */
export function sendToUser(token, user, msg, session) {
    return post('/api/v1/push?userId=' + encodeURIComponent(user)
                + (session ? '&session=' + encodeURIComponent(session) : ''),
                { msg: msg }, token);
}
