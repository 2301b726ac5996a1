/*
 * Copyright (C) The im authors
 *
 * Tokens of accounts.  The set of a user has the hash of each that lives: it is
 * written before the token and outlives it.
 */

#include <stdio.h>

#include "im_logic_account.h"
#include "im_logic_control.h"
#include "im_logic_token.h"
#include "im_ask.h"


#define IM_ACCOUNT_COOKIE  86400   /* s, at most */


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


/*
 * The sessions that a login has opened, by its token's hash.  If it fails, they
 * stay: who wants to be sure ends all tokens of the user.
 */
static void
im_logic_account_close(im_logic_account_t *a, im_str_t hash)
{
    im_control_t  control;

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    control.user = a->user;
    control.login = im_str_set(hash.data, IM_ASK_LOGIN);
    control.reason = im_str_z("logged out");

    im_logic_control(a->r, &control, NULL, NULL);
}


/* The set of a user has the tokens of older versions as they were. */
static void
im_logic_account_drop_member(im_logic_account_t *a, im_str_t member)
{
    u_char           hash[IM_SECRET_HASH];
    im_str_t         old;
    im_link_call_t  *call;

    old = member;

    if (member.len != IM_SECRET_HASH
        && im_logic_secret_hash(member, hash) == IM_OK)
    {
        old = im_str_set(hash, IM_SECRET_HASH);
    }

    call = im_link_script(a->logic->link, &im_script_token);

    if (member.len == IM_SECRET_HASH) {
        im_logic_token_key(a->logic, call, member);

    } else {
        im_logic_token_plain(call, member);
    }

    a->left++;

    im_logic_account_drop(a, call, a->user, 1, im_logic_account_drop_handler);

    if (!a->all && old.len == IM_SECRET_HASH) {
        im_logic_account_close(a, old);
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
        im_logic_account_drop_member(a, im_link_reply_str_at(reply, i));
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
im_logic_account_tokens(im_logic_account_t *a, im_str_t hash, uint64_t max,
    im_logic_account_pt next)
{
    im_link_call_t  *call;

    a->next = next;

    call = im_link_script(a->logic->link, &im_script_login);

    im_logic_account_tokens_key(a, call);
    im_link_call_str(call, hash);
    im_link_call_uint(call, a->logic->conf.token_life * 1000);
    im_link_call_uint(call, max);

    im_logic_send(a->logic, im_logic_account_tokens_handler, a);
}


/* By https, or so says the proxy in front. */
static int
im_logic_account_secure(const im_daemon_request_t *r)
{
    im_str_t  https = im_str("https");

    return im_str_eq(r->scheme, https) || im_str_eq(r->forwarded_proto, https);
}


static void
im_logic_account_login_set_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "token.lua") != NULL
        || im_link_reply_int(reply, -1) != 1)
    {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    (void) snprintf(a->cookie, sizeof(a->cookie),
                    "auth=%.*s; Max-Age=%u; Path=/; HttpOnly; SameSite=Lax%s",
                    (int) a->token.len, (char *) a->token.data,
                    (unsigned) im_min(a->logic->conf.token_life,
                                      IM_ACCOUNT_COOKIE),
                    im_logic_account_secure(a->r) ? "; Secure" : "");
    a->r->cookie = a->cookie;

    im_logic_account_identity(a, IM_ACCOUNT_OK);
}


static void
im_logic_account_login_set(im_logic_account_t *a)
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

    im_logic_send(a->logic, im_logic_account_login_set_handler, a);
}


void
im_logic_account_login(im_logic_account_t *a)
{
    im_logic_secret_token(a->token_data);

    a->token = im_str_set(a->token_data, IM_SECRET_TOKEN);
    a->hash = im_str_set(a->hash_data, IM_SECRET_HASH);

    if (im_logic_secret_hash(a->token, a->hash_data) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_tokens(a, a->hash, a->logic->conf.user_tokens,
                            im_logic_account_login_set);
}


static void
im_logic_account_out_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_control_read(reply) != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    a->then(a);
}


static void
im_logic_account_out_close(im_logic_account_t *a)
{
    im_control_t  control;

    if (a->failed) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    im_control_init(&control, IM_CONTROL_DISCONNECT);

    control.user = a->user;
    control.reason = im_str_z(a->reason);

    im_logic_control(a->r, &control, im_logic_account_out_handler, a);
}


void
im_logic_account_out(im_logic_account_t *a, const char *reason,
    im_logic_account_pt then)
{
    a->reason = reason;
    a->then = then;
    a->all = 1;

    im_logic_account_tokens(a, im_str_z(""), 0, im_logic_account_out_close);
}


static void
im_logic_account_token_drop(im_logic_account_t *a, im_link_call_t *call,
    im_link_reply_pt handler)
{
    im_str_t  none = im_null_str;

    im_logic_account_drop(a, call, none, !a->logic->conf.foreign_tokens,
                          handler);
}


/* It was no token of ours: perhaps it stands in Redis as it is. */
static void
im_logic_account_token_end_handler(const im_link_reply_t *reply, void *data)
{
    im_link_call_t      *call;
    im_logic_account_t  *a = data;

    if (reply == NULL || im_link_reply_is_error(reply)
        || im_link_reply_str(reply).len != 0)
    {
        a->ended(reply, a);
        return;
    }

    call = im_link_script(a->logic->link, &im_script_token);

    im_logic_token_plain(call, a->token);
    im_logic_account_token_drop(a, call, a->ended);
}


void
im_logic_account_token_end(im_logic_account_t *a, im_link_reply_pt handler)
{
    im_link_call_t  *call;

    a->ended = handler;
    a->hash = im_str_set(a->hash_data, IM_SECRET_HASH);

    if (im_logic_secret_hash(a->token, a->hash_data) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    call = im_link_script(a->logic->link, &im_script_token);

    im_logic_token_key(a->logic, call, a->hash);
    im_logic_account_token_drop(a, call, im_logic_account_token_end_handler);
}


/* If it fails, the token leaves the user's set when its time is over. */
void
im_logic_account_token_off(im_logic_account_t *a)
{
    im_link_call_t  *call;

    im_logic_account_close(a, a->hash);

    call = im_link_command(a->logic->link, "ZREM");

    im_logic_account_tokens_key(a, call);
    im_link_call_str(call, a->token);
    im_link_call_str(call, a->hash);

    im_logic_send(a->logic, NULL, NULL);
}


static void
im_logic_account_remove_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "register.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    /* if it fails, the name stays out of reach */

    im_logic_account_names(a, "free", NULL);
    im_logic_account_end(a, IM_ACCOUNT_OK);
}


static void
im_logic_account_remove_now(im_logic_account_t *a)
{
    im_link_call_t  *call;

    call = im_link_script(a->logic->link, &im_script_register);

    im_logic_account_key(a, call);
    im_link_call_z(call, "del");
    im_link_call_str(call, a->user);

    im_logic_send(a->logic, im_logic_account_remove_handler, a);
}


/* The account is last, so that what fails can be tried again. */
void
im_logic_account_remove(im_logic_account_t *a)
{
    im_logic_account_out(a, "the account was deleted",
                         im_logic_account_remove_now);
}
