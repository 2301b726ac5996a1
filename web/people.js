/*
 * Copyright (C) The im authors
 *
 * Who is in the room that is shown: the list of users, and the numbers.
 */

import { element, hue, initials, plural } from './text.js';


export class People {

    /* ui: elements by id; write(id, name): the reader wants to write to one */
    constructor(ui, write) {
        this.ui = ui;
        this.write = write;
        this.shown = new Map();        /* items of the list, by key */
    }


    item(id, name, mine) {
        const item = document.createElement('li');
        const entry = element(mine ? 'span' : 'button', 'talk ' + hue(id), '');
        const avatar = element('span', 'avatar', initials(name));
        const label = element('span', 'label', name + (mine ? ' (you)' : ''));

        avatar.setAttribute('aria-hidden', 'true');
        label.dir = 'auto';
        entry.append(avatar, label);
        item.append(entry);

        if (!mine) {
            entry.type = 'button';
            entry.title = 'Write to ' + name;
            entry.addEventListener('click', () => this.write(id, name));
        }

        return item;
    }


    /* Items that stay are not touched: the reader may be about to click. */
    items(members, ids, me) {
        const keys = ids.map((id) => JSON.stringify([id, members[id],
                                                     id === me]));
        const wanted = new Set(keys);

        for (const [key, item] of this.shown) {
            if (!wanted.has(key)) {
                item.remove();
                this.shown.delete(key);
            }
        }

        let next = this.ui.members.firstElementChild;

        keys.forEach((key, i) => {
            let item = this.shown.get(key);

            if (item === undefined) {
                item = this.item(ids[i], members[ids[i]], ids[i] === me);
                this.shown.set(key, item);
            }

            if (item === next) {
                next = next.nextElementSibling;

            } else {
                this.ui.members.insertBefore(item, next);
            }
        });
    }


    /* room: a talk; me: the id of the reader's user, or null */
    show(room, me) {
        const ui = this.ui;
        const ids = Object.keys(room.members).sort((a, b) =>
            room.members[a].localeCompare(room.members[b]));
        const focused = ui.members.contains(document.activeElement);
        const more = room.count > ids.length && ids.length > 0;

        ui['members-title'].textContent = 'In ' + room.name;
        ui.count.textContent = String(room.count);
        this.items(room.members, ids, me);
        ui.nobody.hidden = room.count > 0;
        ui.more.hidden = !more;
        ui.more.textContent = 'and ' + (room.count - ids.length) + ' more';
        ui.guests.hidden = room.guests === 0;
        ui.guests.textContent = plural(room.guests, 'guest', 'guests');

        if (focused && !ui.members.contains(document.activeElement)) {
            (ui.members.querySelector('button') || ui.scroll).focus();
        }
    }
}


/* "12 here, 3 of them guests" */
export function here(room) {
    const guests = plural(room.guests, 'guest', 'guests');

    if (room.count === 0 && room.guests > 0) {
        return guests + ' here';
    }

    return room.count + room.guests + ' here'
           + (room.guests === 0 ? ''
              : ', ' + (room.guests === 1 ? '1 of them a guest'
                        : room.guests + ' of them guests'));
}
