/*
 * Copyright (C) The im authors
 *
 * The chat page: one WebSocket of the "im" protocol in room 1, a form that
 * pushes over HTTP, and the online number.
 *
 * What arrives is shown by textContent only, so no message can be markup.
 */

(function () {
    'use strict';

    const ROOM = 1;
    const MAX_MESSAGES = 500;
    const POLL_MS = 5000;
    const CONNECT_MS = 10000;
    const STABLE_MS = 5000;
    const BACKOFF_MS = 500;
    const BACKOFF_MAX_MS = 15000;

    const CLOSE_POLICY = 1008;
    const CLOSE_RESTART = 1012;
    const CLOSE_TRY_LATER = 1013;

    const OP_USER = 2;
    const OP_ROOM = 3;

    const scroll = document.getElementById('scroll');
    const list = document.getElementById('messages');
    const empty = document.getElementById('empty');
    const state = document.getElementById('state');
    const online = document.getElementById('online');
    const form = document.getElementById('form');
    const text = document.getElementById('text');
    const send = document.getElementById('send');
    const notice = document.getElementById('notice');

    let socket = null;
    let retry = null;              /* timer of the next attempt */
    let failures = 0;
    let wasOpen = false;           /* since the page was loaded */
    let atEnd = true;              /* the list is scrolled to its end */
    let pushing = { text: null, id: null };


    /* The list */

    function element(name, className, content) {
        const e = document.createElement(name);

        e.className = className;
        e.textContent = content;

        return e;
    }


    /* Who has scrolled up reads on undisturbed. */
    function keepAtEnd() {
        if (atEnd) {
            scroll.scrollTop = scroll.scrollHeight;
        }
    }


    function append(item) {
        empty.hidden = true;
        list.append(item);

        while (list.childElementCount > MAX_MESSAGES) {
            list.firstElementChild.remove();
        }

        keepAtEnd();
    }


    function showNote(content) {
        append(element('li', 'note', content));
    }


    function showMessage(frame) {
        const item = document.createElement('li');
        const now = new Date();
        const from = [];

        if (frame.fname || frame.fuid) {
            from.push(String(frame.fname || frame.fuid));
        }

        if (frame.op === OP_USER) {
            from.push('to you');
        }

        if (from.length) {
            item.append(element('span', 'from', from.join(', ')));
        }

        item.append(element('span', 'text', typeof frame.msg === 'string'
                            ? frame.msg : JSON.stringify(frame.msg)));

        const time = element('time', '', now.toLocaleTimeString([],
                             { hour: '2-digit', minute: '2-digit' }));
        time.dateTime = now.toISOString();
        item.append(time);

        append(item);
    }


    /* The connection */

    function setState(name, content) {
        state.dataset.state = name;
        state.textContent = content;
    }


    function token() {
        try {
            return localStorage.getItem('auth');

        } catch (e) {
            return null;           /* storage is blocked: a guest */
        }
    }


    function connect() {
        const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
        const ws = new WebSocket(scheme + '//' + location.host + '/ws');
        const late = setTimeout(function () { ws.close(); }, CONNECT_MS);
        let opened = 0;
        let heard = false;

        clearTimeout(retry);
        retry = null;
        socket = ws;

        setState('waiting', 'connecting');

        ws.onopen = function () {
            clearTimeout(late);
            opened = Date.now();
            ws.send(JSON.stringify({ auth: token(), roomId: ROOM }));

            setState('open', 'connected');

            if (wasOpen) {
                showNote('Connected again. Messages sent meanwhile are not '
                         + 'shown.');
            }

            wasOpen = true;
            pollOnline();
        };

        ws.onmessage = function (event) {
            let frame;

            heard = true;

            try {
                frame = JSON.parse(event.data);

            } catch (e) {
                return;
            }

            if (frame && (frame.op === OP_USER || frame.op === OP_ROOM)) {
                showMessage(frame);
            }
        };

        ws.onclose = function (event) {
            clearTimeout(late);

            if (heard || (opened && Date.now() - opened > STABLE_MS)) {
                failures = 0;
            }

            socket = null;
            online.textContent = '\u2013 online';
            again(event);
        };
    }


    /* Half of each delay is random, so that many pages don't come at once. */
    function again(event) {
        const restart = event.code === CLOSE_RESTART
                        || event.code === CLOSE_TRY_LATER;
        let delay = Math.min(BACKOFF_MS * 2 ** failures, BACKOFF_MAX_MS);

        if (event.code === CLOSE_POLICY) {
            delay = BACKOFF_MAX_MS;
        }

        if (restart && failures === 0) {
            delay = BACKOFF_MS / 2;
        }

        delay = delay / 2 + Math.random() * delay / 2;
        failures += 1;
        retry = setTimeout(connect, delay);

        if (event.code === CLOSE_POLICY) {
            setState('refused', 'refused: '
                     + (event.reason || 'the server gave no reason'));
            return;
        }

        setState('waiting', delay < 1000 ? 'reconnecting'
                 : 'offline, next try in ' + Math.round(delay / 1000) + ' s');
    }


    function retryNow() {
        if (retry !== null && !document.hidden) {
            connect();
        }
    }


    /* The online number */

    function pollOnline() {
        if (socket === null || socket.readyState !== WebSocket.OPEN
            || document.hidden)
        {
            return;
        }

        fetch('/im/online', { cache: 'no-store' }).then(function (response) {
            if (response.status === 403) {
                online.title = 'The server tells this number to its own '
                               + 'machine only';
            }

            return response.ok ? response.json() : null;

        }).then(function (body) {
            online.textContent = (body && body.code === 0
                                  ? body.data.connections : '\u2013')
                                 + ' online';
        }).catch(function () {
            online.textContent = '\u2013 online';
        });
    }


    /* The form */

    function fault(status, body, after) {
        const msg = body && body.msg ? ': ' + body.msg : '';

        if (status === 403) {
            return 'Not sent. This server takes messages over HTTP from its '
                   + 'own machine only: open this page there as '
                   + 'http://127.0.0.1, or push with curl on it.';
        }

        if (status === 503) {
            return 'Not sent. The service cannot take messages now' + msg
                   + '. Try again ' + (after ? 'in ' + after + ' s.'
                                             : 'in a moment.');
        }

        return 'Not sent. The server answered ' + status + msg + '.';
    }


    /* One id for all attempts to send one text: it is accepted once. */
    function pushId(content) {
        if (pushing.text !== content) {
            const bytes = crypto.getRandomValues(new Uint8Array(16));

            pushing.text = content;
            pushing.id = Array.from(bytes, function (b) {
                return b.toString(16).padStart(2, '0');
            }).join('');
        }

        return pushing.id;
    }


    function setNotice(content) {
        notice.textContent = content;
        notice.hidden = !content;
    }


    async function push(content) {
        const response = await fetch('/im/push', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({
                id: pushId(content),
                rooms: [ String(ROOM) ],
                data: { msg: content }
            })
        });

        if (response.ok) {
            return '';
        }

        const body = await response.json().catch(function () { return null; });

        return fault(response.status, body,
                     response.headers.get('Retry-After'));
    }


    form.addEventListener('submit', function (event) {
        const content = text.value;

        event.preventDefault();

        if (send.disabled || content.trim() === '') {
            return;
        }

        send.disabled = true;

        push(content).catch(function () {
            return 'Not sent. The server cannot be reached.';

        }).then(function (why) {
            setNotice(why);
            send.disabled = false;

            if (why === '') {
                pushing.text = null;

                if (text.value === content) {
                    text.value = '';
                }
            }

            text.focus();
        });
    });


    scroll.addEventListener('scroll', function () {
        atEnd = scroll.scrollHeight - scroll.clientHeight - scroll.scrollTop
                < 48;
    });

    new ResizeObserver(keepAtEnd).observe(scroll);

    document.addEventListener('visibilitychange', function () {
        retryNow();
        pollOnline();
    });

    window.addEventListener('online', retryNow);

    setInterval(pollOnline, POLL_MS);
    connect();
})();
