/*
 * Copyright (C) The im authors
 *
 * A talk: a room or a private conversation, with its messages, its button in
 * the side bar and its unread mark.
 *
 * What arrives is shown by textContent only, so no message can be markup.
 */

const MAX_MESSAGES = 500;


export function element(name, className, content) {
    const e = document.createElement(name);

    e.className = className;
    e.textContent = content;

    return e;
}


/* The only place that says how many messages wait, by eye and by ear. */
function mark(badge, unread) {
    badge.textContent = unread > 99 ? '99+' : String(unread);
    badge.hidden = unread === 0;
    badge.setAttribute('aria-label', unread + ' unread');
}


export class Talk {

    /* kind: "room", key its number; or "peer", key the user's id */
    constructor(kind, key, name) {
        this.kind = kind;
        this.key = key;
        this.link = null;              /* of a room that is joined */
        this.members = {};
        this.count = 0;
        this.unread = 0;
        this.draft = '';

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
        this.badge = element('span', 'unread', '');
        this.badge.setAttribute('role', 'img');
        this.button.append(this.label, this.badge);
        this.item.append(this.button);

        this.rename(name);
        mark(this.badge, 0);
    }


    rename(name) {
        this.name = name;
        this.label.textContent = name;
        this.log.setAttribute('aria-label', 'Messages, ' + name);
    }


    setUnread(unread) {
        this.unread = unread;
        mark(this.badge, unread);
    }


    append(item) {
        this.list.append(item);

        while (this.list.childElementCount > MAX_MESSAGES) {
            this.list.firstElementChild.remove();
        }
    }


    note(content) {
        this.append(element('li', 'note', content));
    }


    /* from: a name, or "" for nobody's; mine: written by this user */
    message(from, msg, mine) {
        const item = element('li', mine ? 'mine' : '', '');
        const now = new Date();
        const time = element('time', '', now.toLocaleTimeString([],
                             { hour: '2-digit', minute: '2-digit' }));

        time.dateTime = now.toISOString();

        if (from) {
            item.append(element('span', 'from', from));
        }

        item.append(element('span', 'text', typeof msg === 'string'
                            ? msg : JSON.stringify(msg)), time);
        this.append(item);
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


export { mark };
