/*
 * Copyright (C) The im authors
 *
 * POST /v1/user/check_auth, GET /v1/user/logout.
 */

#include "im_logic_account.h"
#include "im_logic_seed.h"
#include "im_logic_token.h"


#define IM_TOKEN_MIN  3


static void
im_logic_check_auth_token_handler(im_login_e rc,
    const im_logic_login_t *login, void *data)
{
    im_logic_account_t  *a = data;

    switch (rc) {

    case IM_LOGIN_FOUND:
        a->user = login->user;
        a->name = login->name;
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


/* In the head of the request, or in its body. */
static im_int_t
im_logic_check_auth_read(im_daemon_request_t *r, im_str_t *token,
    const char **why)
{
    im_int_t                  rc;
    im_logic_account_body_t   body;

    *why = NULL;
    rc = im_logic_token_shown(r, token);

    if (rc == IM_DECLINED) {
        rc = im_logic_account_read(r, &body, why);
        *token = body.auth;
    }

    if (rc != IM_OK) {
        return IM_ERROR;
    }

    *why = token->len == 0 ? "Auth.Required:Can not be empty"
           : token->len < IM_TOKEN_MIN ? "Auth.MinSize:Minimum size is 3"
           : token->len > IM_TOKEN_MAX ? "Auth.MaxSize:Maximum size is 8192"
           : NULL;

    return *why == NULL ? IM_OK : IM_ERROR;
}


void
im_logic_check_auth_handler(im_daemon_request_t *r)
{
    const char          *why;
    im_logic_account_t  *a;

    a = im_logic_account_new(r, 0);
    if (a == NULL) {
        return;
    }

    if (im_logic_check_auth_read(r, &a->token, &why) != IM_OK) {
        im_logic_account_refuse(a, why);
        return;
    }

    if (!im_logic_token_valid(a->token)) {
        a->token.len = 0;
        im_logic_account_identity(a, IM_ACCOUNT_NO_AUTH);
        return;
    }

    im_logic_token_find(r, a->token, im_logic_check_auth_token_handler, a);
}


static void
im_logic_logout_done(im_logic_account_t *a)
{
    im_logic_account_end(a, IM_ACCOUNT_OK);
}


static void
im_logic_logout_token_handler(const im_link_reply_t *reply, void *data)
{
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
        im_logic_account_out(a, "logged out", im_logic_logout_done);
        return;
    }

    im_logic_account_token_off(a);
    im_logic_logout_done(a);
}


void
im_logic_logout_handler(im_daemon_request_t *r)
{
    im_str_t             all, one = im_str("1");
    im_logic_account_t  *a;

    a = im_logic_account_new(r, 0);
    if (a == NULL) {
        return;
    }

    if (im_logic_token_shown(r, &a->token) != IM_OK || a->token.len == 0) {
        im_logic_account_end(a, IM_ACCOUNT_INVALID);
        return;
    }

    a->all = im_logic_query(r, "all", r->query.len, &all) == IM_OK
             && im_str_eq(all, one);

    if (im_logic_token_valid(a->token)) {
        im_logic_account_token_end(a, im_logic_logout_token_handler);

    } else {
        im_logic_logout_done(a);
    }
}
