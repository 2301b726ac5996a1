/*
 * Copyright (C) The im authors
 *
 * POST /im_connect: nginx asks which user a token is.
 */

#include "im_logic_who.h"
#include "im_logic_print.h"
#include "im_logic_token.h"
#include "im_ask.h"


#define IM_CONNECT_MAX  (16 * 1024)


typedef struct {
    im_daemon_request_t  *r;
    im_str_t              token;
    im_logic_login_t      login;
} im_logic_connect_t;


static void
im_logic_connect_reply(const im_logic_connect_t *connect)
{
    im_buf_t           *b, *rooms;
    im_str_t            all, pattern;
    u_char              hash[IM_SECRET_HASH];
    im_uint_t           n;
    im_ask_identity_t   identity;

    b = im_daemon_buf(connect->r, IM_LOGIC_MAX_REPLY);
    rooms = im_daemon_buf(connect->r, IM_LOGIC_MAX_REPLY);
    all = connect->login.rooms;

    im_buf_add_z(rooms, all.data == NULL ? "[\"*\"" : "[");

    for (n = 0; n < IM_ASK_ROOMS_MAX; n++) {
        if (im_logic_token_pattern(&all, &pattern) != IM_OK) {
            break;
        }

        im_logic_print(rooms, n == 0 ? "%j" : ",%j", pattern);
    }

    im_buf_add_z(rooms, "]");

    memset(&identity, 0, sizeof(im_ask_identity_t));

    identity.user = connect->login.user;
    identity.name = connect->login.name;
    identity.rooms = im_buf_str(rooms);

    if (connect->login.user.len != 0
        && im_logic_secret_hash(connect->token, hash) == IM_OK)
    {
        identity.login = im_str_set(hash, IM_ASK_LOGIN);
    }

    im_ask_identity_encode(b, &identity);

    if (rooms->failed) {
        b->failed = 1;
    }

    im_logic_reply_data(connect->r, b);
}


static void
im_logic_connect_login_handler(im_login_e rc, const im_logic_login_t *login,
    void *data)
{
    im_logic_connect_t   *connect = data;
    im_daemon_request_t  *r;

    r = connect->r;

    switch (rc) {

    case IM_LOGIN_KEPT_OUT:
        im_logic_reply_error(r, 403, "the user is kept out");
        return;

    case IM_LOGIN_AWAY:
        im_logic_reply_error(r, 503, "redis is away");
        return;

    case IM_LOGIN_FOUND:
        connect->login = *login;
        break;

    default:
        break;
    }

    im_logic_connect_reply(connect);
}


void
im_logic_connect(im_daemon_request_t *r, im_str_t token)
{
    im_logic_connect_t  *connect;

    if (r->body.len > IM_CONNECT_MAX) {
        im_logic_reply_error(r, 413, "the body is too large");
        return;
    }

    connect = im_daemon_alloc(r, sizeof(im_logic_connect_t));
    if (connect == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    connect->r = r;
    connect->token = token;

    if (!im_logic_token_valid(token)) {
        im_logic_connect_reply(connect);
        return;
    }

    im_logic_token_find(r, token, im_logic_connect_login_handler, connect);
}
