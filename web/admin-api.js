/*
 * Copyright (C) The im authors
 *
 * The HTTP API, with a key where there is one.  Each call gives the answer's
 * data, or throws a Fault whose message is for the reader.
 */

const TIMEOUT_MS = 10000;
const KEPT = 'im-admin-key';

const base = document.querySelector('meta[name="im-api"]').content;

/* A page without storage has the key to itself. */
let key = null;

try {
    key = sessionStorage.getItem(KEPT);

} catch (e) {
    key = null;
}


/* status: of HTTP, 0: there was no answer; results: of a push, or null */
export class Fault extends Error {
    constructor(text, status, results) {
        super(text);
        this.status = status;
        this.results = results || null;
    }
}


export function hasKey() {
    return key !== null;
}


/* null: no key */
export function setKey(value) {
    key = value;

    try {
        if (value === null) {
            sessionStorage.removeItem(KEPT);

        } else {
            sessionStorage.setItem(KEPT, value);
        }

    } catch (e) {
        return;
    }
}


function why(status, body) {
    const said = body !== null && typeof body.msg === 'string' ? body.msg : '';

    if (status === 401) {
        return hasKey() ? 'The key is not valid.'
                        : 'This service asks for a key.';
    }

    if (status === 403) {
        return said ? 'im_logic refuses this page: ' + said + '.'
            : 'nginx refuses this address (403): see allow and deny of its '
              + 'location ' + base + '.';
    }

    if (status === 404 && !said) {
        return 'nginx has no location ' + base + ' for the API (404).';
    }

    if ((status === 502 || status === 504) && !said) {
        return 'nginx cannot reach im_logic (' + status + ').';
    }

    if (status === 503) {
        return 'The service cannot answer now: ' + (said || 'no reason given')
               + '.';
    }

    return 'The server answered ' + status + (said ? ': ' + said : '') + '.';
}


async function call(path, options) {
    const headers = Object.assign({}, options && options.headers);

    if (key !== null) {
        headers['X-API-Key'] = key;
    }

    const response = await fetch(base + path, Object.assign({
        cache: 'no-store',
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS)

    }, options, { headers: headers })).catch(() => {
        throw new Fault('The server cannot be reached.', 0);
    });

    const body = await response.json().catch(() => null);

    if (response.ok && body !== null && body.code === 0) {
        return body.data;
    }

    throw new Fault(why(response.status, body), response.status,
                    body && body.data && body.data.results);
}


function query(values) {
    const args = new URLSearchParams(values).toString();

    return args ? '?' + args : '';
}


export function nodes() {
    return call('nodes');
}


export function rooms(top) {
    return call('rooms?top=' + top);
}


export function health() {
    return call('health');
}


export function bans() {
    return call('bans');
}


export function room(name) {
    return call('rooms/' + encodeURIComponent(name));
}


export function user(id) {
    return call('users/' + encodeURIComponent(id));
}


/* args: reason, for (seconds; 0: the user may come back) */
export function kickUser(id, args) {
    return call('users/' + encodeURIComponent(id) + query(args),
                { method: 'DELETE' });
}


export function kickSession(id, args) {
    return call('sessions/' + encodeURIComponent(id) + query(args),
                { method: 'DELETE' });
}


/* to: {rooms}, {users} or {all}; data: JSON as text, sent as it is */
export function push(to, data) {
    return call('push', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(to).slice(0, -1) + ',"data":' + data + '}'
    });
}
