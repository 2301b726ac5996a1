/*
 * Copyright (C) The im authors
 *
 * How names, times and messages are shown.  Everything that arrives becomes
 * text nodes, so no message can be markup.
 */

const HUES = 8;                        /* of theme.css */

/* The page is in English; the form of dates is the reader's, where that is. */
const LOCALE = navigator.language.startsWith('en') ? navigator.language
                                                   : 'en-GB';

const CLOCK = new Intl.DateTimeFormat([], { hour: '2-digit',
                                            minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(LOCALE, { weekday: 'long', day: 'numeric',
                                              month: 'long', year: 'numeric' });
const WHOLE = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'full',
                                                timeStyle: 'long' });

/* No blanks, quotes or marks that turn the direction of text. */
const ADDRESS
    = /\bhttps?:\/\/[^\s<>"'`\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gi;


export function element(name, className, content) {
    const e = document.createElement(name);

    e.className = className;
    e.textContent = content;

    return e;
}


/* The same for all pages and all reloads. */
export function hue(key) {
    let hash = 2166136261;

    for (const c of key) {
        hash = Math.imul(hash ^ c.codePointAt(0), 16777619) >>> 0;
    }

    return 'hue-' + (hash >>> 8) % HUES;
}


export function initials(name) {
    return name.split(/\s+/).map((word) => word.match(/^[\p{L}\p{N}]/u))
        .filter((found) => found !== null).slice(0, 2)
        .map((found) => found[0].toUpperCase()).join('') || '#';
}


export function plural(n, one, many) {
    return n + ' ' + (n === 1 ? one : many);
}


export function dayOf(ms) {
    return DAY.format(ms);
}


export function timeElement(ms) {
    const e = element('time', '', CLOCK.format(ms));

    e.dateTime = new Date(ms).toISOString();
    e.title = WHOLE.format(ms);

    return e;
}


/* Marks at the end belong to the sentence, and so does a closing bracket
   without an opening one. */
function trimmed(address) {
    let text = address.replace(/[.,;:!?]+$/, '');

    while (text.endsWith(')') && !text.includes('(')) {
        text = text.slice(0, -1).replace(/[.,;:!?]+$/, '');
    }

    return text;
}


function link(text) {
    let url = null;

    try {
        url = new URL(text);

    } catch (e) {
        return null;
    }

    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
        return null;
    }

    const a = element('a', '', text);

    a.href = url.href;
    a.target = '_blank';
    a.rel = 'noopener noreferrer nofollow';

    return a;
}


/* Appends the text with its addresses as links. */
export function appendText(to, text) {
    let done = 0;

    for (const found of text.matchAll(ADDRESS)) {
        const address = trimmed(found[0]);
        const a = link(address);

        if (a !== null) {
            to.append(text.slice(done, found.index), a);
            done = found.index + address.length;
        }
    }

    to.append(text.slice(done));
}
