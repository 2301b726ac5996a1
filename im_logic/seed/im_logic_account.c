/*
 * Copyright (C) The im authors
 *
 * /v1/user/: accounts and their tokens.
 *
 * A request is a chain of steps on Redis replies, with the hash of the
 * password, made by a thread of the pool, in between.  What a wrong name and a
 * wrong password cost is the same.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "im_logic_seed.h"
#include "im_logic_control.h"
#include "im_logic_crypt.h"
#include "im_logic_limit.h"
#include "im_logic_token.h"
#include "im_logic_url.h"
#include "im_logic_v1.h"
#include "im_json.h"
#include "im_key.h"
#include "im_push.h"
#include "im_utf8.h"


#define IM_ACCOUNT_BODY       4096
#define IM_ACCOUNT_NAME       80      /* bytes of 20 characters */
#define IM_ACCOUNT_NAME_MIN   3
#define IM_ACCOUNT_NAME_MAX   20
#define IM_PASSWORD_MIN_SIZE  6
#define IM_PASSWORD_MAX_SIZE  20
#define IM_ACCOUNT_ID         16      /* hex digits, of a token too */
#define IM_ACCOUNT_COOKIE     86400   /* s, at most */

/* kinds of limits */
#define IM_LIMIT_NAME      'n'
#define IM_LIMIT_ADDRESS   'i'
#define IM_LIMIT_REGISTER  'r'


typedef struct im_logic_account_s  im_logic_account_t;

typedef void (*im_logic_account_pt)(im_logic_account_t *a);

struct im_logic_account_s {
    im_logic_crypt_t      crypt;       /* first: its task comes back */
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_account_pt   next;        /* step */
    im_str_t              name;
    im_str_t              user;
    im_str_t              token;
    im_uint_t             left;        /* tokens that are being deleted */
    u_char                name_data[IM_ACCOUNT_NAME];
    u_char                user_data[IM_NAME_MAX];
    u_char                token_data[IM_TOKEN_MAX + 1];
    char                  cookie[IM_TOKEN_MAX + 80];
    unsigned              failed:1;    /* one could not be deleted */
    unsigned              all:1;       /* tokens of the user */
};


typedef struct {
    im_str_t  name;
    im_str_t  password;
    im_str_t  auth;
} im_logic_account_body_t;


static im_logic_account_t *im_logic_account_create(im_logic_t *logic,
    im_daemon_request_t *r);
static im_logic_account_t *im_logic_account_new(im_logic_t *logic,
    im_daemon_request_t *r);
static im_int_t im_logic_account_read(im_logic_account_t *a,
    im_buf_t *arena, const char **why);
static const char *im_logic_account_fault(im_str_t name, im_str_t password);
static void im_logic_account_limit(im_logic_account_t *a, char kind,
    uint64_t n, im_logic_account_pt next);
static void im_logic_account_limit_handler(void *data, im_int_t rc,
    im_uint_t seconds);
static void im_logic_account_hash(im_logic_account_t *a,
    void (*done)(im_logic_task_t *task));

static void im_logic_register_hash(im_logic_account_t *a);
static void im_logic_register_hashed(im_logic_task_t *task);
static void im_logic_register_handler(const im_daemon_reply_t *reply,
    void *data);

static void im_logic_login_name(im_logic_account_t *a);
static void im_logic_login_find(im_logic_account_t *a);
static void im_logic_login_find_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_login_checked(im_logic_task_t *task);
static void im_logic_login_token(im_logic_account_t *a);
static void im_logic_login_handler(const im_daemon_reply_t *reply,
    void *data);

static void im_logic_check_auth_handler(void *data, im_int_t rc,
    const im_logic_login_t *login);

static void im_logic_logout_read(im_logic_account_t *a);
static void im_logic_logout_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_logout_done(im_logic_account_t *a);
static void im_logic_logout_told(void *data, im_uint_t status,
    const char *msg, im_uint_t workers);

static void im_logic_account_tokens(im_logic_account_t *a, im_str_t token,
    uint64_t life, uint64_t max, im_logic_account_pt next);
static void im_logic_account_tokens_handler(const im_daemon_reply_t *reply,
    void *data);
static void im_logic_account_forget(im_logic_account_t *a);
static im_int_t im_logic_account_drop(im_logic_account_t *a, im_str_t token);
static void im_logic_account_drop_handler(const im_daemon_reply_t *reply,
    void *data);
static im_int_t im_logic_account_store(im_logic_account_t *a, im_str_t hash,
    im_str_t old, im_daemon_reply_pt fn, void *data);
static uint16_t im_logic_account_key(im_logic_account_t *a, im_buf_t *key);
static uint16_t im_logic_account_tokens_key(im_logic_account_t *a,
    im_buf_t *key);

static void im_logic_account_identity(im_logic_account_t *a);
static void im_logic_account_error(const im_daemon_reply_t *reply,
    const char *what);
static void im_logic_account_end(im_logic_account_t *a, int code);
static void im_logic_account_free(im_logic_account_t *a);
static void im_logic_account_random(u_char *dst);


static const im_json_field_t  im_logic_account_fields[] = {
    { im_str("UserName"), IM_JSON_STRING,
      offsetof(im_logic_account_body_t, name) },
    { im_str("Password"), IM_JSON_STRING,
      offsetof(im_logic_account_body_t, password) },
    { im_str("Auth"), IM_JSON_STRING,
      offsetof(im_logic_account_body_t, auth) },
    im_json_end
};


/* A name and a password.  NULL: answered. */
static im_logic_account_t *
im_logic_account_create(im_logic_t *logic, im_daemon_request_t *r)
{
    im_buf_t             arena;
    im_int_t             rc;
    const char          *why;
    im_logic_account_t  *a;

    a = im_logic_account_new(logic, r);
    if (a == NULL) {
        return NULL;
    }

    im_buf_init(&arena, r->body.len + 1);

    rc = im_logic_account_read(a, &arena, &why);

    if (arena.data != NULL) {
        explicit_bzero(arena.data, arena.size);
    }

    if (r->body.len != 0) {
        explicit_bzero(r->body.data, r->body.len);
    }

    im_buf_cleanup(&arena);

    if (rc != IM_OK) {
        im_logic_account_reply(logic, r, 200, IM_ACCOUNT_INVALID, why, NULL);
        im_logic_account_free(a);
        return NULL;
    }

    if (!im_daemon_redis_ready(logic->redis)) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return NULL;
    }

    return a;
}


static im_logic_account_t *
im_logic_account_new(im_logic_t *logic, im_daemon_request_t *r)
{
    im_logic_account_t  *a;

    a = im_calloc(sizeof(im_logic_account_t));

    if (a == NULL) {
        r->retry = 1;
        im_logic_account_reply(logic, r, 200, IM_ACCOUNT_SYSTEM, NULL, NULL);
        return NULL;
    }

    a->logic = logic;
    a->r = r;

    return a;
}


/* *why NULL: the code's own text. */
static im_int_t
im_logic_account_read(im_logic_account_t *a, im_buf_t *arena,
    const char **why)
{
    im_logic_account_body_t  body;

    memset(&body, 0, sizeof(im_logic_account_body_t));

    if (a->r->body.len > IM_ACCOUNT_BODY
        || im_json_decode(a->r->body, im_logic_account_fields,
                          IM_JSON_ANY_CASE | IM_JSON_LAX, arena, &body, why)
           != IM_OK)
    {
        *why = NULL;
        return IM_ERROR;
    }

    *why = im_logic_account_fault(body.name, body.password);

    if (*why != NULL
        || im_logic_crypt_password(&a->crypt, body.password) != IM_OK)
    {
        return IM_ERROR;
    }

    memcpy(a->name_data, body.name.data, body.name.len);
    a->name = im_str_set(a->name_data, body.name.len);

    return IM_OK;
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


/* n = 0: no limit.  Of the client's address, or of the name. */
static void
im_logic_account_limit(im_logic_account_t *a, char kind, uint64_t n,
    im_logic_account_pt next)
{
    im_buf_t  subject;
    im_int_t  rc;

    a->next = next;

    if (n == 0) {
        next(a);
        return;
    }

    im_buf_init(&subject, 256);

    if (kind == IM_LIMIT_NAME) {
        im_buf_add_str(&subject, a->name);

    } else {
        im_logic_limit_address(&subject, a->r->address);
    }

    rc = subject.failed ? IM_ERROR
         : im_logic_limit(a->logic, kind, im_buf_str(&subject), n,
                          im_logic_account_limit_handler, a);

    im_buf_cleanup(&subject);

    if (rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


static void
im_logic_account_limit_handler(void *data, im_int_t rc, im_uint_t seconds)
{
    im_logic_account_t  *a = data;

    if (rc == IM_OK) {
        a->next(a);
        return;
    }

    if (rc == IM_DECLINED) {
        im_daemon_log(IM_LOG_INFO, "%.*s: too many attempts",
                      (int) a->r->address.len, (char *) a->r->address.data);
        a->r->retry = seconds;
        im_logic_account_end(a, IM_ACCOUNT_OFTEN);
        return;
    }

    im_logic_account_end(a, IM_ACCOUNT_DATABASE);
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


void
im_logic_register(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_account_t  *a;

    (void) rest;

    a = im_logic_account_create(logic, r);

    if (a != NULL) {
        im_logic_account_limit(a, IM_LIMIT_REGISTER,
                               logic->conf.register_limit,
                               im_logic_register_hash);
    }
}


static void
im_logic_register_hash(im_logic_account_t *a)
{
    if (im_logic_crypt_make(&a->crypt, a->logic->conf.hash_cost) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_register_hashed);
}


static void
im_logic_register_hashed(im_logic_task_t *task)
{
    im_logic_account_t  *a = (im_logic_account_t *) task;

    if (task->dropped || a->crypt.rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_random(a->user_data);
    a->user = im_str_set(a->user_data, IM_ACCOUNT_ID);

    if (im_logic_account_store(a, im_str_z(a->crypt.hash), im_str_z(""),
                               im_logic_register_handler, a)
        != IM_OK)
    {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


static void
im_logic_register_handler(const im_daemon_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    switch (im_daemon_reply_int(reply, -1)) {

    case 1:
        im_logic_account_end(a, IM_ACCOUNT_OK);
        return;

    case 0:
        im_logic_account_end(a, IM_ACCOUNT_EXISTS);
        return;

    default:
        im_logic_account_error(reply, "register.lua");
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }
}


/* The address first: who is over its limit uses up no name's attempts. */
void
im_logic_login(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_logic_account_t  *a;

    (void) rest;

    a = im_logic_account_create(logic, r);

    if (a != NULL) {
        im_logic_account_limit(a, IM_LIMIT_ADDRESS, logic->conf.address_limit,
                               im_logic_login_name);
    }
}


static void
im_logic_login_name(im_logic_account_t *a)
{
    im_logic_account_limit(a, IM_LIMIT_NAME, a->logic->conf.login_limit,
                           im_logic_login_find);
}


static void
im_logic_login_find(im_logic_account_t *a)
{
    uint16_t  p;
    im_buf_t  key;
    im_int_t  rc;
    im_str_t  args[4];

    p = im_logic_account_key(a, &key);

    args[0] = im_str_z("HMGET");
    args[1] = im_buf_str(&key);
    args[2] = im_str_z("id");
    args[3] = im_str_z("hash");

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_command(a->logic->redis, p, args, 4,
                                   im_logic_login_find_handler, a);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


/* Nobody's password takes as long as somebody's wrong one. */
static void
im_logic_login_find_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t             user, hash;
    im_logic_account_t  *a = data;

    if (im_daemon_reply_len(reply) != 2) {
        im_logic_account_error(reply, "reading an account");
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    user = im_daemon_reply_str(im_daemon_reply_at(reply, 0));
    hash = im_daemon_reply_str(im_daemon_reply_at(reply, 1));

    if (im_name_valid(user)) {
        memcpy(a->user_data, user.data, user.len);
        a->user = im_str_set(a->user_data, user.len);

    } else {
        hash.len = 0;
    }

    if (im_logic_crypt_check(&a->crypt, hash, a->logic->conf.hash_cost)
        != IM_OK)
    {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_login_checked);
}


static void
im_logic_login_checked(im_logic_task_t *task)
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

    /* made under another cost or by another program: if it fails, next time */
    if (a->crypt.renewed[0] != '\0') {
        (void) im_logic_account_store(a, im_str_z(a->crypt.renewed),
                                      im_str_z(a->crypt.hash), NULL, NULL);
    }

    im_logic_account_random(a->token_data);
    a->token = im_str_set(a->token_data, IM_ACCOUNT_ID);

    im_logic_account_tokens(a, a->token, logic->conf.token_life * 1000,
                            logic->conf.user_tokens, im_logic_login_token);
}


static void
im_logic_login_token(im_logic_account_t *a)
{
    char      life[24];
    im_buf_t  key;
    im_int_t  rc;
    im_str_t  args[5];

    if (a->failed) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    (void) snprintf(life, sizeof(life), "%llu",
                    (unsigned long long) a->logic->conf.token_life * 1000);

    im_buf_init(&key, IM_TOKEN_MAX + 3);
    im_key_login(&key, a->token);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z("set");
    args[2] = a->user;
    args[3] = a->name;
    args[4] = im_str_z(life);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(a->logic->redis, IM_PARTITION_REG,
                                  &im_script_token, args, 5, 1,
                                  im_logic_login_handler, a);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


static void
im_logic_login_handler(const im_daemon_reply_t *reply, void *data)
{
    uint64_t             life;
    im_logic_account_t  *a = data;

    if (im_daemon_reply_int(reply, -1) != 1) {
        im_logic_account_error(reply, "token.lua");
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    life = im_min(a->logic->conf.token_life, IM_ACCOUNT_COOKIE);

    (void) snprintf(a->cookie, sizeof(a->cookie),
                    "auth=%.*s; Max-Age=%u; Path=/; HttpOnly; SameSite=Lax",
                    (int) a->token.len, (char *) a->token.data,
                    (unsigned) life);
    a->r->cookie = a->cookie;

    im_logic_account_identity(a);
}


void
im_logic_check_auth(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t                  arena;
    im_int_t                  rc;
    im_str_t                  auth;
    const char               *why;
    im_logic_account_t       *a;
    im_logic_account_body_t   body;

    (void) rest;

    a = im_logic_account_new(logic, r);
    if (a == NULL) {
        return;
    }

    memset(&body, 0, sizeof(im_logic_account_body_t));
    im_buf_init(&arena, r->body.len + 1);

    rc = r->body.len > IM_ACCOUNT_BODY ? IM_ERROR
         : im_json_decode(r->body, im_logic_account_fields,
                          IM_JSON_ANY_CASE | IM_JSON_LAX, &arena, &body,
                          &why);
    auth = body.auth;

    if (rc != IM_OK) {
        why = NULL;

    } else if (auth.len == 0) {
        why = "Auth.Required:Can not be empty";

    } else if (auth.len < 3) {
        why = "Auth.MinSize:Minimum size is 3";

    } else if (auth.len > IM_TOKEN_MAX) {
        why = "Auth.MaxSize:Maximum size is 128";

    } else {
        memcpy(a->token_data, auth.data, auth.len);
        a->token = im_str_set(a->token_data, auth.len);
    }

    im_buf_cleanup(&arena);

    if (a->token.len == 0) {
        im_logic_account_reply(logic, r, 200, IM_ACCOUNT_INVALID, why, NULL);
        im_logic_account_free(a);
        return;
    }

    if (!im_logic_token_valid(a->token)) {
        im_logic_account_end(a, IM_ACCOUNT_NO_AUTH);
        return;
    }

    if (im_logic_token_find(logic, a->token, im_logic_check_auth_handler, a)
        != IM_OK)
    {
        r->retry = 1;
        im_logic_account_end(a, IM_ACCOUNT_NO_USER);
    }
}


static void
im_logic_check_auth_handler(void *data, im_int_t rc,
    const im_logic_login_t *login)
{
    im_logic_account_t  *a = data;

    if (rc == IM_OK) {
        a->user = login->user;
        a->name = login->name;
        im_logic_account_identity(a);
        return;
    }

    if (rc == IM_ERROR) {
        a->r->retry = 1;
    }

    im_logic_account_end(a, rc == IM_ERROR ? IM_ACCOUNT_NO_USER
                                           : IM_ACCOUNT_NO_AUTH);
}


void
im_logic_logout(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t             key;
    im_int_t             rc;
    im_str_t             args[4];
    im_logic_account_t  *a;

    (void) rest;

    a = im_logic_account_new(logic, r);
    if (a == NULL) {
        return;
    }

    im_logic_logout_read(a);

    if (a->token.len == 0) {
        im_logic_account_end(a, IM_ACCOUNT_INVALID);
        return;
    }

    if (!im_logic_token_valid(a->token)) {
        im_logic_account_end(a, IM_ACCOUNT_OK);
        return;
    }

    im_buf_init(&key, IM_TOKEN_MAX + 3);
    im_key_login(&key, a->token);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z("del");
    args[2] = im_str_z("");
    args[3] = im_str_z(logic->conf.foreign_tokens ? "0" : "1");

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(logic->redis, IM_PARTITION_REG,
                                  &im_script_token, args, 4, 1,
                                  im_logic_logout_handler, a);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


static void
im_logic_logout_read(im_logic_account_t *a)
{
    im_buf_t  b;
    im_str_t  one = im_str("1");

    im_buf_init(&b, a->r->query.len + 1);

    if (im_logic_url_find(a->r->query, "auth", &b) == IM_OK && b.len != 0) {

        /* what is longer was never given out: cut, it is still too long */
        a->token = im_str_set(a->token_data, im_min(b.len,
                                                    sizeof(a->token_data)));
        memcpy(a->token_data, b.data, a->token.len);
    }

    im_buf_reset(&b, b.size);

    a->all = im_logic_url_find(a->r->query, "all", &b) == IM_OK
             && im_str_eq(im_buf_str(&b), one);

    im_buf_cleanup(&b);
}


static void
im_logic_logout_handler(const im_daemon_reply_t *reply, void *data)
{
    im_str_t             user;
    im_logic_account_t  *a = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        im_logic_account_error(reply, "token.lua");
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    user = im_daemon_reply_str(reply);

    if (!im_name_valid(user)) {
        im_logic_account_end(a, IM_ACCOUNT_OK);
        return;
    }

    memcpy(a->user_data, user.data, user.len);
    a->user = im_str_set(a->user_data, user.len);

    if (a->all) {
        im_logic_account_tokens(a, im_str_z(""), 0, 0, im_logic_logout_done);
        return;
    }

    im_logic_account_forget(a);
    im_logic_account_end(a, IM_ACCOUNT_OK);
}


/* The connections that were opened with them end too. */
static void
im_logic_logout_done(im_logic_account_t *a)
{
    im_control_t  control;

    if (a->failed) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    control.user = a->user;
    control.reason = im_str_z("logged out");

    im_logic_control(a->logic, &control, im_logic_logout_told, a);
}


static void
im_logic_logout_told(void *data, im_uint_t status, const char *msg,
    im_uint_t workers)
{
    (void) msg;
    (void) workers;

    im_logic_account_end(data, status == 200 ? IM_ACCOUNT_OK
                                             : IM_ACCOUNT_DATABASE);
}


/* One more token; the hashes of those that are too many go before next. */
static void
im_logic_account_tokens(im_logic_account_t *a, im_str_t token, uint64_t life,
    uint64_t max, im_logic_account_pt next)
{
    char      numbers[2][24];
    uint16_t  p;
    im_buf_t  key;
    im_int_t  rc;
    im_str_t  args[4];

    a->next = next;

    p = im_logic_account_tokens_key(a, &key);

    (void) snprintf(numbers[0], 24, "%llu", (unsigned long long) life);
    (void) snprintf(numbers[1], 24, "%llu", (unsigned long long) max);

    args[0] = im_buf_str(&key);
    args[1] = token;
    args[2] = im_str_z(numbers[0]);
    args[3] = im_str_z(numbers[1]);

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(a->logic->redis, p, &im_script_login, args,
                                  4, 1, im_logic_account_tokens_handler, a);

    im_buf_cleanup(&key);

    if (rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
    }
}


static void
im_logic_account_tokens_handler(const im_daemon_reply_t *reply, void *data)
{
    im_uint_t            i, n;
    im_logic_account_t  *a = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        im_logic_account_error(reply, "login.lua");
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    n = im_daemon_reply_len(reply);

    /* one more, so that it doesn't end before all are sent */
    a->left = 1;

    for (i = 0; i < n; i++) {
        if (im_logic_account_drop(a, im_daemon_reply_str(
                                         im_daemon_reply_at(reply, i)))
            == IM_OK)
        {
            a->left++;

        } else {
            a->failed = 1;
        }
    }

    if (--a->left == 0) {
        a->next(a);
    }
}


static im_int_t
im_logic_account_drop(im_logic_account_t *a, im_str_t token)
{
    im_buf_t  key;
    im_int_t  rc;
    im_str_t  args[4];

    im_buf_init(&key, IM_TOKEN_MAX + 3);
    im_key_login(&key, token);

    args[0] = im_buf_str(&key);
    args[1] = im_str_z("del");
    args[2] = a->user;
    args[3] = im_str_z("1");

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(a->logic->redis, IM_PARTITION_REG,
                                  &im_script_token, args, 4, 1,
                                  im_logic_account_drop_handler, a);

    im_buf_cleanup(&key);

    return rc;
}


static void
im_logic_account_drop_handler(const im_daemon_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (reply == NULL || im_daemon_reply_is_error(reply)) {
        im_logic_account_error(reply, "token.lua");
        a->failed = 1;
    }

    if (--a->left == 0) {
        a->next(a);
    }
}


/* Of the user's set; if it fails, it goes when its time is over. */
static void
im_logic_account_forget(im_logic_account_t *a)
{
    uint16_t  p;
    im_buf_t  key;
    im_str_t  args[3];

    p = im_logic_account_tokens_key(a, &key);

    args[0] = im_str_z("ZREM");
    args[1] = im_buf_str(&key);
    args[2] = a->token;

    if (!key.failed) {
        (void) im_daemon_redis_command(a->logic->redis, p, args, 3, NULL,
                                       NULL);
    }

    im_buf_cleanup(&key);
}


/* A new account, or another hash of one. */
static im_int_t
im_logic_account_store(im_logic_account_t *a, im_str_t hash, im_str_t old,
    im_daemon_reply_pt fn, void *data)
{
    char            created[24];
    uint16_t        p;
    im_buf_t        key;
    im_int_t        rc;
    im_str_t        args[6];
    struct timeval  tv;

    (void) gettimeofday(&tv, NULL);
    (void) snprintf(created, sizeof(created), "%lld",
                    (long long) tv.tv_sec * 1000 + tv.tv_usec / 1000);

    p = im_logic_account_key(a, &key);

    args[0] = im_buf_str(&key);
    args[1] = a->user;
    args[2] = a->name;
    args[3] = hash;
    args[4] = im_str_z(created);
    args[5] = old;

    rc = key.failed ? IM_ERROR
         : im_daemon_redis_script(a->logic->redis, p, &im_script_register,
                                  args, 6, 1, fn, data);

    im_buf_cleanup(&key);

    return rc;
}


static uint16_t
im_logic_account_key(im_logic_account_t *a, im_buf_t *key)
{
    uint16_t  p;

    p = im_partition(a->name, im_daemon_redis_partitions(a->logic->redis));

    im_buf_init(key, 512);
    im_key_account(key, a->logic->prefix, p, a->name);

    return p;
}


static uint16_t
im_logic_account_tokens_key(im_logic_account_t *a, im_buf_t *key)
{
    uint16_t  p;
    im_buf_t  topic;

    im_buf_init(&topic, IM_NAME_MAX + 2);
    im_topic_user(&topic, a->user);

    p = im_partition(im_buf_str(&topic),
                     im_daemon_redis_partitions(a->logic->redis));

    im_buf_init(key, 512);
    im_key_topic(key, a->logic->prefix, p, im_buf_str(&topic), IM_KEY_LOGINS);

    if (topic.failed) {
        key->failed = 1;
    }

    im_buf_cleanup(&topic);

    return p;
}


static void
im_logic_account_identity(im_logic_account_t *a)
{
    im_buf_t  b;

    im_buf_init(&b, 4096);

    im_buf_add_z(&b, "{\"Auth\":");
    im_json_add_string(&b, a->token);
    im_buf_add_z(&b, ",\"UserId\":");
    im_json_add_string(&b, a->user);
    im_buf_add_z(&b, ",\"UserName\":");
    im_json_add_string(&b, a->name);
    im_buf_add_z(&b, "}");

    im_logic_account_reply(a->logic, a->r, 200, IM_ACCOUNT_OK, NULL, &b);

    im_buf_cleanup(&b);
    im_logic_account_free(a);
}


/* NULL replies are told by the link. */
static void
im_logic_account_error(const im_daemon_reply_t *reply, const char *what)
{
    im_str_t  s;

    if (reply != NULL) {
        s = im_daemon_reply_str(reply);
        im_daemon_log(IM_LOG_ERROR, "%s failed: %.*s", what, (int) s.len,
                      s.len != 0 ? (char *) s.data : "");
    }
}


static void
im_logic_account_end(im_logic_account_t *a, int code)
{
    im_buf_t  b;

    if (code == IM_ACCOUNT_SYSTEM || code == IM_ACCOUNT_DATABASE) {
        a->r->retry = 1;
    }

    im_buf_init(&b, 128);

    if (code == IM_ACCOUNT_NO_AUTH) {
        im_buf_add_z(&b, "{\"Auth\":\"\",\"UserId\":\"\",\"UserName\":\"\"}");
    }

    im_logic_account_reply(a->logic, a->r, 200, code, NULL,
                           code == IM_ACCOUNT_NO_AUTH ? &b : NULL);

    im_buf_cleanup(&b);
    im_logic_account_free(a);
}


static void
im_logic_account_free(im_logic_account_t *a)
{
    im_logic_crypt_wipe(&a->crypt);
    im_free(a);
}


/* 16 hex digits: 64 bits that nobody can guess. */
static void
im_logic_account_random(u_char *dst)
{
    u_char      random[IM_ACCOUNT_ID / 2];
    im_uint_t   i;

    im_daemon_random(random, sizeof(random));

    for (i = 0; i < sizeof(random); i++) {
        *dst++ = (u_char) "0123456789abcdef"[random[i] >> 4];
        *dst++ = (u_char) "0123456789abcdef"[random[i] & 0x0f];
    }
}
