/*
 * Copyright (C) The im authors
 *
 * POST /im_connect: nginx asks which user a token is.
 */

#include "im_logic_who.h"
#include "im_logic_print.h"
#include "im_logic_revoked.h"
#include "im_logic_token.h"


#define IM_CONNECT_MAX  (16 * 1024)


typedef struct {
    im_str_t  token;
} im_logic_connect_body_t;


typedef struct {
    im_daemon_request_t  *r;
    im_logic_login_t      login;
} im_logic_connect_t;


static void im_logic_connect_login_handler(const im_link_reply_t *reply,
    void *data);
static void im_logic_connect_revoked_handler(const im_link_reply_t *reply,
    void *data);
static void im_logic_connect_reply(const im_logic_connect_t *connect);


static const im_json_field_t  im_logic_connect_fields[] = {
    { im_str("token"), IM_JSON_STRING,
      offsetof(im_logic_connect_body_t, token) },
    im_json_end
};


void
im_logic_connect(im_daemon_request_t *r)
{
    const char               *why;
    im_logic_connect_t       *connect;
    im_logic_connect_body_t   body;

    if (r->body.len > IM_CONNECT_MAX) {
        im_logic_reply_error(r, 413, "the body is too large");
        return;
    }

    memset(&body, 0, sizeof(im_logic_connect_body_t));

    if (im_logic_decode(r, r->body, im_logic_connect_fields, 0, &body, &why)
        != IM_OK)
    {
        im_logic_reply_error(r, im_logic_json_status(why), why);
        return;
    }

    connect = im_daemon_alloc(r, sizeof(im_logic_connect_t));
    if (connect == NULL) {
        im_logic_reply_error(r, 503, "no memory");
        return;
    }

    connect->r = r;

    if (!im_logic_token_valid(body.token)) {
        im_logic_connect_reply(connect);
        return;
    }

    im_logic_token_find(r, body.token, im_logic_connect_login_handler, connect);
}


static void
im_logic_connect_login_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_connect_t   *connect = data;
    im_daemon_request_t  *r;

    r = connect->r;

    if (im_logic_token_read(r, reply, &connect->login) == IM_ERROR) {
        im_logic_reply_error(r, 503, "redis is away");
        return;
    }

    if (im_logic_revoked(r->data, connect->login.user,
                         im_logic_connect_revoked_handler, connect)
        != IM_OK)
    {
        im_logic_connect_reply(connect);
    }
}


static void
im_logic_connect_revoked_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_connect_t  *connect = data;

    switch (im_logic_revoked_read(reply)) {

    case 0:
        im_logic_connect_reply(connect);
        return;

    case 1:
        im_logic_reply_error(connect->r, 403, "the user is kept out");
        return;

    default:
        im_logic_reply_error(connect->r, 503, "redis is away");
        return;
    }
}


static void
im_logic_connect_reply(const im_logic_connect_t *connect)
{
    im_buf_t   *b;
    im_str_t    rooms, pattern;
    im_uint_t   n;

    b = im_daemon_buf(connect->r, IM_LOGIC_MAX_REPLY);
    rooms = connect->login.rooms;

    im_logic_print(b, "{\"user\":%j,\"name\":%j,\"rooms\":[",
                   connect->login.user, connect->login.name);

    if (rooms.data == NULL) {
        im_buf_add_z(b, "\"*\"");
    }

    for (n = 0; n < IM_TOKEN_ROOMS; n++) {
        if (im_logic_token_pattern(&rooms, &pattern) != IM_OK) {
            break;
        }

        im_logic_print(b, n == 0 ? "%j" : ",%j", pattern);
    }

    im_buf_add_z(b, "]}");

    im_logic_reply_data(connect->r, b);
}
