/*
 * Copyright (C) The im authors
 *
 * /v1/user/: accounts and their tokens.
 *
 * A request is a chain of steps on replies of Redis.  Between them a thread of
 * the pool hashes the password.  A wrong name takes as long as a wrong
 * password.
 */

#include <stdio.h>

#include "im_logic_seed.h"
#include "im_logic_control.h"
#include "im_logic_crypt.h"
#include "im_logic_limit.h"
#include "im_logic_print.h"
#include "im_logic_revoked.h"
#include "im_logic_token.h"
#include "im_logic_v1.h"
#include "im_daemon_time.h"
#include "im_utf8.h"


#define IM_ACCOUNT_BODY       16384
#define IM_ACCOUNT_NAME_MIN   3
#define IM_ACCOUNT_NAME_MAX   20
#define IM_PASSWORD_MIN_SIZE  6
#define IM_PASSWORD_MAX_SIZE  20
#define IM_ACCOUNT_ID         16      /* hex digits */
#define IM_ACCOUNT_COOKIE     86400   /* s, at most */


typedef struct im_logic_account_s  im_logic_account_t;

typedef void (*im_logic_account_pt)(im_logic_account_t *a);

struct im_logic_account_s {
    im_logic_crypt_t      crypt;       /* first: a task is cast to it */
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_account_pt   next;        /* step */
    im_str_t              name;
    im_str_t              user;
    im_str_t              token;
    im_str_t              hash;        /* of the token */
    im_uint_t             left;        /* tokens that are being deleted */
    u_char                user_data[IM_ACCOUNT_ID];
    u_char                token_data[IM_SECRET_TOKEN];
    u_char                hash_data[IM_SECRET_HASH];
    char                  cookie[IM_SECRET_TOKEN + 80];
    unsigned              failed:1;    /* one could not be deleted */
    unsigned              all:1;       /* tokens of the user */
};


typedef struct {
    im_str_t  name;
    im_str_t  password;
    im_str_t  auth;
} im_logic_account_body_t;


static const im_json_field_t  im_logic_account_fields[] = {
    im_json_row_as(im_logic_account_body_t, STRING, "UserName", name),
    im_json_row_as(im_logic_account_body_t, STRING, "Password", password),
    im_json_row_as(im_logic_account_body_t, STRING, "Auth", auth),
    im_json_end
};


static im_logic_account_t *
im_logic_account_new(im_daemon_request_t *r)
{
    im_logic_account_t  *a;

    a = im_daemon_alloc(r, sizeof(im_logic_account_t));

    if (a == NULL
        || im_daemon_cleanup(r, im_logic_crypt_wipe, &a->crypt) != IM_OK)
    {
        im_logic_account_reply(r, 200, IM_ACCOUNT_SYSTEM, NULL, NULL);
        return NULL;
    }

    a->logic = r->data;
    a->r = r;

    return a;
}


static const char *
im_logic_account_fault(im_str_t name, im_str_t password)
{
    size_t  n;

    if (name.len == 0) {
        return "UserName.Required:Can not be empty";
    }

    if (!im_name_valid(name)) {
        return "UserName.Text:Must be text without control characters";
    }

    n = im_utf8_count(name);

    if (n < IM_ACCOUNT_NAME_MIN) {
        return "UserName.MinSize:Minimum size is 3";
    }

    if (n > IM_ACCOUNT_NAME_MAX) {
        return "UserName.MaxSize:Maximum size is 20";
    }

    if (password.len == 0) {
        return "Password.Required:Can not be empty";
    }

    if (!im_name_valid(password)) {
        return "Password.Text:Must be text without control characters";
    }

    n = im_utf8_count(password);

    if (n < IM_PASSWORD_MIN_SIZE) {
        return "Password.MinSize:Minimum size is 6";
    }

    if (n > IM_PASSWORD_MAX_SIZE) {
        return "Password.MaxSize:Maximum size is 20";
    }

    return NULL;
}


static void
im_logic_account_end(im_logic_account_t *a, int code)
{
    im_logic_account_reply(a->r, 200, code, NULL, NULL);
}


static void
im_logic_account_limit_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t             address;
    im_logic_account_t  *a = data;

    switch (im_logic_limit_read(reply, &a->r->retry)) {

    case IM_OK:
        a->next(a);
        return;

    case IM_DECLINED:
        address = a->r->address;
        im_daemon_log(IM_LOG_INFO, "%.*s: too many attempts",
                      (int) address.len, (char *) address.data);
        im_logic_account_end(a, IM_ACCOUNT_OFTEN);
        return;

    default:
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }
}


/* n = 0: no limit.  Of the client's address, or of the name. */
static void
im_logic_account_limit(im_logic_account_t *a, char kind, uint64_t n,
    im_logic_account_pt next)
{
    im_buf_t          *subject;
    im_logic_limit_t   limit;

    a->next = next;

    if (!im_link_ready(a->logic->link)) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    if (n == 0) {
        next(a);
        return;
    }

    subject = im_daemon_buf(a->r, 256);

    if (kind == IM_LIMIT_NAME) {
        im_buf_add_str(subject, a->name);

    } else {
        im_logic_limit_address(subject, a->r->address);
    }

    if (subject->failed) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    limit.kind = kind;
    limit.n = n;
    limit.period = a->logic->conf.limit_period;
    limit.subject = im_buf_str(subject);

    im_logic_limit(a->logic, &limit, im_logic_account_limit_handler, a);
}


/* Reads a name and a password.  The next step follows within the limit. */
static void
im_logic_account_start(im_daemon_request_t *r, char kind, uint64_t n,
    im_logic_account_pt next)
{
    im_buf_t                 *strings;
    const char               *why;
    im_logic_account_t       *a;
    im_logic_account_body_t   body;

    a = im_logic_account_new(r);
    if (a == NULL) {
        return;
    }

    strings = im_daemon_buf(r, r->body.len + 1);
    memset(&body, 0, sizeof(im_logic_account_body_t));

    if (r->body.len > IM_ACCOUNT_BODY
        || im_json_decode(r->body, im_logic_account_fields,
                          IM_JSON_ANY_CASE | IM_JSON_LAX, strings, &body, &why)
           != IM_OK)
    {
        why = NULL;

    } else {
        why = im_logic_account_fault(body.name, body.password);

        if (why == NULL
            && im_logic_crypt_password(&a->crypt, body.password) == IM_OK)
        {
            a->name = im_daemon_copy(r, body.name);
        }
    }

    /* no password stays in memory */

    if (strings->data != NULL) {
        explicit_bzero(strings->data, strings->size);
    }

    if (r->body.len != 0) {
        explicit_bzero(r->body.data, r->body.len);
    }

    if (a->name.data == NULL) {
        im_logic_account_reply(r, 200, IM_ACCOUNT_INVALID, why, NULL);

    } else {
        im_logic_account_limit(a, kind, n, next);
    }
}


static void
im_logic_account_hash(im_logic_account_t *a,
    void (*done)(im_logic_task_t *task))
{
    a->crypt.task.done = done;

    if (im_logic_pool_add(a->logic->pool, &a->crypt.task) != IM_OK) {
        im_daemon_log(IM_LOG_WARN, "too many passwords wait to be hashed");
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
    }
}


static void
im_logic_account_key(im_logic_account_t *a, im_link_call_t *call)
{
    im_key_account(&call->bytes, a->logic->prefix,
                   im_logic_partition(a->logic, a->name), a->name);
    im_link_call_key(call);
}


/* A new account, or another hash of one. */
static void
im_logic_account_store(im_logic_account_t *a, const char *hash,
    const char *old, im_link_reply_pt handler)
{
    im_link_call_t  *call;

    call = im_link_script(a->logic->link, &im_script_register);

    im_logic_account_key(a, call);
    im_link_call_str(call, a->user);
    im_link_call_str(call, a->name);
    im_link_call_z(call, hash);
    im_link_call_uint(call, im_logic_time());
    im_link_call_z(call, old);

    im_logic_send(a->logic, handler, a);
}


static void
im_logic_register_store_handler(const im_link_reply_t *reply, void *data)
{
    if (im_logic_fault(reply, "register.lua") != NULL) {
        im_logic_account_end(data, IM_ACCOUNT_DATABASE);
        return;
    }

    im_logic_account_end(data, im_link_reply_int(reply, 0) == 1
                               ? IM_ACCOUNT_OK : IM_ACCOUNT_EXISTS);
}


static void
im_logic_register_hash_handler(im_logic_task_t *task)
{
    u_char               random[IM_ACCOUNT_ID / 2];
    im_logic_account_t  *a = (im_logic_account_t *) task;

    if (task->dropped || a->crypt.rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_daemon_random(random, sizeof(random));
    im_logic_secret_hex(a->user_data, random, sizeof(random));
    a->user = im_str_set(a->user_data, IM_ACCOUNT_ID);

    im_logic_account_store(a, a->crypt.hash, "",
                           im_logic_register_store_handler);
}


static void
im_logic_register_hash(im_logic_account_t *a)
{
    if (im_logic_crypt_make(&a->crypt, a->logic->conf.hash_cost) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_register_hash_handler);
}


void
im_logic_register_handler(im_daemon_request_t *r)
{
    im_logic_t  *logic = r->data;

    im_logic_account_start(r, IM_LIMIT_REGISTER, logic->conf.register_limit,
                           im_logic_register_hash);
}


static im_int_t
im_logic_account_token_hash(im_logic_account_t *a)
{
    a->hash = im_str_set(a->hash_data, IM_SECRET_HASH);

    return im_logic_secret_hash(a->token, a->hash_data);
}


static void
im_logic_account_tokens_key(im_logic_account_t *a, im_link_call_t *call)
{
    im_str_t  topic;

    topic = im_logic_topic(a->r, im_topic_user, a->user);

    if (topic.data == NULL) {
        call->bytes.failed = 1;
    }

    im_logic_key(a->logic, call, topic, IM_KEY_LOGINS);
}


/* user empty: of any user; own: only a token that was made here. */
static void
im_logic_account_drop(im_logic_account_t *a, im_link_call_t *call,
    im_str_t user, int own, im_link_reply_pt handler)
{
    im_link_call_z(call, "del");
    im_link_call_str(call, user);
    im_link_call_z(call, own ? "1" : "0");

    im_logic_send(a->logic, handler, a);
}


/* The set of a user has the tokens of older versions as they were. */
static void
im_logic_account_drop_member(im_logic_account_t *a, im_str_t member,
    im_link_reply_pt handler)
{
    im_link_call_t  *call;

    call = im_link_script(a->logic->link, &im_script_token);

    if (member.len == IM_SECRET_HASH) {
        im_logic_token_key(a->logic, call, member);

    } else {
        im_key_login(&call->bytes, member);
        im_link_call_key(call);
    }

    im_logic_account_drop(a, call, a->user, 1, handler);
}


static void
im_logic_account_drop_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "token.lua") != NULL) {
        a->failed = 1;
    }

    if (--a->left == 0) {
        a->next(a);
    }
}


static void
im_logic_account_tokens_handler(const im_link_reply_t *reply, void *data)
{
    im_uint_t            i;
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "login.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    /* one more, so that it doesn't end before all are sent */
    a->left = 1;

    for (i = 0; i < im_link_reply_len(reply); i++) {
        a->left++;
        im_logic_account_drop_member(a, im_link_reply_str_at(reply, i),
                                     im_logic_account_drop_handler);
    }

    if (--a->left == 0) {
        a->next(a);
    }
}


/*
 * Adds a token to those of the user, and deletes those that are too many
 * before the next step.
 */
static void
im_logic_account_tokens(im_logic_account_t *a, im_str_t token, uint64_t life,
    uint64_t max, im_logic_account_pt next)
{
    im_link_call_t  *call;

    a->next = next;

    call = im_link_script(a->logic->link, &im_script_login);

    im_logic_account_tokens_key(a, call);
    im_link_call_str(call, token);
    im_link_call_uint(call, life);
    im_link_call_uint(call, max);

    im_logic_send(a->logic, im_logic_account_tokens_handler, a);
}


static void
im_logic_account_identity(im_logic_account_t *a, int code)
{
    im_buf_t  *b;

    b = im_daemon_buf(a->r, 4096);

    im_logic_print(b, "{\"Auth\":%j,\"UserId\":%j,\"UserName\":%j}", a->token,
                   a->user, a->name);

    im_logic_account_reply(a->r, 200, code, NULL, b);
}


static void
im_logic_login_token_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "token.lua") != NULL
        || im_link_reply_int(reply, -1) != 1)
    {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    (void) snprintf(a->cookie, sizeof(a->cookie),
                    "auth=%.*s; Max-Age=%u; Path=/; HttpOnly; SameSite=Lax",
                    (int) a->token.len, (char *) a->token.data,
                    (unsigned) im_min(a->logic->conf.token_life,
                                      IM_ACCOUNT_COOKIE));
    a->r->cookie = a->cookie;

    im_logic_account_identity(a, IM_ACCOUNT_OK);
}


static void
im_logic_login_token(im_logic_account_t *a)
{
    im_link_call_t  *call;

    if (a->failed) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    call = im_link_script(a->logic->link, &im_script_token);

    im_logic_token_key(a->logic, call, a->hash);
    im_link_call_z(call, "set");
    im_link_call_str(call, a->user);
    im_link_call_str(call, a->name);
    im_link_call_uint(call, a->logic->conf.token_life * 1000);

    im_logic_send(a->logic, im_logic_login_token_handler, a);
}


static void
im_logic_login_kept_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_t          *logic;
    im_logic_account_t  *a = data;

    logic = a->logic;

    switch (im_logic_revoked_read(reply)) {

    case 0:
        break;

    case 1:
        im_logic_account_end(a, IM_ACCOUNT_KEPT_OUT);
        return;

    default:
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    im_logic_secret_token(a->token_data);
    a->token = im_str_set(a->token_data, IM_SECRET_TOKEN);

    if (im_logic_account_token_hash(a) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_tokens(a, a->hash, logic->conf.token_life * 1000,
                            logic->conf.user_tokens, im_logic_login_token);
}


static void
im_logic_login_check_handler(im_logic_task_t *task)
{
    im_logic_t          *logic;
    im_logic_account_t  *a = (im_logic_account_t *) task;

    logic = a->logic;

    if (task->dropped || a->crypt.rc == IM_ERROR) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    if (a->crypt.rc == IM_DECLINED || a->user.len == 0) {
        im_logic_account_end(a, IM_ACCOUNT_WRONG);
        return;
    }

    if (logic->conf.login_limit != 0) {
        im_logic_limit_clear(logic, IM_LIMIT_NAME, a->name);
    }

    /* of another method or cost; a failure waits for the next login */
    if (a->crypt.renewed[0] != '\0') {
        im_logic_account_store(a, a->crypt.renewed, a->crypt.hash, NULL);
    }

    im_logic_revoked(logic, a->user, im_logic_login_kept_handler, a);
}


/* A name without an account takes as long as a wrong password. */
static void
im_logic_login_find_handler(const im_link_reply_t *reply, void *data)
{
    im_str_t             hash;
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "reading an account") != NULL
        || im_link_reply_len(reply) != 2)
    {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    a->user = im_daemon_copy(a->r, im_link_reply_str_at(reply, 0));
    hash = im_link_reply_str_at(reply, 1);

    if (!im_name_valid(a->user)) {
        a->user.len = 0;
        hash.len = 0;
    }

    if (a->user.data == NULL
        || im_logic_crypt_check(&a->crypt, hash, a->logic->conf.hash_cost)
           != IM_OK)
    {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_login_check_handler);
}


static void
im_logic_login_find(im_logic_account_t *a)
{
    im_link_call_t  *call;

    call = im_link_command(a->logic->link, "HMGET");

    im_logic_account_key(a, call);
    im_link_call_z(call, "id");
    im_link_call_z(call, "hash");

    im_logic_send(a->logic, im_logic_login_find_handler, a);
}


static void
im_logic_login_name(im_logic_account_t *a)
{
    im_logic_account_limit(a, IM_LIMIT_NAME, a->logic->conf.login_limit,
                           im_logic_login_find);
}


/* The address first: one over its limit uses up no attempts of a name. */
void
im_logic_login_handler(im_daemon_request_t *r)
{
    im_logic_t  *logic = r->data;

    im_logic_account_start(r, IM_LIMIT_ADDRESS, logic->conf.address_limit,
                           im_logic_login_name);
}


static void
im_logic_check_auth_token_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_login_t     login;
    im_logic_account_t  *a = data;

    switch (im_logic_token_read(a->r, reply, &login)) {

    case IM_LOGIN_FOUND:
        a->user = login.user;
        a->name = login.name;
        im_logic_account_identity(a, IM_ACCOUNT_OK);
        return;

    case IM_LOGIN_NONE:
        a->token.len = 0;
        im_logic_account_identity(a, IM_ACCOUNT_NO_AUTH);
        return;

    case IM_LOGIN_KEPT_OUT:
        a->token.len = 0;
        im_logic_account_identity(a, IM_ACCOUNT_KEPT_OUT);
        return;

    default:
        a->r->retry = 1;
        im_logic_account_end(a, IM_ACCOUNT_NO_USER);
        return;
    }
}


void
im_logic_check_auth_handler(im_daemon_request_t *r)
{
    size_t                    len;
    im_int_t                  rc;
    im_str_t                  shown;
    const char               *why;
    im_logic_account_t       *a;
    im_logic_account_body_t   body;

    a = im_logic_account_new(r);
    if (a == NULL) {
        return;
    }

    memset(&body, 0, sizeof(im_logic_account_body_t));

    rc = im_logic_token_shown(r, &shown);

    if (rc == IM_OK) {
        body.auth = shown;
    }

    if (rc == IM_ERROR
        || (rc == IM_DECLINED
            && (r->body.len > IM_ACCOUNT_BODY
                || im_logic_decode(r, r->body, im_logic_account_fields,
                                   IM_JSON_ANY_CASE | IM_JSON_LAX, &body, &why)
                   != IM_OK)))
    {
        im_logic_account_end(a, IM_ACCOUNT_INVALID);
        return;
    }

    len = body.auth.len;
    why = len == 0 ? "Auth.Required:Can not be empty"
          : len < 3 ? "Auth.MinSize:Minimum size is 3"
          : len > IM_TOKEN_MAX ? "Auth.MaxSize:Maximum size is 8192" : NULL;

    if (why != NULL) {
        im_logic_account_reply(r, 200, IM_ACCOUNT_INVALID, why, NULL);
        return;
    }

    if (!im_logic_token_valid(body.auth)) {
        im_logic_account_identity(a, IM_ACCOUNT_NO_AUTH);
        return;
    }

    a->token = body.auth;
    im_logic_token_find(r, a->token, im_logic_check_auth_token_handler, a);
}


static void
im_logic_logout_close_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_end(data, im_logic_control_read(reply) == NULL
                               ? IM_ACCOUNT_OK : IM_ACCOUNT_DATABASE);
}


/* The connections that were opened with the tokens end too. */
static void
im_logic_logout_close(im_logic_account_t *a)
{
    im_control_t  control;

    if (a->failed) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    control.user = a->user;
    control.reason = im_str_z("logged out");

    im_logic_control(a->r, &control, im_logic_logout_close_handler, a);
}


static void
im_logic_logout_token_handler(const im_link_reply_t *reply, void *data)
{
    im_link_call_t      *call;
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "token.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    a->user = im_daemon_copy(a->r, im_link_reply_str(reply));

    if (!im_name_valid(a->user)) {
        im_logic_account_end(a, a->user.data != NULL ? IM_ACCOUNT_OK
                                                     : IM_ACCOUNT_SYSTEM);
        return;
    }

    if (a->all) {
        im_logic_account_tokens(a, im_str_z(""), 0, 0, im_logic_logout_close);
        return;
    }

    /* if it fails, the token leaves the user's set when its time is over */

    call = im_link_command(a->logic->link, "ZREM");

    im_logic_account_tokens_key(a, call);
    im_link_call_str(call, a->token);
    im_link_call_str(call, a->hash);
    im_logic_send(a->logic, NULL, NULL);

    im_logic_account_end(a, IM_ACCOUNT_OK);
}


void
im_logic_logout_handler(im_daemon_request_t *r)
{
    im_str_t             all, none = im_null_str, one = im_str("1");
    im_link_call_t      *call;
    im_logic_account_t  *a;

    a = im_logic_account_new(r);
    if (a == NULL) {
        return;
    }

    if (im_logic_token_shown(r, &a->token) != IM_OK || a->token.len == 0)
    {
        im_logic_account_end(a, IM_ACCOUNT_INVALID);
        return;
    }

    a->all = im_logic_query(r, "all", r->query.len, &all) == IM_OK
             && im_str_eq(all, one);

    if (!im_logic_token_valid(a->token)) {
        im_logic_account_end(a, IM_ACCOUNT_OK);
        return;
    }

    if (im_logic_account_token_hash(a) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    call = im_link_script(a->logic->link, &im_script_token);

    im_logic_token_keys(a->logic, call, a->token);
    im_logic_account_drop(a, call, none, !a->logic->conf.foreign_tokens,
                          im_logic_logout_token_handler);
}
