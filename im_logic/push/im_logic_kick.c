/*
 * Copyright (C) The im authors
 *
 * DELETE /im/users/ID and /im/sessions/ID: sessions are closed, wherever they
 * are; a user can be kept out for a while.
 *
 * Who is kept out is known to Redis before the sessions are closed: they come
 * back at once.
 */

#include <stdio.h>
#include <stdlib.h>

#include "im_logic_push.h"
#include "im_logic_control.h"
#include "im_logic_nodes.h"
#include "im_logic_url.h"
#include "im_id.h"
#include "im_key.h"
#include "im_utf8.h"


#define IM_KICK_REASON   123          /* what a close frame can hold */
#define IM_KICK_MAX      3600         /* s */
#define IM_KICK_REVOKED  "10000"      /* users that are kept out */


/* One that is under way; freed with its answer. */
typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_buf_t              name;       /* of the user, or the session */
    im_buf_t              reason;
    uint64_t              code;       /* 0: the protocol's own */
    uint64_t              seconds;
    unsigned              user:1;
    unsigned              revoke:1;   /* seconds are given */
} im_logic_kick_t;


static void im_logic_kick(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest, int user);
static const char *im_logic_kick_args(im_logic_kick_t *kick, im_str_t rest);
static const char *im_logic_kick_name(im_logic_kick_t *kick, im_str_t rest);
static im_int_t im_logic_kick_number(im_str_t query, const char *name,
    uint64_t *n);
static const char *im_logic_kick_reason(im_logic_kick_t *kick);
static im_int_t im_logic_kick_revoke(im_logic_kick_t *kick);
static void im_logic_kick_revoked(const im_daemon_reply_t *reply, void *data);
static void im_logic_kick_send(im_logic_kick_t *kick);
static void im_logic_kick_sent(void *data, im_uint_t status, const char *msg,
    im_uint_t workers);
static void im_logic_kick_done(im_logic_kick_t *kick, im_uint_t status,
    const char *msg);


void
im_logic_kick_user(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_kick(logic, r, rest, 1);
}


void
im_logic_kick_session(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t rest)
{
    im_logic_kick(logic, r, rest, 0);
}


static void
im_logic_kick(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest,
    int user)
{
    const char       *why;
    im_logic_kick_t  *kick;

    kick = im_calloc(sizeof(im_logic_kick_t));
    if (kick == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        return;
    }

    kick->logic = logic;
    kick->r = r;
    kick->user = user;

    im_buf_init(&kick->name, IM_NAME_MAX);
    im_buf_init(&kick->reason, IM_KICK_REASON);

    why = im_logic_kick_args(kick, rest);

    if (why != NULL) {
        im_logic_kick_done(kick, 400, why);
        return;
    }

    why = im_logic_unready(logic);

    if (why != NULL) {
        im_logic_kick_done(kick, 503, why);
        return;
    }

    if (!kick->revoke) {
        im_logic_kick_send(kick);
        return;
    }

    if (im_logic_kick_revoke(kick) != IM_OK) {
        im_logic_kick_done(kick, 503, "redis is away");
    }
}


static const char *
im_logic_kick_args(im_logic_kick_t *kick, im_str_t rest)
{
    im_int_t     rc;
    im_str_t     query;
    const char  *why;

    query = kick->r->query;

    why = im_logic_kick_name(kick, rest);
    if (why != NULL) {
        return why;
    }

    rc = im_logic_kick_number(query, "code", &kick->code);

    if (rc == IM_ERROR
        || (rc == IM_OK && kick->code != 1000
            && (kick->code < 3000 || kick->code > 4999)))
    {
        return "code is 1000 or 3000 to 4999";
    }

    rc = im_logic_kick_number(query, "for", &kick->seconds);

    if (rc == IM_ERROR || kick->seconds > IM_KICK_MAX) {
        return "for is 0 to 3600 seconds";
    }

    kick->revoke = rc == IM_OK;

    if (kick->revoke && !kick->user) {
        return "for is for users";
    }

    return im_logic_kick_reason(kick);
}


static const char *
im_logic_kick_name(im_logic_kick_t *kick, im_str_t rest)
{
    u_char       id[16];
    im_str_t     sent;
    const char  *prefix;

    prefix = kick->user ? "/im/users/" : "/im/sessions/";

    if (im_logic_url_behind(kick->r->path, prefix, &sent) == IM_OK) {
        im_logic_url_decode(&kick->name, sent, 0);

    } else {
        im_buf_add_str(&kick->name, rest);
    }

    if (!kick->user) {
        return im_id_uuid_decode(im_buf_str(&kick->name), id) == IM_OK
               ? NULL : "the session is not valid";
    }

    return !kick->name.failed && im_name_valid(im_buf_str(&kick->name))
           ? NULL : "the user is not valid";
}


/* IM_DECLINED: it isn't there. */
static im_int_t
im_logic_kick_number(im_str_t query, const char *name, uint64_t *n)
{
    im_buf_t   b;
    im_int_t   rc;
    im_uint_t  i;

    im_buf_init(&b, 5);

    *n = 0;
    rc = im_logic_url_find(query, name, &b);

    if (rc == IM_OK) {
        rc = b.failed || b.len == 0 ? IM_ERROR : IM_OK;

        for (i = 0; rc == IM_OK && i < b.len; i++) {
            *n = *n * 10 + b.data[i] - '0';

            if (b.data[i] < '0' || b.data[i] > '9') {
                rc = IM_ERROR;
            }
        }
    }

    im_buf_cleanup(&b);

    return rc;
}


static const char *
im_logic_kick_reason(im_logic_kick_t *kick)
{
    im_uint_t  i;

    (void) im_logic_url_find(kick->r->query, "reason", &kick->reason);

    if (kick->reason.failed) {
        return "reason is at most 123 bytes";
    }

    for (i = 0; i < kick->reason.len; i++) {
        if (kick->reason.data[i] < 0x20) {
            return "reason is text";
        }
    }

    return im_utf8_valid(im_buf_str(&kick->reason)) ? NULL : "reason is text";
}


static im_int_t
im_logic_kick_revoke(im_logic_kick_t *kick)
{
    char         seconds[24];
    im_buf_t     key;
    im_int_t     rc;
    im_str_t     args[4];
    im_logic_t  *logic;

    logic = kick->logic;

    (void) snprintf(seconds, sizeof(seconds), "%llu",
                    (unsigned long long) kick->seconds);

    im_buf_init(&key, 256);
    im_key_revoked(&key, logic->prefix);

    args[0] = im_buf_str(&key);
    args[1] = im_buf_str(&kick->name);
    args[2] = im_str_z(seconds);
    args[3] = im_str_z(IM_KICK_REVOKED);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(logic->redis, IM_PARTITION_REG,
                                  &im_script_revoke, args, 4, 1,
                                  im_logic_kick_revoked, kick);

    im_buf_cleanup(&key);

    return rc;
}


static void
im_logic_kick_revoked(const im_daemon_reply_t *reply, void *data)
{
    im_str_t          s;
    im_logic_kick_t  *kick = data;

    if (reply == NULL) {
        im_logic_kick_done(kick, 503, "redis is away");
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "revoke.lua failed: %.*s", (int) s.len,
                      (char *) s.data);
        im_logic_kick_done(kick, 503, "redis refused it");
        return;
    }

    if (im_daemon_reply_int(reply, 0) != 1) {
        im_logic_kick_done(kick, 503, "too many users are kept out");
        return;
    }

    kick->logic->revoked = 1;

    im_logic_kick_send(kick);
}


static void
im_logic_kick_send(im_logic_kick_t *kick)
{
    im_control_t  control;

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    if (kick->user) {
        control.user = im_buf_str(&kick->name);

    } else {
        control.session = im_buf_str(&kick->name);
    }

    control.code = (int64_t) kick->code;
    control.reason = im_buf_str(&kick->reason);

    if (kick->revoke) {
        control.seconds = (int64_t) kick->seconds;
    }

    im_logic_control(kick->logic, &control, im_logic_kick_sent, kick);
}


static void
im_logic_kick_sent(void *data, im_uint_t status, const char *msg,
    im_uint_t workers)
{
    (void) workers;

    im_logic_kick_done(data, status, msg);
}


static void
im_logic_kick_done(im_logic_kick_t *kick, im_uint_t status, const char *msg)
{
    im_buf_t  b;

    if (status == 200) {
        im_buf_init(&b, 16);
        im_buf_add_z(&b, "{}");
        im_logic_reply_data(kick->logic, kick->r, &b);
        im_buf_cleanup(&b);

    } else {
        im_logic_reply_error(kick->logic, kick->r, status, msg);
    }

    im_buf_cleanup(&kick->name);
    im_buf_cleanup(&kick->reason);
    im_free(kick);
}
