/*
 * Copyright (C) The im authors
 *
 * How often the password of a name may be tried.
 *
 * A network has so many attempts at a name, and all together some more.  A
 * stranger uses up what its own network has, so the name's owner gets in from
 * another one.  Strangers of many networks can use up what the name has.  Then
 * the owner gets in from an address where a login was right before, or by a
 * token: those have attempts of their own.  A token counts at any address, also
 * at one that strangers share.  A name without an account is limited alike.
 */

#include "im_logic_account.h"
#include "im_logic_token.h"


#define IM_ATTEMPT_BYTES  512      /* of a subject */


static void
im_logic_attempt_hash(im_logic_account_t *a)
{
    a->then(a);
}


static void
im_logic_attempt_name(im_logic_account_t *a)
{
    im_logic_account_limit(a, IM_LIMIT_NAME, a->logic->conf.name_limit,
                           a->name, im_logic_attempt_hash);
}


/* The name, and behind its last space where the attempt comes from. */
static im_buf_t *
im_logic_attempt_subject(im_logic_account_t *a)
{
    im_buf_t  *b;

    b = im_daemon_buf(a->r, IM_ATTEMPT_BYTES);

    im_buf_add_str(b, a->name);
    im_buf_add_z(b, " ");

    return b;
}


static void
im_logic_attempt_limit(im_logic_account_t *a, char kind, im_buf_t *subject,
    im_logic_account_pt next)
{
    if (subject->failed) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    a->kind = kind;
    a->subject = im_buf_str(subject);

    im_logic_account_limit(a, kind, a->logic->conf.login_limit, a->subject,
                           next);
}


static void
im_logic_attempt_known_handler(const im_link_reply_t *reply, void *data)
{
    im_buf_t            *b;
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "reading a known address") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    b = im_logic_attempt_subject(a);

    if (im_link_reply_int(reply, 0) == 1) {
        im_logic_limit_address(b, a->r->address);
        im_logic_attempt_limit(a, IM_LIMIT_TRUSTED, b, im_logic_attempt_hash);

    } else {
        im_logic_limit_network(b, a->r->address);
        im_logic_attempt_limit(a, IM_LIMIT_NETWORK, b, im_logic_attempt_name);
    }
}


/* A hash: Redis doesn't say where a user was. */
static void
im_logic_attempt_known_key(im_logic_account_t *a, im_link_call_t *call)
{
    u_char     hash[IM_SECRET_HASH];
    im_buf_t  *b;

    b = im_logic_attempt_subject(a);
    im_logic_limit_address(b, a->r->address);

    if (b->failed || im_logic_secret_hash(im_buf_str(b), hash) != IM_OK) {
        call->bytes.failed = 1;
        return;
    }

    im_logic_limit_key(a->logic, call, IM_LIMIT_KNOWN,
                       im_str_set(hash, sizeof(hash)));
}


static void
im_logic_attempt_known(im_logic_account_t *a)
{
    im_link_call_t  *call;

    call = im_link_command(a->logic->link, "EXISTS");
    im_logic_attempt_known_key(a, call);

    im_logic_send(a->logic, im_logic_attempt_known_handler, a);
}


/* The address first: one over its limit uses up no attempts of a name. */
static void
im_logic_attempt_address(im_logic_account_t *a)
{
    im_logic_account_limit_address(a, IM_LIMIT_ADDRESS,
                                   a->logic->conf.address_limit,
                                   im_logic_attempt_known);
}


static void
im_logic_attempt_token_handler(im_login_e rc, const im_logic_login_t *login,
    void *data)
{
    u_char               hash[IM_SECRET_HASH];
    im_buf_t            *b;
    im_logic_account_t  *a = data;

    if (rc != IM_LOGIN_FOUND
        || !im_str_eq(login->user, a->user)
        || im_logic_secret_hash(a->token, hash) != IM_OK)
    {
        im_logic_attempt_address(a);
        return;
    }

    a->by_token = 1;

    b = im_logic_attempt_subject(a);
    im_buf_add(b, hash, sizeof(hash));

    im_logic_attempt_limit(a, IM_LIMIT_TRUSTED, b, im_logic_attempt_hash);
}


void
im_logic_attempt(im_logic_account_t *a, im_logic_account_pt next)
{
    a->then = next;

    if (im_logic_token_valid(a->token)) {
        im_logic_token_find(a->r, a->token, im_logic_attempt_token_handler, a);

    } else {
        im_logic_attempt_address(a);
    }
}


/* If it fails, attempts count a while longer, or the address isn't known. */
void
im_logic_attempt_right(im_logic_account_t *a)
{
    im_link_call_t  *call;

    if (a->logic->conf.login_limit != 0) {
        im_logic_limit_clear(a->logic, a->kind, a->subject);
    }

    call = im_link_command(a->logic->link, "SET");

    im_logic_attempt_known_key(a, call);
    im_link_call_z(call, "1");
    im_link_call_z(call, "EX");
    im_link_call_uint(call, a->logic->conf.token_life);

    im_logic_send(a->logic, NULL, NULL);
}
