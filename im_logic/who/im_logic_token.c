/*
 * Copyright (C) The im authors
 *
 * Logins are hashes under the SHA-256 of their token, or, where another
 * program or an older im_logic has logged the user in, im_TOKEN.  The prefix
 * of those holds counters and sets of older systems, too: tokens are checked
 * before they become a key, and a key of another type is no login.
 */

#include <strings.h>

#include "im_logic_token.h"
#include "im_logic_revoked.h"
#include "im_logic_url.h"
#include "im_ask.h"


/* A login that is looked for. */
typedef struct {
    im_daemon_request_t  *r;
    im_str_t              token;
    im_logic_login_t      login;
    im_logic_token_pt     handler;
    void                 *data;
} im_logic_find_t;


static const im_str_t  im_logic_token_scheme = im_str("Bearer ");


im_int_t
im_logic_token_shown(im_daemon_request_t *r, im_str_t *token)
{
    im_str_t         head;
    const im_str_t  *scheme;

    head = r->authorization;
    scheme = &im_logic_token_scheme;

    if (head.len < scheme->len
        || strncasecmp((char *) head.data, (char *) scheme->data, scheme->len)
           != 0)
    {
        return im_logic_query(r, "auth", IM_TOKEN_MAX, token);
    }

    *token = im_str_set(head.data + scheme->len, head.len - scheme->len);

    while (token->len != 0 && token->data[0] == ' ') {
        token->data++;
        token->len--;
    }

    while (token->len != 0 && token->data[token->len - 1] == ' ') {
        token->len--;
    }

    return token->len > IM_TOKEN_MAX ? IM_ERROR : IM_OK;
}


void
im_logic_token_key(im_logic_t *logic, im_link_call_t *call, im_str_t hash)
{
    im_key_token(&call->bytes, im_link_keys(logic->link),
                 im_logic_partition(logic, hash), hash);
    im_link_call_key(call);
}


void
im_logic_token_plain(im_link_call_t *call, im_str_t token)
{
    im_key_login(&call->bytes, token);
    im_link_call_key(call);
}


static void
im_logic_token_end(im_logic_find_t *find, im_login_e rc)
{
    find->handler(rc, &find->login, find->data);
}


static void
im_logic_token_kept_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_find_t  *find = data;

    switch (im_logic_revoked_read(reply)) {

    case 0:
        im_logic_token_end(find, IM_LOGIN_FOUND);
        return;

    case 1:
        im_logic_token_end(find, IM_LOGIN_KEPT_OUT);
        return;

    default:
        im_logic_token_end(find, IM_LOGIN_AWAY);
        return;
    }
}


/* A key of another type is no login. */
static im_login_e
im_logic_token_read(im_logic_find_t *find, const im_link_reply_t *reply)
{
    int                   all;
    im_str_t              user, name, other = im_str("WRONGTYPE ");
    im_logic_t           *logic;
    im_logic_login_t     *login;
    im_daemon_request_t  *r;

    r = find->r;
    logic = r->data;
    login = &find->login;

    if (im_link_reply_is_error(reply)
        && im_str_begins(im_link_reply_str(reply), other))
    {
        return IM_LOGIN_NONE;
    }

    if (im_logic_fault(reply, "reading a login") != NULL) {
        return IM_LOGIN_AWAY;
    }

    user = im_link_reply_str_at(reply, 0);
    name = im_link_reply_str_at(reply, 1);
    all = im_link_reply_is_nil(im_link_reply_at(reply, 2));

    if (user.len == 0
        || (!logic->conf.foreign_tokens
            && im_link_reply_is_nil(im_link_reply_at(reply, 3))))
    {
        return IM_LOGIN_NONE;
    }

    if (!im_name_valid(user)) {
        im_daemon_log(IM_LOG_WARN, "a login has a UserId that is not valid");
        return IM_LOGIN_NONE;
    }

    login->user = im_daemon_copy(r, user);

    if (im_name_valid(name)) {
        login->name = im_daemon_copy(r, name);
    }

    if (!all) {
        login->rooms = im_daemon_copy(r, im_link_reply_str_at(reply, 2));
    }

    return login->user.data != NULL && (all || login->rooms.data != NULL)
           ? IM_LOGIN_FOUND : IM_LOGIN_AWAY;
}


static void
im_logic_token_ask(im_logic_find_t *find, im_link_call_t *call,
    im_link_reply_pt handler)
{
    im_link_call_z(call, "UserId");
    im_link_call_z(call, "UserName");
    im_link_call_z(call, "Rooms");
    im_link_call_z(call, "Im");

    im_logic_send(find->r->data, handler, find);
}


static void
im_logic_token_found(im_logic_find_t *find, im_login_e rc)
{
    if (rc == IM_LOGIN_FOUND) {
        im_logic_revoked(find->r->data, find->login.user,
                         im_logic_token_kept_handler, find);

    } else {
        im_logic_token_end(find, rc);
    }
}


static void
im_logic_token_plain_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_find_t  *find = data;

    im_logic_token_found(find, im_logic_token_read(find, reply));
}


static void
im_logic_token_hash_handler(const im_link_reply_t *reply, void *data)
{
    im_login_e        rc;
    im_logic_t       *logic;
    im_link_call_t   *call;
    im_logic_find_t  *find = data;

    logic = find->r->data;
    rc = im_logic_token_read(find, reply);

    if (rc != IM_LOGIN_NONE) {
        im_logic_token_found(find, rc);
        return;
    }

    call = im_link_command(logic->link, "HMGET");

    im_logic_token_plain(call, find->token);
    im_logic_token_ask(find, call, im_logic_token_plain_handler);
}


/*
 * One key a call: their slots differ in a cluster.  Whether the user is kept
 * out is asked last, so that an answer that lets the user in is no older than
 * the login.
 */
void
im_logic_token_find(im_daemon_request_t *r, im_str_t token,
    im_logic_token_pt handler, void *data)
{
    u_char            hash[IM_SECRET_HASH];
    im_logic_t       *logic;
    im_link_call_t   *call;
    im_logic_find_t  *find;
    im_logic_login_t  none;

    logic = r->data;
    find = im_daemon_alloc(r, sizeof(im_logic_find_t));

    if (find == NULL || im_logic_secret_hash(token, hash) != IM_OK) {
        memset(&none, 0, sizeof(im_logic_login_t));
        handler(IM_LOGIN_AWAY, &none, data);
        return;
    }

    find->r = r;
    find->token = token;
    find->handler = handler;
    find->data = data;

    call = im_link_command(logic->link, "HMGET");

    im_logic_token_key(logic, call, im_str_set(hash, IM_SECRET_HASH));
    im_logic_token_ask(find, call, im_logic_token_hash_handler);
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

    for (n = 0; n < IM_ASK_ROOMS_MAX; n++) {
        if (im_logic_token_pattern(&rooms, &pattern) != IM_OK) {
            break;
        }

        if (im_str_eq(pattern, room)) {
            return 1;
        }

        len = pattern.len - 1;

        if (pattern.data[len] == '*' && room.len >= len
            && (len == 0 || memcmp(pattern.data, room.data, len) == 0))
        {
            return 1;
        }
    }

    return 0;
}


/* The counter of a room and its set of users are no logins. */
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

    /* numbers of rooms have up to 10 digits; "-1" is one too */
    return digits == 0 || digits > 10
           || !(digits == token.len
                || (digits + 1 == token.len && token.data[0] == '-'));
}
