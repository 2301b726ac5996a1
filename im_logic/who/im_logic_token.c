/*
 * Copyright (C) The im authors
 *
 * Who a token is.
 *
 * Logins are hashes im_TOKEN, written here or by whatever else logs users in.
 * The same prefix holds counters and sets of older systems: tokens are checked
 * before they become a key, and a key of another type is no login.
 */

#include <stdlib.h>

#include "im_logic_token.h"
#include "im_key.h"


typedef struct {
    im_logic_t         *logic;
    im_logic_token_pt   fn;
    void               *data;
} im_logic_token_t;


static void im_logic_token_handler(const im_daemon_reply_t *reply,
    void *data);
static im_int_t im_logic_token_read(const im_logic_t *logic,
    const im_daemon_reply_t *reply, im_logic_login_t *login);


im_int_t
im_logic_token_find(im_logic_t *logic, im_str_t token, im_logic_token_pt fn,
    void *data)
{
    im_int_t           rc;
    im_buf_t           key;
    im_str_t           args[6];
    im_logic_token_t  *t;

    t = im_alloc(sizeof(im_logic_token_t));
    if (t == NULL) {
        return IM_ERROR;
    }

    t->logic = logic;
    t->fn = fn;
    t->data = data;

    im_buf_init(&key, IM_TOKEN_MAX + 3);
    im_key_login(&key, token);

    args[0] = im_str_z("HMGET");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z("UserId");
    args[3] = im_str_z("UserName");
    args[4] = im_str_z("Rooms");
    args[5] = im_str_z(IM_TOKEN_MARK);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(logic->redis, IM_PARTITION_REG, args, 6,
                                   im_logic_token_handler, t);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_free(t);
    }

    return rc;
}


static void
im_logic_token_handler(const im_daemon_reply_t *reply, void *data)
{
    im_int_t            rc;
    im_logic_login_t    login;
    im_logic_token_t   *t = data;

    memset(&login, 0, sizeof(im_logic_login_t));

    rc = im_logic_token_read(t->logic, reply, &login);

    t->fn(t->data, rc, &login);
    im_free(t);
}


static im_int_t
im_logic_token_read(const im_logic_t *logic, const im_daemon_reply_t *reply,
    im_logic_login_t *login)
{
    im_str_t  s, wrongtype = im_str("WRONGTYPE");

    if (reply == NULL) {
        return IM_ERROR;
    }

    if (im_daemon_reply_is_error(reply)) {
        s = im_daemon_reply_str(reply);

        if (s.len >= wrongtype.len
            && memcmp(s.data, wrongtype.data, wrongtype.len) == 0)
        {
            return IM_DECLINED;
        }

        im_daemon_log(IM_LOG_ERROR, "reading a login failed: %.*s",
                      (int) s.len, (char *) s.data);
        return IM_ERROR;
    }

    if (!logic->conf.foreign_tokens
        && im_daemon_reply_is_nil(im_daemon_reply_at(reply, 3)))
    {
        return IM_DECLINED;
    }

    s = im_daemon_reply_str(im_daemon_reply_at(reply, 0));

    if (s.len == 0) {
        return IM_DECLINED;
    }

    if (!im_name_valid(s)) {
        im_daemon_log(IM_LOG_WARN, "a login has a UserId that is not valid");
        return IM_DECLINED;
    }

    login->user = s;
    login->rooms = im_daemon_reply_str(im_daemon_reply_at(reply, 2));

    s = im_daemon_reply_str(im_daemon_reply_at(reply, 1));

    if (im_name_valid(s)) {
        login->name = s;
    }

    return IM_OK;
}


im_int_t
im_logic_token_pattern(im_str_t *rooms, im_str_t *pattern)
{
    size_t   len;
    u_char  *comma;

    while (rooms->len != 0) {
        comma = memchr(rooms->data, ',', rooms->len);
        len = comma != NULL ? (size_t) (comma - rooms->data) : rooms->len;

        *pattern = im_str_set(rooms->data, len);

        len += comma != NULL;
        rooms->data += len;
        rooms->len -= len;

        while (pattern->len != 0 && pattern->data[0] == ' ') {
            pattern->data++;
            pattern->len--;
        }

        while (pattern->len != 0 && pattern->data[pattern->len - 1] == ' ') {
            pattern->len--;
        }

        if (im_name_valid(*pattern)) {
            return IM_OK;
        }
    }

    return IM_DECLINED;
}


int
im_logic_token_room(im_str_t rooms, im_str_t room)
{
    size_t     len;
    im_str_t   pattern;
    im_uint_t  n;

    if (rooms.data == NULL) {
        return 1;
    }

    for (n = 0; n < IM_CONNECT_ROOMS; n++) {
        if (im_logic_token_pattern(&rooms, &pattern) != IM_OK) {
            break;
        }

        if (im_str_eq(pattern, room)) {
            return 1;
        }

        len = pattern.len - 1;

        if (pattern.data[len] == '*' && room.len >= len
            && memcmp(pattern.data, room.data, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* What can be a login: not a room's counter, nor its set of users. */
int
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
