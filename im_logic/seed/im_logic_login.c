/*
 * Copyright (C) The im authors
 *
 * POST /v1/user/login, password and delete: what a name and its password
 * allow.  A name without an account takes as long as a wrong password.
 */

#include "im_logic_account.h"
#include "im_logic_revoked.h"
#include "im_logic_seed.h"
#include "im_logic_token.h"


static void
im_logic_prove_kept_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    switch (im_logic_revoked_read(reply)) {

    case 0:
        a->proved(a);
        return;

    case 1:
        im_logic_account_end(a, IM_ACCOUNT_KEPT_OUT);
        return;

    default:
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }
}


static void
im_logic_prove_hash_handler(im_logic_task_t *task)
{
    im_logic_account_t  *a = (im_logic_account_t *) task;

    if (task->dropped || a->crypt.rc == IM_ERROR) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    if (a->crypt.rc == IM_DECLINED || a->user.len == 0) {
        im_logic_account_end(a, IM_ACCOUNT_WRONG);
        return;
    }

    im_logic_attempt_right(a);

    /* of an account that is older than the looks of names */
    im_logic_account_names(a, "keep", NULL);

    im_logic_revoked(a->logic, a->user, im_logic_prove_kept_handler, a);
}


static void
im_logic_prove_hash(im_logic_account_t *a)
{
    if (im_logic_crypt_check(&a->crypt, a->stored, a->logic->conf.hash_cost)
        != IM_OK)
    {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_prove_hash_handler);
}


static void
im_logic_prove_attempt(im_logic_account_t *a)
{
    im_logic_attempt(a, im_logic_prove_hash);
}


static im_int_t
im_logic_prove_check(im_logic_account_t *a,
    const im_logic_account_body_t *body, int renews, const char **why)
{
    if (im_logic_account_name(a, body->name, why) != IM_OK) {
        return IM_ERROR;
    }

    *why = im_logic_password_fault(body->password);

    if (*why == NULL && renews) {
        *why = im_logic_password_fault(body->next);

        if (*why == NULL) {
            *why = im_logic_password_weak(body->next, a->name);
        }

        if (*why == NULL && im_logic_crypt_next(&a->crypt, body->next) != IM_OK)
        {
            return IM_ERROR;
        }
    }

    return *why == NULL ? im_logic_crypt_password(&a->crypt, body->password)
                        : IM_ERROR;
}


/* proved follows where the password is right. */
static void
im_logic_prove(im_daemon_request_t *r, int renews, im_logic_account_pt proved)
{
    im_int_t                  rc;
    const char               *why;
    im_logic_account_t       *a;
    im_logic_account_body_t   body;

    a = im_logic_account_new(r, 0);
    if (a == NULL) {
        return;
    }

    a->proved = proved;

    rc = im_logic_account_read(r, &body, &why);

    if (rc == IM_OK) {
        rc = im_logic_prove_check(a, &body, renews, &why);
    }

    im_logic_account_wipe(r, &body);

    if (rc != IM_OK) {
        im_logic_account_refuse(a, why);
        return;
    }

    /* who has a token has attempts of its own */

    if (im_logic_token_shown(r, &a->token) != IM_OK) {
        a->token = body.auth;
    }

    im_logic_account_find(a, im_logic_prove_attempt);
}


static void
im_logic_login_proved(im_logic_account_t *a)
{
    /* of another method or cost; a failure waits for the next login */

    if (a->crypt.renewed[0] != '\0') {
        im_logic_account_store(a, a->crypt.renewed, a->stored, NULL);
    }

    im_logic_account_login(a);
}


void
im_logic_login_handler(im_daemon_request_t *r)
{
    im_logic_prove(r, 0, im_logic_login_proved);
}


static void
im_logic_password_store_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "register.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    /* somebody else has changed it meanwhile */

    if (im_link_reply_int(reply, 0) != 1) {
        im_logic_account_end(a, IM_ACCOUNT_WRONG);
        return;
    }

    im_logic_account_out(a, "the password was changed",
                         im_logic_account_login);
}


static void
im_logic_password_proved(im_logic_account_t *a)
{
    if (a->crypt.renewed[0] == '\0') {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_store(a, a->crypt.renewed, a->stored,
                           im_logic_password_store_handler);
}


void
im_logic_password_handler(im_daemon_request_t *r)
{
    im_logic_prove(r, 1, im_logic_password_proved);
}


void
im_logic_delete_handler(im_daemon_request_t *r)
{
    im_logic_prove(r, 0, im_logic_account_remove);
}
