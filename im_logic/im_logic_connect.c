/*
 * Copyright (C) The im authors
 *
 * POST /im_connect: nginx asks who a token is.
 *
 * Logins are hashes im_TOKEN that whatever logs users in has written.  The
 * same prefix holds counters and sets of older systems: tokens are checked
 * before they become a key, and a key of another type is no login.
 */

#include <stdlib.h>

#include "im_logic.h"
#include "im_json.h"
#include "im_key.h"


#define IM_TOKEN_MAX     128
#define IM_CONNECT_MAX   (16 * 1024)
#define IM_CONNECT_ROOMS 64


typedef struct {
    im_logic_t           *logic;
    im_daemon_request_t  *r;
} im_logic_connect_t;


typedef struct {
    im_str_t  token;
} im_logic_connect_body_t;


static int im_logic_token_valid(im_str_t token);
static void im_logic_connect_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_connect_reply(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t user, im_str_t name, im_str_t rooms);
static void im_logic_connect_rooms(im_buf_t *b, im_str_t rooms);


static const im_json_field_t  im_logic_connect_fields[] = {
    { im_str("token"), IM_JSON_STRING,
      offsetof(im_logic_connect_body_t, token) },
    im_json_end
};


void
im_logic_connect(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t                  arena, key;
    im_str_t                  none = im_null_str, args[5];
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
    im_buf_init(&key, IM_TOKEN_MAX + 3);

    if (im_json_decode(r->body, im_logic_connect_fields, 0, &arena, &body,
                       &why)
        != IM_OK)
    {
        im_logic_reply_error(logic, r, why == im_json_no_memory ? 503 : 400,
                             why);
        goto done;
    }

    if (!im_logic_token_valid(body.token)) {
        im_logic_connect_reply(logic, r, none, none, none);
        goto done;
    }

    connect = im_alloc(sizeof(im_logic_connect_t));
    if (connect == NULL) {
        im_logic_reply_error(logic, r, 503, "no memory");
        goto done;
    }

    connect->logic = logic;
    connect->r = r;

    im_buf_add_z(&key, "im_");
    im_buf_add_str(&key, body.token);

    args[0] = im_str_z("HMGET");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z("UserId");
    args[3] = im_str_z("UserName");
    args[4] = im_str_z("Rooms");

    if (key.failed
        || im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args, 5,
                                   im_logic_connect_handler, connect)
           != IM_OK)
    {
        im_free(connect);
        im_logic_reply_error(logic, r, 503, "redis is away");
    }

done:

    im_buf_cleanup(&key);
    im_buf_cleanup(&arena);
}


/* What can be a login: not a room's counter, nor its set of users. */
static int
im_logic_token_valid(im_str_t token)
{
    u_char     c;
    size_t     i;
    im_uint_t  digits;
    im_str_t   room = im_str("room_user_");

    if (token.len == 0 || token.len > IM_TOKEN_MAX
        || (token.len >= room.len
            && memcmp(token.data, room.data, room.len) == 0))
    {
        return 0;
    }

    digits = 0;

    for (i = 0; i < token.len; i++) {
        c = token.data[i];

        if (c >= '0' && c <= '9') {
            digits++;

        } else if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                     || c == '_' || c == '-'))
        {
            return 0;
        }
    }

    /* "-1" is a room number too; as long as an int32 */
    return digits == 0 || digits > 10
           || !(digits == token.len
                || (digits + 1 == token.len && token.data[0] == '-'));
}


static void
im_logic_connect_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t              s, user, name, rooms, none = im_null_str;
    im_str_t              wrongtype = im_str("WRONGTYPE");
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_connect_t   *connect = data;

    logic = connect->logic;
    r = connect->r;

    im_free(connect);

    if (reply == NULL) {
        im_logic_reply_error(logic, r, 503, "redis is away");
        return;
    }

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);

        if (s.len < wrongtype.len
            || memcmp(s.data, wrongtype.data, wrongtype.len) != 0)
        {
            im_daemon_log(IM_LOG_ERROR, "reading a login failed: %.*s",
                          (int) s.len, (char *) s.data);
            im_logic_reply_error(logic, r, 503, "redis refused it");
            return;
        }

        im_logic_connect_reply(logic, r, none, none, none);
        return;
    }

    user = im_daemon_reply_str(im_daemon_reply_at(reply, 0));
    name = im_daemon_reply_str(im_daemon_reply_at(reply, 1));
    rooms = im_daemon_reply_str(im_daemon_reply_at(reply, 2));

    if (user.len != 0 && !im_name_valid(user)) {
        im_daemon_log(IM_LOG_WARN, "a login has a UserId that is not valid");
        user = none;
    }

    if (user.len == 0) {
        name = none;
        rooms = none;
    }

    if (name.len != 0 && !im_name_valid(name)) {
        name = none;
    }

    im_logic_connect_reply(logic, r, user, name, rooms);
}


static void
im_logic_connect_reply(im_logic_t *logic, im_daemon_request_t *r,
    im_str_t user, im_str_t name, im_str_t rooms)
{
    im_buf_t  b;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY);

    im_buf_add_z(&b, "{\"user\":");
    im_json_add_string(&b, user);
    im_buf_add_z(&b, ",\"name\":");
    im_json_add_string(&b, name);
    im_buf_add_z(&b, ",\"rooms\":[");
    im_logic_connect_rooms(&b, rooms);
    im_buf_add_z(&b, "]}");

    im_logic_reply_data(logic, r, &b);
    im_buf_cleanup(&b);
}


/* Patterns with commas between; no such field: all rooms. */
static void
im_logic_connect_rooms(im_buf_t *b, im_str_t rooms)
{
    size_t     len;
    u_char    *comma;
    im_str_t   pattern;
    im_uint_t  n;

    if (rooms.data == NULL) {
        im_buf_add_z(b, "\"*\"");
        return;
    }

    n = 0;

    while (rooms.len != 0 && n < IM_CONNECT_ROOMS) {
        comma = memchr(rooms.data, ',', rooms.len);
        len = comma != NULL ? (size_t) (comma - rooms.data) : rooms.len;

        pattern = im_str_set(rooms.data, len);

        while (pattern.len != 0 && pattern.data[0] == ' ') {
            pattern.data++;
            pattern.len--;
        }

        while (pattern.len != 0 && pattern.data[pattern.len - 1] == ' ') {
            pattern.len--;
        }

        if (im_name_valid(pattern)) {
            im_buf_add_z(b, n == 0 ? "" : ",");
            im_json_add_string(b, pattern);
            n++;
        }

        len += comma != NULL;
        rooms.data += len;
        rooms.len -= len;
    }
}
