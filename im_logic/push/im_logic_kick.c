/*
 * Copyright (C) The im authors
 *
 * DELETE /im/users/ID and /im/sessions/ID: sessions are closed, wherever they
 * are; a user can be kept out for a while.
 *
 * Redis knows that a user is kept out before the sessions are closed: they
 * come back at once.
 */

#include "im_logic_push.h"
#include "im_logic_control.h"
#include "im_logic_nodes.h"
#include "im_id.h"
#include "im_utf8.h"


#define IM_KICK_REASON   123          /* what a close frame can hold */
#define IM_KICK_MAX      3600         /* s */
#define IM_KICK_REVOKED  10000        /* users that are kept out */


typedef struct {
    im_daemon_request_t  *r;
    im_control_t          control;    /* code is 0: the protocol's own */
} im_logic_kick_t;


static const char *
im_logic_kick_args(im_daemon_request_t *r, im_control_t *control)
{
    im_int_t   rc;
    uint64_t   n;
    im_uint_t  i;

    rc = im_logic_query_number(r, "code", 4999, &n);

    if (rc == IM_ERROR
        || (rc == IM_OK && !im_control_code_valid((int64_t) n)))
    {
        return "code is 1000 or 3000 to 4999";
    }

    control->code = (int64_t) n;
    rc = im_logic_query_number(r, "for", IM_KICK_MAX, &n);

    if (rc == IM_ERROR) {
        return "for is 0 to 3600 seconds";
    }

    if (rc == IM_OK && control->user.len == 0) {
        return "for is for users";
    }

    if (rc == IM_OK) {
        control->seconds = (int64_t) n;
    }

    if (im_logic_query(r, "reason", IM_KICK_REASON, &control->reason)
        == IM_ERROR)
    {
        return "reason is at most 123 bytes";
    }

    for (i = 0; i < control->reason.len; i++) {
        if (control->reason.data[i] < 0x20) {
            return "reason is text";
        }
    }

    return im_utf8_valid(control->reason) ? NULL : "reason is text";
}


static void
im_logic_kick_sent(const im_link_reply_t *reply, void *data)
{
    im_buf_t             *b;
    const char           *why;
    im_daemon_request_t  *r = data;

    why = im_logic_control_read(reply);

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    b = im_daemon_buf(r, 16);

    im_buf_add_z(b, "{}");
    im_logic_reply_data(r, b);
}


static void
im_logic_kick_revoke_handler(const im_link_reply_t *reply, void *data)
{
    const char       *why;
    im_logic_kick_t  *kick = data;

    why = im_logic_fault(reply, "revoke.lua");

    if (why == NULL && im_link_reply_int(reply, 0) != 1) {
        why = "too many users are kept out";
    }

    if (why != NULL) {
        im_logic_reply_error(kick->r, 503, why);
        return;
    }

    im_logic_control(kick->r, &kick->control, im_logic_kick_sent, kick->r);
}


static void
im_logic_kick_revoke(im_logic_kick_t *kick)
{
    im_logic_t      *logic;
    im_link_call_t  *call;

    logic = kick->r->data;
    call = im_link_script(logic->link, &im_script_revoke);

    im_key_revoked(&call->bytes, im_link_keys(logic->link));
    im_link_call_key(call);
    im_link_call_str(call, kick->control.user);
    im_link_call_uint(call, (uint64_t) kick->control.seconds);
    im_link_call_uint(call, IM_KICK_REVOKED);

    im_logic_send(logic, im_logic_kick_revoke_handler, kick);
}


static im_logic_kick_t *
im_logic_kick_create(im_daemon_request_t *r)
{
    im_logic_kick_t  *kick;

    kick = im_daemon_alloc(r, sizeof(im_logic_kick_t));
    if (kick == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return NULL;
    }

    kick->r = r;
    im_control_init(&kick->control, IM_CONTROL_DISCONNECT);

    return kick;
}


/* why: the name isn't valid. */
static void
im_logic_kick_start(im_logic_kick_t *kick, const char *why)
{
    im_daemon_request_t  *r;

    r = kick->r;

    if (why == NULL) {
        why = im_logic_kick_args(r, &kick->control);
    }

    if (why != NULL) {
        im_logic_reply_error(r, 400, why);
        return;
    }

    why = im_logic_unready(r->data);

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);

    } else if (kick->control.seconds >= 0) {
        im_logic_kick_revoke(kick);

    } else {
        im_logic_control(r, &kick->control, im_logic_kick_sent, r);
    }
}


void
im_logic_kick_user_handler(im_daemon_request_t *r)
{
    im_logic_kick_t  *kick;

    kick = im_logic_kick_create(r);
    if (kick == NULL) {
        return;
    }

    kick->control.user = r->name;

    im_logic_kick_start(kick, im_name_valid(r->name)
                              ? NULL : "the user is not valid");
}


void
im_logic_kick_session_handler(im_daemon_request_t *r)
{
    u_char            id[16];
    im_logic_kick_t  *kick;

    kick = im_logic_kick_create(r);
    if (kick == NULL) {
        return;
    }

    kick->control.session = r->name;

    im_logic_kick_start(kick, im_id_uuid_decode(r->name, id) == IM_OK
                              ? NULL : "the session is not valid");
}
