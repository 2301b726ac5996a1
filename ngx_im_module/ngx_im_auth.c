/*
 * Copyright (C) The im authors
 *
 * Who a session is: from its first frame, by itself, by a signed token or by
 * asking logic.
 *
 * A token that logic doesn't know makes a guest, but one whose signature is
 * wrong doesn't.  What is refused is refused with a reason that the client is
 * told.
 */

#include "ngx_im.h"
#include "im_json.h"


#define NGX_IM_AUTH_TOKEN_MAX  255   /* of one that logic is asked about */
#define NGX_IM_AUTH_ROOMS   64
#define NGX_IM_AUTH_ASK     4096
#define NGX_IM_AUTH_ANSWER  65536

#define NGX_IM_AUTH_REFUSED  403


typedef struct {
    int64_t            code;
    im_str_t           data;
} ngx_im_auth_answer_t;


typedef struct {
    im_str_t           user;
    im_str_t           name;
    im_str_t           any;          /* rooms as they came: absent is all */
    im_json_strings_t  rooms;
} ngx_im_auth_identity_t;


static const im_json_field_t  ngx_im_auth_answer_fields[] = {
    { im_str("code"), IM_JSON_INT, offsetof(ngx_im_auth_answer_t, code) },
    { im_str("data"), IM_JSON_OBJECT, offsetof(ngx_im_auth_answer_t, data) },
    im_json_end
};


static const im_json_field_t  ngx_im_auth_user_fields[] = {
    { im_str("user"), IM_JSON_STRING, offsetof(ngx_im_auth_identity_t, user) },
    { im_str("name"), IM_JSON_STRING, offsetof(ngx_im_auth_identity_t, name) },
    { im_str("rooms"), IM_JSON_RAW, offsetof(ngx_im_auth_identity_t, any) },
    im_json_end
};


static const im_json_field_t  ngx_im_auth_rooms_fields[] = {
    { im_str("rooms"), IM_JSON_STRINGS,
      offsetof(ngx_im_auth_identity_t, rooms) },
    im_json_end
};


static const im_json_field_t  ngx_im_auth_asked_fields[] = {
    { im_str("room"), IM_JSON_STRING, 0 },
    im_json_end
};


static const im_json_field_t  ngx_im_auth_info_fields[] = {
    { im_str("name"), IM_JSON_STRING, 0 },
    im_json_end
};


static void ngx_im_auth_jwt(ngx_im_session_t *s, const im_command_t *command);
static void ngx_im_auth_claims(ngx_im_session_t *s, im_jwt_t *claims,
    im_str_t room);
static ngx_int_t ngx_im_auth_ask(ngx_im_session_t *s,
    const im_command_t *command);
static void ngx_im_auth_handler(ngx_im_worker_t *w, ngx_im_handle_t h,
    im_str_t asked, ngx_uint_t status, im_str_t body);
static void ngx_im_auth_identity(ngx_im_session_t *s, im_str_t asked,
    im_str_t data);
static void ngx_im_auth_known(ngx_im_session_t *s,
    ngx_im_auth_identity_t *id, im_str_t room);
static const char *ngx_im_auth_room(ngx_im_session_t *s,
    ngx_im_auth_identity_t *id, im_str_t room);
static int ngx_im_auth_allowed(ngx_im_auth_identity_t *id, im_str_t room);


void
ngx_im_auth_command(ngx_im_session_t *s, const im_command_t *command)
{
    ngx_im_auth_identity_t  guest;

    if (s->phase != NGX_IM_CONNECTING) {
        return;
    }

    if (s->conf->auth == NGX_IM_AUTH_NONE || command->token.len == 0) {
        ngx_memzero(&guest, sizeof(ngx_im_auth_identity_t));
        ngx_im_auth_known(s, &guest, command->room);
        return;
    }

    if (s->conf->auth == NGX_IM_AUTH_JWT) {
        ngx_im_auth_jwt(s, command);
        return;
    }

    if (command->token.len > NGX_IM_AUTH_TOKEN_MAX) {
        ngx_im_session_close(s, IM_WS_CLOSE_POLICY, "auth is too long");
        return;
    }

    ngx_im_session_phase(s, NGX_IM_AUTHENTICATING);

    if (ngx_im_auth_ask(s, command) != NGX_OK) {
        ngx_im_session_close(s, IM_WS_CLOSE_TRY_LATER,
                             "the backend has too much to do");
    }
}


static void
ngx_im_auth_jwt(ngx_im_session_t *s, const im_command_t *command)
{
    im_buf_t   arena;
    im_jwt_t   claims;
    ngx_int_t  rc;

    im_buf_init(&arena, IM_JWT_ARENA);

    rc = ngx_im_jwt_verify(ngx_im_worker, command->token, &arena, &claims);

    if (rc == NGX_OK) {
        ngx_im_auth_claims(s, &claims, command->room);
        im_jwt_cleanup(&claims);

    } else {
        ngx_im_session_close(s, rc == NGX_BUSY ? IM_WS_CLOSE_TRY_LATER
                                               : IM_WS_CLOSE_POLICY,
                             claims.why);
    }

    im_buf_cleanup(&arena);
}


static void
ngx_im_auth_claims(ngx_im_session_t *s, im_jwt_t *claims, im_str_t room)
{
    im_buf_t                 arena;
    const char              *why;
    ngx_im_auth_identity_t   id;

    if (claims->channel.data != NULL) {
        ngx_im_session_close(s, IM_WS_CLOSE_POLICY,
                             "the token is for a subscription");
        return;
    }

    if (claims->user.len > 0 && !im_name_valid(claims->user)) {
        ngx_im_session_close(s, IM_WS_CLOSE_POLICY,
                             "the token's user is not a valid name");
        return;
    }

    ngx_memzero(&id, sizeof(ngx_im_auth_identity_t));
    id.user = claims->user;

    im_buf_init(&arena, IM_JWT_MAX);

    /* info may be of any type, and is without a name then */

    if (claims->info.len
        && im_json_decode(claims->info, ngx_im_auth_info_fields, IM_JSON_LAX,
                          &arena, &id.name, &why)
           != IM_OK
        && why == im_json_no_memory)
    {
        ngx_im_session_close(s, IM_WS_CLOSE_TRY_LATER, why);

    } else {
        ngx_im_session_expires(s, claims->expires);
        ngx_im_auth_known(s, &id, room);
    }

    im_buf_cleanup(&arena);
}


static ngx_int_t
ngx_im_auth_ask(ngx_im_session_t *s, const im_command_t *command)
{
    u_char               addr[NGX_SOCKADDR_STRLEN];
    im_buf_t             b;
    ngx_int_t            rc;
    ngx_im_worker_t     *w;
    ngx_im_main_conf_t  *imcf;

    w = ngx_im_worker;
    imcf = w->conf;

    im_buf_init(&b, NGX_IM_AUTH_ASK);

    im_buf_add_z(&b, "{\"protocol\":");
    im_json_add_string(&b, im_str_z(s->conf->proto->name));
    im_buf_add_z(&b, ",\"token\":");
    im_json_add_string(&b, command->token);
    im_buf_add_z(&b, ",\"room\":");
    im_json_add_string(&b, command->room);
    im_buf_add_z(&b, ",\"ip\":");
    im_json_add_string(&b, im_str_set(addr, ngx_im_session_addr(s, addr)));
    im_buf_add_z(&b, ",\"node\":");
    im_json_add_string(&b, im_str_set(imcf->node.data, imcf->node.len));
    im_buf_add_z(&b, "}");

    rc = NGX_ERROR;

    if (!b.failed) {
        rc = ngx_im_backend_ask(w, s->conf, im_buf_str(&b),
                                ngx_im_auth_handler,
                                ngx_im_session_handle(s));
    }

    im_buf_cleanup(&b);

    return rc;
}


static void
ngx_im_auth_handler(ngx_im_worker_t *w, ngx_im_handle_t h, im_str_t asked,
    ngx_uint_t status, im_str_t body)
{
    const char            *why;
    ngx_im_session_t      *s;
    ngx_im_auth_answer_t   answer;

    s = ngx_im_session_find(w, h);

    if (s == NULL || s->phase != NGX_IM_AUTHENTICATING) {
        return;
    }

    ngx_memzero(&answer, sizeof(ngx_im_auth_answer_t));

    if (im_json_decode(body, ngx_im_auth_answer_fields, 0, NULL, &answer, &why)
        != IM_OK)
    {
        answer.code = -1;
    }

    if (status == NGX_IM_AUTH_REFUSED || answer.code == NGX_IM_AUTH_REFUSED) {
        ngx_im_session_close(s, IM_WS_CLOSE_POLICY, "refused by the backend");
        return;
    }

    if (status != NGX_HTTP_OK || answer.code != 0) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "im: the backend \"%V\" can't tell who a token is: "
                      "status %ui", &s->conf->connect, status);
        ngx_im_session_close(s, IM_WS_CLOSE_TRY_LATER,
                             "the backend can't be reached");
        return;
    }

    ngx_im_auth_identity(s, asked, answer.data);
}


/* Each decoding has an arena of its own: strings of the first stay put. */
static void
ngx_im_auth_identity(ngx_im_session_t *s, im_str_t asked, im_str_t data)
{
    im_str_t                 room;
    im_buf_t                 arena, rooms, other;
    const char              *why;
    ngx_im_auth_identity_t   id;

    ngx_memzero(&id, sizeof(ngx_im_auth_identity_t));
    ngx_memzero(&room, sizeof(im_str_t));
    id.rooms.max = NGX_IM_AUTH_ROOMS;

    im_buf_init(&arena, NGX_IM_AUTH_ANSWER);
    im_buf_init(&rooms, NGX_IM_AUTH_ANSWER);
    im_buf_init(&other, NGX_IM_AUTH_ANSWER);

    if (im_json_decode(data, ngx_im_auth_user_fields, 0, &arena, &id, &why)
        != IM_OK
        || im_json_decode(data, ngx_im_auth_rooms_fields, 0, &rooms, &id, &why)
           != IM_OK
        || im_json_decode(asked, ngx_im_auth_asked_fields, 0, &other, &room,
                          &why)
           != IM_OK
        || (id.user.len > 0 && !im_name_valid(id.user)))
    {
        ngx_log_error(NGX_LOG_ERR, ngx_im_worker->log, 0,
                      "im: the backend \"%V\" gave an invalid identity",
                      &s->conf->connect);
        ngx_im_session_close(s, IM_WS_CLOSE_TRY_LATER,
                             "the backend can't be understood");

    } else {
        ngx_im_auth_known(s, &id, room);
    }

    im_json_strings_free(&id.rooms);
    im_buf_cleanup(&arena);
    im_buf_cleanup(&rooms);
    im_buf_cleanup(&other);
}


static void
ngx_im_auth_known(ngx_im_session_t *s, ngx_im_auth_identity_t *id,
    im_str_t room)
{
    const char  *why;

    why = ngx_im_auth_room(s, id, room);

    if (why != NULL) {
        ngx_im_session_close(s, IM_WS_CLOSE_POLICY, why);
        return;
    }

    ngx_im_session_open(s, id->user, id->name, room);
}


/* Why the room can't be joined; NULL: it can. */
static const char *
ngx_im_auth_room(ngx_im_session_t *s, ngx_im_auth_identity_t *id,
    im_str_t room)
{
    const im_rule_t  *rule;

    if (room.len == 0) {
        return NULL;
    }

    rule = NULL;

    if (im_name_valid(room)) {
        rule = im_rules_room(&s->conf->main->rules, room);
    }

    if (rule == NULL) {
        return "no such room";
    }

    if (rule->join_user && id->user.len == 0) {
        return "the room is for signed-in users";
    }

    if (id->any.len > 0 && !im_str_eq(id->any, im_str_z("null"))
        && !ngx_im_auth_allowed(id, room))
    {
        return "the room is not allowed";
    }

    return NULL;
}


static int
ngx_im_auth_allowed(ngx_im_auth_identity_t *id, im_str_t room)
{
    im_str_t    pattern;
    ngx_uint_t  i;

    for (i = 0; i < id->rooms.n; i++) {

        pattern = id->rooms.elts[i];

        if (im_str_eq(pattern, room)) {
            return 1;
        }

        if (pattern.len > 0 && pattern.data[pattern.len - 1] == '*'
            && room.len >= pattern.len - 1
            && ngx_memcmp(pattern.data, room.data, pattern.len - 1) == 0)
        {
            return 1;
        }
    }

    return 0;
}
