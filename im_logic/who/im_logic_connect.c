/*
 * Copyright (C) The im authors
 *
 * POST /im_connect: nginx asks who a token is.
 */

#include <stdlib.h>

#include "im_logic_who.h"
#include "im_logic_revoked.h"
#include "im_logic_token.h"
#include "im_json.h"
#include "im_key.h"


#define IM_CONNECT_MAX   (16 * 1024)


typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_buf_t              answer;
} im_logic_connect_t;


typedef struct {
    im_str_t  token;
} im_logic_connect_body_t;


static void im_logic_connect_handler(void *data, im_int_t rc,
    const im_logic_login_t *login);
static void im_logic_connect_revoked(void *data, int revoked);
static void im_logic_connect_answer(im_buf_t *b, im_str_t user, im_str_t name,
    im_str_t rooms);
static void im_logic_connect_rooms(im_buf_t *b, im_str_t rooms);


static const im_json_field_t  im_logic_connect_fields[] = {
    { im_str("token"), IM_JSON_STRING,
      offsetof(im_logic_connect_body_t, token) },
    im_json_end
};


void
im_logic_connect(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t                  arena, b;
    im_str_t                  none = im_null_str;
    const char               *why;
    im_logic_connect_t       *connect;
    im_logic_connect_body_t   body;

    (void) rest;

    if (r->body.len > IM_CONNECT_MAX) {
        im_logic_reply_error(logic, r, 413, "the body is too large");
        return;
    }

    memset(&body, 0, sizeof(im_logic_connect_body_t));
    im_buf_init(&arena, r->body.len + 1);

    if (im_json_decode(r->body, im_logic_connect_fields, 0, &arena, &body,
                       &why)
        != IM_OK)
    {
        im_logic_reply_error(logic, r, why == im_json_no_memory ? 503 : 400,
                             why);
        goto done;
    }

    if (!im_logic_token_valid(body.token)) {
        im_buf_init(&b, 1024);
        im_logic_connect_answer(&b, none, none, none);
        im_logic_reply_data(logic, r, &b);
        im_buf_cleanup(&b);
        goto done;
    }

    connect = im_alloc(sizeof(im_logic_connect_t));
    if (connect == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        goto done;
    }

    connect->logic = logic;
    connect->r = r;

    if (im_logic_token_find(logic, body.token, im_logic_connect_handler,
                            connect)
        != IM_OK)
    {
        im_free(connect);
        im_logic_reply_error(logic, r, 503, "redis is away");
    }

done:

    im_buf_cleanup(&arena);
}


static void
im_logic_connect_handler(void *data, im_int_t rc,
    const im_logic_login_t *login)
{
    im_logic_connect_t  *connect = data;

    if (rc == IM_ERROR) {
        im_logic_reply_error(connect->logic, connect->r, 503, "redis is away");
        im_free(connect);
        return;
    }

    im_buf_init(&connect->answer, IM_LOGIC_MAX_REPLY);

    im_logic_connect_answer(&connect->answer, login->user, login->name,
                            login->rooms);

    im_logic_revoked(connect->logic, login->user, im_logic_connect_revoked,
                     connect);
}


static void
im_logic_connect_revoked(void *data, int revoked)
{
    im_logic_connect_t  *connect = data;

    if (revoked == 0) {
        im_logic_reply_data(connect->logic, connect->r, &connect->answer);

    } else if (revoked < 0) {
        im_logic_reply_error(connect->logic, connect->r, 503, "redis is away");

    } else {
        im_logic_reply_error(connect->logic, connect->r, 403,
                             "the user is kept out");
    }

    im_buf_cleanup(&connect->answer);
    im_free(connect);
}


static void
im_logic_connect_answer(im_buf_t *b, im_str_t user, im_str_t name,
    im_str_t rooms)
{
    im_buf_add_z(b, "{\"user\":");
    im_json_add_string(b, user);
    im_buf_add_z(b, ",\"name\":");
    im_json_add_string(b, name);
    im_buf_add_z(b, ",\"rooms\":[");
    im_logic_connect_rooms(b, rooms);
    im_buf_add_z(b, "]}");
}


static void
im_logic_connect_rooms(im_buf_t *b, im_str_t rooms)
{
    im_str_t   pattern;
    im_uint_t  n;

    if (rooms.data == NULL) {
        im_buf_add_z(b, "\"*\"");
        return;
    }

    n = 0;

    while (n < IM_CONNECT_ROOMS
           && im_logic_token_pattern(&rooms, &pattern) == IM_OK)
    {
        im_buf_add_z(b, n == 0 ? "" : ",");
        im_json_add_string(b, pattern);
        n++;
    }
}
