/*
 * Copyright (C) The im authors
 *
 * What requests about accounts share.
 */

#include <strings.h>

#include "im_logic_account.h"
#include "im_logic_looks.h"
#include "im_logic_name.h"
#include "im_logic_print.h"
#include "im_logic_token.h"
#include "im_utf8.h"


#define IM_ACCOUNT_BODY       16384
#define IM_ACCOUNT_ADDRESS    64       /* bytes of it in the log */
#define IM_ACCOUNT_NAME_MIN   3
#define IM_ACCOUNT_NAME_MAX   20
#define IM_PASSWORD_MIN_SIZE  6


static const im_json_field_t  im_logic_account_fields[] = {
    im_json_row_as(im_logic_account_body_t, STRING, "UserName", name),
    im_json_row_as(im_logic_account_body_t, STRING, "Password", password),
    im_json_row_as(im_logic_account_body_t, STRING, "NewPassword", next),
    im_json_row_as(im_logic_account_body_t, STRING, "Auth", auth),
    im_json_end
};


im_logic_account_t *
im_logic_account_new(im_daemon_request_t *r, int admin)
{
    im_logic_account_t  *a;

    a = im_daemon_alloc(r, sizeof(im_logic_account_t));

    if (a != NULL
        && im_daemon_cleanup(r, im_logic_crypt_wipe, &a->crypt) == IM_OK)
    {
        a->logic = r->data;
        a->r = r;
        a->admin = admin != 0;

        return a;
    }

    if (admin) {
        im_logic_reply_error(r, 503, "no memory");

    } else {
        im_logic_account_reply(r, 200, IM_ACCOUNT_SYSTEM, NULL, NULL);
    }

    return NULL;
}


static void
im_logic_account_end_admin(im_logic_account_t *a, int code)
{
    im_buf_t  *b;

    switch (code) {

    case IM_ACCOUNT_OK:
        b = im_daemon_buf(a->r, 16);
        im_buf_add_z(b, "{}");
        im_logic_reply_data(a->r, b);
        return;

    case IM_ACCOUNT_NO_USER:
        im_logic_reply_error(a->r, 404, "no such account");
        return;

    case IM_ACCOUNT_SYSTEM:
        im_logic_reply_error(a->r, 503, "too many passwords wait");
        return;

    default:
        im_logic_reply_error(a->r, 503, "redis is away or full");
        return;
    }
}


void
im_logic_account_end(im_logic_account_t *a, int code)
{
    if (a->admin) {
        im_logic_account_end_admin(a, code);

    } else {
        im_logic_account_reply(a->r, 200, code, NULL, NULL);
    }
}


void
im_logic_account_refuse(im_logic_account_t *a, const char *why)
{
    if (a->admin) {
        im_logic_reply_error(a->r, 400, why != NULL ? why
                                                    : "the body is not JSON");

    } else {
        im_logic_account_reply(a->r, 200, IM_ACCOUNT_INVALID, why, NULL);
    }
}


void
im_logic_account_identity(im_logic_account_t *a, int code)
{
    im_buf_t  *b;

    b = im_daemon_buf(a->r, IM_TOKEN_MAX + 4096);

    im_logic_print(b, "{\"Auth\":%j,\"UserId\":%j,\"UserName\":%j}", a->token,
                   a->user, a->name);

    im_logic_account_reply(a->r, 200, code, NULL, b);
}


im_int_t
im_logic_account_read(im_daemon_request_t *r, im_logic_account_body_t *body,
    const char **why)
{
    memset(body, 0, sizeof(im_logic_account_body_t));

    if (!im_utf8_valid(r->body)) {
        *why = "Body.Text:Must be UTF-8";
        return IM_ERROR;
    }

    if (r->body.len > IM_ACCOUNT_BODY
        || im_logic_decode(r, r->body, im_logic_account_fields,
                           IM_JSON_ANY_CASE | IM_JSON_LAX, body, why)
           != IM_OK)
    {
        *why = NULL;
        return IM_ERROR;
    }

    return IM_OK;
}


void
im_logic_account_wipe_text(im_daemon_request_t *r, im_str_t password)
{
    if (password.len != 0) {
        explicit_bzero(password.data, password.len);
    }

    if (r->body.len != 0) {
        explicit_bzero(r->body.data, r->body.len);
    }
}


void
im_logic_account_wipe(im_daemon_request_t *r,
    const im_logic_account_body_t *body)
{
    im_logic_account_wipe_text(r, body->password);
    im_logic_account_wipe_text(r, body->next);
}


im_int_t
im_logic_account_name(im_logic_account_t *a, im_str_t typed, const char **why)
{
    size_t     n;
    im_buf_t  *b;

    if (typed.len == 0) {
        *why = "UserName.Required:Can not be empty";
        return IM_ERROR;
    }

    b = im_daemon_buf(a->r, IM_NAME_KEY_BYTES);

    if (!im_name_valid(typed) || im_logic_name_form(b, typed) != IM_OK) {
        *why = "UserName.Text:Must be text without control characters";
        return IM_ERROR;
    }

    n = im_utf8_count(im_buf_str(b));

    if (n < IM_ACCOUNT_NAME_MIN) {
        *why = "UserName.MinSize:Minimum size is 3";
        return IM_ERROR;
    }

    if (n > IM_ACCOUNT_NAME_MAX) {
        *why = "UserName.MaxSize:Maximum size is 20";
        return IM_ERROR;
    }

    a->name = im_buf_str(b);

    if (!im_str_eq(typed, a->name)) {
        a->typed = typed;
    }

    return IM_OK;
}


const char *
im_logic_password_fault(im_str_t password)
{
    if (password.len == 0) {
        return "Password.Required:Can not be empty";
    }

    if (password.len > IM_PASSWORD_MAX) {
        return "Password.MaxSize:Maximum size is 1024 bytes";
    }

    if (!im_text_valid(password)) {
        return "Password.Text:Must be text without control characters";
    }

    if (im_utf8_count(password) < IM_PASSWORD_MIN_SIZE) {
        return "Password.MinSize:Minimum size is 6";
    }

    return NULL;
}


/* The first that are tried. */
const char *
im_logic_password_weak(im_str_t password, im_str_t name)
{
    size_t  i, len;

    if (password.len == name.len
        && strncasecmp((char *) password.data, (char *) name.data, name.len)
           == 0)
    {
        return "Password.Weak:Must not be the name";
    }

    /* the bytes of the first character */

    for (len = 1; len < password.len; len++) {
        if ((password.data[len] & 0xc0) != 0x80) {
            break;
        }
    }

    for (i = len; i < password.len; i++) {
        if (password.data[i] != password.data[i - len]) {
            return NULL;
        }
    }

    return "Password.Weak:Must not be one character repeated";
}


static im_logic_hit_e
im_logic_account_hit(char kind)
{
    switch (kind) {

    case IM_LIMIT_NAME:
        return IM_HIT_LOGINS_OF_NAME;

    case IM_LIMIT_NETWORK:
        return IM_HIT_LOGINS_OF_NETWORK;

    case IM_LIMIT_TRUSTED:
        return IM_HIT_LOGINS_OF_TRUSTED;

    case IM_LIMIT_REGISTER:
        return IM_HIT_ACCOUNTS_OF_ADDRESS;

    default:
        return IM_HIT_LOGINS_OF_ADDRESS;
    }
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
        a->logic->counters.hits[a->limit]++;
        address = a->r->address;
        im_daemon_log(IM_LOG_INFO, "%.*s: too many attempts",
                      (int) im_min(address.len, IM_ACCOUNT_ADDRESS),
                      (char *) address.data);
        im_logic_account_end(a, IM_ACCOUNT_OFTEN);
        return;

    default:
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }
}


void
im_logic_account_limit(im_logic_account_t *a, char kind, uint64_t n,
    im_str_t subject, im_logic_account_pt next)
{
    im_logic_limit_t  limit;

    a->next = next;

    if (!im_link_ready(a->logic->link, IM_LINK_REGISTRY)) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    if (n == 0) {
        next(a);
        return;
    }

    a->limit = im_logic_account_hit(kind);

    limit.kind = kind;
    limit.n = n;
    limit.period = a->logic->conf.limit_period;
    limit.subject = subject;

    im_logic_limit(a->logic, &limit, im_logic_account_limit_handler, a);
}


void
im_logic_account_limit_address(im_logic_account_t *a, char kind, uint64_t n,
    im_logic_account_pt next)
{
    im_buf_t  *b;

    b = im_daemon_buf(a->r, 256);
    im_logic_limit_address(b, a->r->address);

    if (b->failed) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_limit(a, kind, n, im_buf_str(b), next);
}


void
im_logic_account_key(im_logic_account_t *a, im_link_call_t *call)
{
    im_key_account(&call->bytes, im_link_keys(a->logic->link),
                   im_logic_partition(a->logic, a->name), a->name);
    im_link_call_key(call);
}


static void
im_logic_account_find_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "reading an account") != NULL
        || im_link_reply_len(reply) != 3)
    {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    a->user = im_daemon_copy(a->r, im_link_reply_str_at(reply, 0));
    a->stored = im_daemon_copy(a->r, im_link_reply_str_at(reply, 1));
    a->created = im_daemon_copy(a->r, im_link_reply_str_at(reply, 2));

    if (a->user.data == NULL || a->stored.data == NULL
        || a->created.data == NULL)
    {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    if (!im_name_valid(a->user)) {
        a->user.len = 0;
        a->stored.len = 0;
    }

    /* older accounts have names in any form */

    if (a->user.len == 0 && a->typed.len != 0) {
        a->name = a->typed;
        a->typed.len = 0;
        im_logic_account_find(a, a->next);
        return;
    }

    a->next(a);
}


void
im_logic_account_find(im_logic_account_t *a, im_logic_account_pt next)
{
    im_link_call_t  *call;

    a->next = next;

    call = im_link_command(a->logic->link, "HMGET");

    im_logic_account_key(a, call);
    im_link_call_z(call, "id");
    im_link_call_z(call, "hash");
    im_link_call_z(call, "created");

    im_logic_send(a->logic, im_logic_account_find_handler, a);
}


void
im_logic_account_hash(im_logic_account_t *a,
    void (*done)(im_logic_task_t *task))
{
    im_buf_t  *b;

    b = im_daemon_buf(a->r, 512);

    if (a->by_token) {
        im_buf_add_str(b, a->subject);

    } else {
        im_logic_limit_address(b, a->r->address);
    }

    a->crypt.task.done = done;
    a->crypt.task.owner = im_siphash(a->logic->seed, b->data, b->len);

    if (im_logic_pool_add(a->logic->pool, &a->crypt.task) != IM_OK) {
        a->logic->counters.hits[IM_HIT_HASH_QUEUE]++;
        im_daemon_log(IM_LOG_WARN, "too many passwords wait to be hashed");
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
    }
}


void
im_logic_account_names(im_logic_account_t *a, const char *what,
    im_link_reply_pt handler)
{
    im_link_call_t  *call;

    call = im_link_script(a->logic->link, &im_script_names);

    im_key_names(&call->bytes, im_link_keys(a->logic->link));
    im_link_call_key(call);
    im_link_call_z(call, what);
    im_logic_looks_keys(call, a->name,
                        im_daemon_buf(a->r, IM_NAME_KEYS * IM_NAME_KEY_BYTES));

    im_logic_send(a->logic, handler, handler != NULL ? a : NULL);
}


void
im_logic_account_store(im_logic_account_t *a, const char *hash, im_str_t old,
    im_link_reply_pt handler)
{
    im_link_call_t  *call;

    call = im_link_script(a->logic->link, &im_script_register);

    im_logic_account_key(a, call);
    im_link_call_z(call, "hash");
    im_link_call_str(call, a->user);
    im_link_call_z(call, hash);
    im_link_call_str(call, old);

    im_logic_send(a->logic, handler, handler != NULL ? a : NULL);
}
