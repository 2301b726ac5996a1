/*
 * Copyright (C) The im authors
 *
 * POST /v1/user/register.
 *
 * The looks of the name are taken before the account is made.  Where that
 * fails, they are the name's all the same: the next attempt finds them free.
 */

#include "im_logic_account.h"
#include "im_logic_name.h"
#include "im_logic_seed.h"
#include "im_daemon_time.h"


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
im_logic_register_names_handler(const im_link_reply_t *reply, void *data)
{
    u_char               random[IM_ACCOUNT_ID / 2];
    im_link_call_t      *call;
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "names.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);
        return;
    }

    if (im_link_reply_int(reply, 0) != 1) {
        im_logic_account_end(a, IM_ACCOUNT_EXISTS);
        return;
    }

    im_daemon_random(random, sizeof(random));
    im_logic_secret_hex(a->user_data, random, sizeof(random));

    call = im_link_script(a->logic->link, &im_script_register);

    im_logic_account_key(a, call);
    im_link_call_z(call, "new");
    im_link_call_str(call, im_str_set(a->user_data, IM_ACCOUNT_ID));
    im_link_call_str(call, a->name);
    im_link_call_z(call, a->crypt.hash);
    im_link_call_uint(call, im_logic_time());

    im_logic_send(a->logic, im_logic_register_store_handler, a);
}


static void
im_logic_register_hash_handler(im_logic_task_t *task)
{
    im_logic_account_t  *a = (im_logic_account_t *) task;

    if (task->dropped || a->crypt.rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_names(a, "take", im_logic_register_names_handler);
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


static im_int_t
im_logic_register_check(im_logic_account_t *a,
    const im_logic_account_body_t *body, const char **why)
{
    if (im_logic_account_name(a, body->name, why) != IM_OK) {
        return IM_ERROR;
    }

    *why = im_logic_name_fault(a->name);

    if (*why == NULL) {
        *why = im_logic_password_fault(body->password);
    }

    if (*why == NULL) {
        *why = im_logic_password_weak(body->password, a->name);
    }

    return *why == NULL ? im_logic_crypt_password(&a->crypt, body->password)
                        : IM_ERROR;
}


void
im_logic_register_handler(im_daemon_request_t *r)
{
    im_int_t                  rc;
    const char               *why;
    im_logic_t               *logic;
    im_logic_account_t       *a;
    im_logic_account_body_t   body;

    logic = r->data;
    a = im_logic_account_new(r, 0);

    if (a == NULL) {
        return;
    }

    rc = im_logic_account_read(r, &body, &why);

    if (rc == IM_OK) {
        rc = im_logic_register_check(a, &body, &why);
    }

    im_logic_account_wipe(r, &body);

    if (rc != IM_OK) {
        im_logic_account_refuse(a, why);
        return;
    }

    im_logic_account_limit_address(a, IM_LIMIT_REGISTER,
                                   logic->conf.register_limit,
                                   im_logic_register_hash);
}
