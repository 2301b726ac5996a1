/*
 * Copyright (C) The im authors
 *
 * What the page keeps in the browser: the token, the rooms that were added, and
 * up to where private messages were read.  A page without storage has it to
 * itself.
 */

const own = new Map();
const MAX_PEERS = 200;
const MAX_ROOMS = 20;


function get(key) {
    try {
        return localStorage.getItem(key);

    } catch (e) {
        return own.has(key) ? own.get(key) : null;
    }
}


function set(key, value) {
    own.set(key, value);

    try {
        if (value === null) {
            localStorage.removeItem(key);

        } else {
            localStorage.setItem(key, value);
        }

    } catch (e) {
        return;
    }
}


function parsed(key, type) {
    try {
        const value = JSON.parse(get(key));

        return value instanceof type ? value : new type();

    } catch (e) {
        return new type();
    }
}


export function storedToken() {
    return get('auth');
}


export function storeToken(token) {
    set('auth', token);
}


export function storedRooms() {
    return parsed('im.rooms', Array).filter((name) =>
        typeof name === 'string');
}


export function storeRooms(names) {
    set('im.rooms', JSON.stringify(names.slice(-MAX_ROOMS)));
}


/* Of each user {ID of another: [name, epoch, seq]}, the last ones used. */
function peers(user) {
    return new Map(Object.entries(parsed('im.read.' + user, Object)));
}


function peer(user, id) {
    const found = peers(user).get(id);

    return Array.isArray(found) ? found : [];
}


/* place: {seq, epoch} of the last message, or null: none came */
export function read(user, id, name, place) {
    const all = peers(user);
    const [, epoch, seq] = peer(user, id);

    all.delete(id);
    all.set(id, place === null || place.seq === undefined
                ? [name, epoch, seq] : [name, place.epoch, place.seq]);

    set('im.read.' + user,
        JSON.stringify(Object.fromEntries([...all].slice(-MAX_PEERS))));
}


export function wasRead(user, id, place) {
    const [, epoch, seq] = peer(user, id);

    return place.seq !== undefined && epoch === place.epoch
           && seq >= place.seq;
}


export function name(user, id) {
    return peer(user, id)[0];
}
