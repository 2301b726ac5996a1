/*
 * Copyright (C) The im authors
 *
 * The looks of names, in Redis, and those of accounts that were made before
 * looks were taken.
 *
 * All keys of all servers are walked, a few at a time, until a walk has come
 * to its end once.  Where two accounts look alike, the first one that is met
 * has the look; both go on.
 */

#include "im_key_kind.h"
#include "im_logic_looks.h"
#include "im_logic_name.h"


#define IM_LOOKS_COUNT  "1000"      /* keys that Redis looks at for a step */
#define IM_LOOKS_PAUSE  10000       /* us between steps */


struct im_logic_looks_s {
    im_logic_t    *logic;
    struct event  *event;           /* the next step */
    im_buf_t       keys;            /* of a name */
    im_uint_t      server;          /* that is walked */
    im_uint_t      nservers;
    size_t         ncursor;
    u_char         cursor[24];
};


void
im_logic_looks_keys(im_link_call_t *call, im_str_t name, im_buf_t *b)
{
    size_t     at;
    im_uint_t  i;

    im_link_call_str(call, name);

    for (i = 0; i < IM_NAME_KEYS; i++) {
        at = b->len;

        if (im_logic_name_key(b, name, i) != IM_OK) {
            call->bytes.failed = 1;
            return;
        }

        im_link_call_str(call, im_str_set(b->data + at, b->len - at));
    }
}


static void
im_logic_looks_end(im_logic_looks_t *looks)
{
    looks->logic->looks = NULL;

    event_free(looks->event);
    im_buf_cleanup(&looks->keys);
    im_free(looks);
}


static void
im_logic_looks_done(im_logic_looks_t *looks)
{
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = looks->logic;
    call = im_link_command(logic->link, "HSET");

    im_key_names(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_z(call, "");
    im_link_call_z(call, "1");

    im_logic_send(logic, NULL, NULL);
    im_logic_looks_end(looks);
}


/* PREFIX{p}:a:NAME */
static void
im_logic_looks_take(im_logic_looks_t *looks, im_str_t key)
{
    u_char          *p;
    im_str_t         name, end = im_str("}:a:");
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = looks->logic;
    p = memmem(key.data, key.len, end.data, end.len);

    if (p == NULL) {
        return;
    }

    p += end.len;
    name = im_str_set(p, (size_t) (key.data + key.len - p));

    if (!im_name_valid(name)) {
        return;
    }

    im_buf_reset(&looks->keys, looks->keys.max);

    call = im_link_script(logic->link, &im_script_names);

    im_key_names(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_z(call, "keep");
    im_logic_looks_keys(call, name, &looks->keys);

    im_logic_send(logic, NULL, NULL);
}


/* A walk that breaks off begins anew when a server comes back. */
static void
im_logic_looks_scan_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t                cursor, start = im_str("0");
    im_uint_t               i;
    struct timeval          tv;
    im_logic_looks_t       *looks = data;
    const im_link_reply_t  *keys;

    cursor = im_link_reply_str_at(reply, 0);

    if (im_logic_fault(reply, "SCAN") != NULL || cursor.len == 0
        || cursor.len > sizeof(looks->cursor)
        || im_link_servers(looks->logic->link) != looks->nservers)
    {
        im_logic_looks_end(looks);
        return;
    }

    keys = im_link_reply_at(reply, 1);

    for (i = 0; i < im_link_reply_len(keys); i++) {
        im_logic_looks_take(looks, im_link_reply_str_at(keys, i));
    }

    if (im_str_eq(cursor, start) && ++looks->server == looks->nservers) {
        im_logic_looks_done(looks);
        return;
    }

    im_copy(looks->cursor, cursor.data, cursor.len);
    looks->ncursor = cursor.len;

    tv.tv_sec = 0;
    tv.tv_usec = IM_LOOKS_PAUSE;

    if (event_add(looks->event, &tv) == -1) {
        im_logic_looks_end(looks);
    }
}


static void
im_logic_looks_step(evutil_socket_t fd, short what, void *data)
{
    im_logic_t        *logic;
    im_link_call_t    *call;
    im_logic_looks_t  *looks = data;

    (void) fd;
    (void) what;

    logic = looks->logic;
    call = im_link_command(logic->link, "SCAN");

    im_link_call_str(call, im_str_set(looks->cursor, looks->ncursor));
    im_link_call_z(call, "MATCH");
    im_key_glob_accounts(&call->bytes, im_link_keys(logic->link));
    im_link_call_arg(call);
    im_link_call_z(call, "COUNT");
    im_link_call_z(call, IM_LOOKS_COUNT);

    if (im_link_send_to(logic->link, looks->server,
                        im_logic_looks_scan_handler, looks)
        != IM_OK)
    {
        im_logic_looks_end(looks);
    }
}


static void
im_logic_looks_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_looks_t  *looks = data;

    if (im_logic_fault(reply, "reading the looks of names") != NULL
        || im_link_reply_int(reply, 0) == 1)
    {
        im_logic_looks_end(looks);
        return;
    }

    looks->nservers = im_link_servers(looks->logic->link);

    im_logic_looks_step(-1, 0, looks);
}


void
im_logic_looks_start(im_logic_t *logic)
{
    im_link_call_t    *call;
    im_logic_looks_t  *looks;

    if (logic->looks != NULL) {
        return;
    }

    looks = im_calloc(sizeof(im_logic_looks_t));
    if (looks == NULL) {
        return;
    }

    looks->event = evtimer_new(logic->base, im_logic_looks_step, looks);

    if (looks->event == NULL) {
        im_free(looks);
        return;
    }

    looks->logic = logic;
    looks->cursor[0] = '0';
    looks->ncursor = 1;

    im_buf_init(&looks->keys, IM_NAME_KEYS * IM_NAME_KEY_BYTES);

    logic->looks = looks;
    call = im_link_command(logic->link, "HEXISTS");

    im_key_names(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_z(call, "");

    im_logic_send(logic, im_logic_looks_handler, looks);
}


/* Its calls to Redis have ended before. */
void
im_logic_looks_cleanup(im_logic_t *logic)
{
    if (logic->looks != NULL) {
        im_logic_looks_end(logic->looks);
    }
}
