/*
 * Copyright (C) The im authors
 *
 * A talk: a room or a private conversation, with its messages, its button in
 * the side bar and its unread mark.
 */

import { appendText, dayOf, element, hue, initials, timeElement }
    from './text.js';

const MAX_MESSAGES = 500;
const TOGETHER_MS = 300000;            /* one name above several messages */


/* The only place that says how many messages wait, by eye and by ear. */
export function mark(badge, unread) {
    badge.textContent = unread > 99 ? '99+' : String(unread);
    badge.hidden = unread === 0;
    badge.setAttribute('aria-label', unread + ' unread');
}


export class Talk {

    /* kind: "room", key its name; or "peer", key the user's id */
    constructor(kind, key, name) {
        this.kind = kind;
        this.key = key;
        this.link = null;              /* of a room that is joined */
        this.members = Object.create(null);
        this.count = 0;
        this.guests = 0;
        this.history = false;          /* what comes is not new */
        this.repeated = false;         /* what comes may be shown already */
        this.unread = 0;
        this.below = 0;                /* new ones below those on the screen */
        this.draft = '';
        this.shown = new Map();        /* element: what Talk.message() got */

        this.list = element('ol', 'messages', '');
        this.log = document.createElement('div');
        this.log.setAttribute('role', 'log');
        this.log.setAttribute('aria-live', 'polite');
        this.log.hidden = true;
        this.log.append(this.list);

        this.item = document.createElement('li');
        this.button = element('button', 'talk', '');
        this.button.type = 'button';
        this.label = element('span', 'label', '');
        this.label.dir = 'auto';
        this.badge = element('span', 'unread', '');
        this.badge.setAttribute('role', 'img');
        this.avatar = null;

        if (kind === 'peer') {
            this.avatar = element('span', 'avatar', '');
            this.avatar.setAttribute('aria-hidden', 'true');
            this.button.classList.add(hue(key));
            this.button.append(this.avatar);
        }

        this.button.append(this.label, this.badge);
        this.item.append(this.button);

        this.rename(name);
        mark(this.badge, 0);
    }


    rename(name) {
        this.name = name;
        this.label.textContent = name;

        if (this.avatar !== null) {
            this.avatar.textContent = initials(name);
        }

        this.log.setAttribute('aria-label', 'Messages, ' + name);
    }


    setUnread(unread) {
        this.unread = unread;
        mark(this.badge, unread);
    }


    /* What comes is not new, and is not read out. */
    setHistory(history) {
        this.history = history;
        this.log.setAttribute('aria-live', history ? 'off' : 'polite');
    }


    get empty() {
        return this.list.childElementCount === 0;
    }


    /* Between two messages: the day, and whether one sender goes on. */
    relate(item) {
        const message = this.shown.get(item);
        let before = item.previousElementSibling;

        if (before !== null && before.className === 'day') {
            before.remove();
            before = item.previousElementSibling;
        }

        const other = before === null ? undefined : this.shown.get(before);
        const day = dayOf(message.time);
        let last = before;

        while (last !== null && !this.shown.has(last)) {
            last = last.previousElementSibling;
        }

        if (last === null || dayOf(this.shown.get(last).time) !== day) {
            item.before(element('li', 'day', day));
        }

        item.classList.toggle('follow', other !== undefined
            && item.previousElementSibling === before
            && other.id === message.id && other.from === message.from
            && Math.abs(message.time - other.time) < TOGETHER_MS);
    }


    /* One of the history stands before broadcasts that are younger. */
    place(item, message) {
        let next = null;

        if (this.history && !message.broadcast) {
            let before = this.list.lastElementChild;

            while (before !== null && this.shown.has(before)
                   && this.shown.get(before).broadcast
                   && this.shown.get(before).time > message.time)
            {
                next = before;
                before = before.previousElementSibling;

                if (before !== null && before.className === 'day') {
                    before = before.previousElementSibling;
                }
            }
        }

        this.list.insertBefore(item, next);
        this.relate(item);

        if (next !== null) {
            this.relate(next);
        }
    }


    /* What stands first then has its day. */
    cap() {
        if (this.shown.size <= MAX_MESSAGES) {
            return;
        }

        while (this.shown.size > MAX_MESSAGES) {
            const first = this.list.firstElementChild;

            this.shown.delete(first);
            first.remove();
        }

        if (this.shown.has(this.list.firstElementChild)) {
            this.relate(this.list.firstElementChild);
        }
    }


    note(content) {
        this.list.append(element('li', 'note', content));
        this.cap();
    }


    /*
     * message: from and id, the sender's name and id; text; time, in ms; mine,
     * this user wrote it; broadcast; kept, the receiver is away.  False: it was
     * there already.
     */
    message(message) {
        if (this.repeated && Array.from(this.shown.values()).some((m) =>
            m.time === message.time && m.id === message.id
            && m.text === message.text))
        {
            return false;
        }

        const item = element('li', message.mine ? 'mine' : '', '');
        const avatar = element('span', 'avatar', initials(message.from));
        const bubble = element('div', 'bubble', '');
        const from = element('span', 'from', message.from);
        const text = element('span', 'text', '');

        item.classList.add('message', message.id ? hue(message.id) : 'system');
        avatar.setAttribute('aria-hidden', 'true');
        from.dir = text.dir = 'auto';
        appendText(text, message.text);
        bubble.append(from, text, timeElement(message.time));
        item.append(avatar, bubble);

        if (message.kept) {
            item.append(element('span', 'kept', 'Kept until ' + this.name
                                                + ' returns'));
        }

        this.shown.set(item, message);
        this.place(item, message);
        this.cap();

        return true;
    }


    show(shown) {
        this.log.hidden = !shown;

        if (shown) {
            this.button.setAttribute('aria-current', 'true');

        } else {
            this.button.removeAttribute('aria-current');
        }
    }


    remove() {
        this.log.remove();
        this.item.remove();
    }
}
