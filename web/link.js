/*
 * Copyright (C) The im authors
 *
 * A connection of the "im" protocol that is kept: one WebSocket in one room,
 * opened again with backoff when it ends, from where it was.
 */

const CONNECT_MS = 10000;
const STABLE_MS = 5000;
const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 15000;
const AWAY_MS = 1000;

const CLOSE_POLICY = 1008;
const CLOSE_RESTART = 1012;
const CLOSE_TRY_LATER = 1013;

const KEPT = 50;                       /* messages to begin with */

export const OP_USER = 2;
export const OP_ROOM = 3;
export const OP_INFO = 4;

export const OP_PLACE = 7;


export class Link {

    /*
     * handlers: frame(frame), state(link) after a change of link.state and
     * link.about, lost() when messages are missing that can't be had any more.
     * room: its name; null: none, it is for private messages.
     * places: link.places of one before it.
     */
    constructor(room, token, handlers, places) {
        const start = { seq: 0, epoch: '' };

        this.room = room;
        this.token = token;
        this.handlers = handlers;
        this.places = places || { room: start, inbox: start,
                                  broadcast: start };
        this.socket = null;
        this.timer = null;             /* of the next attempt */
        this.next = 0;                 /* its time, in ms */
        this.away = false;             /* long enough to say so */
        this.failures = 0;
        this.closed = false;
        this.state = 'waiting';
        this.reason = '';              /* why the server refused it */
        this.connect();
    }


    set(state, about) {
        this.state = state;
        this.about = about;
        this.handlers.state(this);
    }


    connect() {
        const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
        const ws = new WebSocket(scheme + '//' + location.host + '/ws');
        const late = setTimeout(() => ws.close(), CONNECT_MS);
        let opened = 0;
        let heard = false;

        clearTimeout(this.timer);
        this.timer = null;
        this.socket = ws;
        this.set(this.state === 'refused' ? 'refused' : 'waiting',
                 this.away ? 'offline' : 'connecting');

        ws.onopen = () => {
            clearTimeout(late);
            opened = Date.now();
            ws.send(JSON.stringify(this.first()));
        };

        ws.onmessage = (event) => {
            const frame = parse(event.data);

            if (this.closed || frame === null) {
                return;
            }

            heard = true;

            if (this.state !== 'open') {
                this.away = false;
                this.set('open', 'connected');
            }

            this.place(frame);
            this.handlers.frame(frame);
        };

        ws.onclose = (event) => {
            clearTimeout(late);

            if (this.closed) {
                return;
            }

            if (heard || (opened && Date.now() - opened > STABLE_MS)) {
                this.failures = 0;
            }

            this.socket = null;
            this.later(event);
        };
    }


    /*
     * What is missed between two connections follows by these places; without
     * one, the last messages do.
     */
    first() {
        const frame = { auth: this.token };

        if (this.room === null) {
            frame.roomId = -1;
            frame.inbox = from(this.places.inbox);

        } else {
            frame.room = this.room;
            Object.assign(frame, from(this.places.room));
            frame.broadcast = from(this.places.broadcast);
        }

        return frame;
    }


    place(frame) {
        if (typeof frame.seq !== 'number') {
            return;
        }

        const topic = frame.inbox || frame.op === OP_USER ? 'inbox'
                      : frame.broadcast ? 'broadcast' : 'room';

        this.places[topic] = { seq: frame.seq, epoch: frame.epoch };

        if (frame.op === OP_PLACE && frame.recovered === false) {
            this.handlers.lost();
        }
    }


    /* Half of each delay is random, so that many pages don't come at once. */
    later(event) {
        const restart = event.code === CLOSE_RESTART
                        || event.code === CLOSE_TRY_LATER;
        let delay = Math.min(BACKOFF_MS * 2 ** this.failures, BACKOFF_MAX_MS);

        if (event.code === CLOSE_POLICY) {
            delay = BACKOFF_MAX_MS;
        }

        if (restart && this.failures === 0) {
            delay = BACKOFF_MS / 2;
        }

        delay = delay / 2 + Math.random() * delay / 2;
        this.failures += 1;
        this.next = Date.now() + delay;
        this.timer = setTimeout(() => this.connect(), delay);
        this.away = this.away || delay >= AWAY_MS;

        if (event.code === CLOSE_POLICY) {
            this.reason = event.reason || 'the server gave no reason';
            this.set('refused', 'refused');
            return;
        }

        this.set('waiting', this.away ? 'offline' : 'reconnecting');
    }


    retryNow() {
        if (this.timer !== null) {
            this.connect();
        }
    }


    close() {
        this.closed = true;
        clearTimeout(this.timer);
        this.timer = null;

        if (this.socket !== null) {
            this.socket.close();
        }
    }
}


function from(place) {
    return place.epoch === '' ? { last: KEPT } : { ...place, last: KEPT };
}


function parse(text) {
    let frame;

    try {
        frame = JSON.parse(text);

    } catch (e) {
        return null;
    }

    return typeof frame === 'object' ? frame : null;
}
