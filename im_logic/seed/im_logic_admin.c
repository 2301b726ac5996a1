/*
 * Copyright (C) The im authors
 *
 * /im/accounts/NAME: what an operator does with an account: GET shows it, POST
 * sets its password, DELETE removes it.  nginx says who may.
 */

#include "im_logic_account.h"
#include "im_logic_print.h"
#include "im_logic_seed.h"


typedef struct {
    im_str_t  password;
} im_logic_admin_body_t;


static const im_json_field_t  im_logic_admin_fields[] = {
    im_json_row(im_logic_admin_body_t, STRING, password),
    im_json_end
};


static void
im_logic_admin_done(im_logic_account_t *a)
{
    im_logic_account_end(a, IM_ACCOUNT_OK);
}


/* NULL: the request has been answered. */
static im_logic_account_t *
im_logic_admin_new(im_daemon_request_t *r)
{
    const char          *why;
    im_logic_account_t  *a;

    a = im_logic_account_new(r, 1);

    if (a != NULL
        && im_logic_account_name(a, r->name,
                                 &why)
           != IM_OK)
    {
        im_logic_reply_error(r, 400, "the name is not valid");
        return NULL;
    }

    return a;
}


/* An account is there; else the request has been answered. */
static int
im_logic_admin_found(im_logic_account_t *a)
{
    if (a->user.len != 0) {
        return 1;
    }

    im_logic_account_end(a, IM_ACCOUNT_NO_USER);

    return 0;
}


static void
im_logic_admin_show(im_logic_account_t *a)
{
    im_buf_t  *b;
    uint64_t   created;

    if (!im_logic_admin_found(a)) {
        return;
    }

    b = im_daemon_buf(a->r, 4096);

    im_logic_print(b, "{\"name\":%j,\"user\":%j", a->name, a->user);

    if (im_decimal_decode(a->created, &created) == IM_OK) {
        im_logic_print(b, ",\"created\":%u", created);
    }

    im_buf_add_z(b, "}");
    im_logic_reply_data(a->r, b);
}


void
im_logic_admin_show_handler(im_daemon_request_t *r)
{
    im_logic_account_t  *a;

    a = im_logic_admin_new(r);

    if (a != NULL) {
        im_logic_account_find(a, im_logic_admin_show);
    }
}


static void
im_logic_admin_store_handler(const im_link_reply_t *reply, void *data)
{
    im_logic_account_t  *a = data;

    if (im_logic_fault(reply, "register.lua") != NULL) {
        im_logic_account_end(a, IM_ACCOUNT_DATABASE);

    } else if (im_link_reply_int(reply, 0) != 1) {
        im_logic_account_end(a, IM_ACCOUNT_NO_USER);

    } else {
        im_logic_account_out(a, "the password was changed",
                             im_logic_admin_done);
    }
}


static void
im_logic_admin_hash_handler(im_logic_task_t *task)
{
    im_logic_account_t  *a = (im_logic_account_t *) task;

    if (task->dropped || a->crypt.rc != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_store(a, a->crypt.hash, im_str_z(""),
                           im_logic_admin_store_handler);
}


static void
im_logic_admin_set(im_logic_account_t *a)
{
    if (!im_logic_admin_found(a)) {
        return;
    }

    if (im_logic_crypt_make(&a->crypt, a->logic->conf.hash_cost) != IM_OK) {
        im_logic_account_end(a, IM_ACCOUNT_SYSTEM);
        return;
    }

    im_logic_account_hash(a, im_logic_admin_hash_handler);
}


void
im_logic_admin_set_handler(im_daemon_request_t *r)
{
    const char             *why;
    im_logic_account_t     *a;
    im_logic_admin_body_t   body;

    a = im_logic_admin_new(r);
    if (a == NULL) {
        return;
    }

    memset(&body, 0, sizeof(im_logic_admin_body_t));

    if (im_logic_decode(r, r->body, im_logic_admin_fields, 0, &body, &why)
        == IM_OK)
    {
        why = im_logic_password_fault(body.password);

        if (why == NULL) {
            why = im_logic_password_weak(body.password, a->name);
        }

        if (why == NULL
            && im_logic_crypt_password(&a->crypt, body.password) != IM_OK)
        {
            why = "no memory";
        }
    }

    im_logic_account_wipe_text(r, body.password);

    if (why != NULL) {
        im_logic_account_refuse(a, why);
        return;
    }

    im_logic_account_find(a, im_logic_admin_set);
}


static void
im_logic_admin_remove(im_logic_account_t *a)
{
    if (im_logic_admin_found(a)) {
        im_logic_account_remove(a);
    }
}


void
im_logic_admin_remove_handler(im_daemon_request_t *r)
{
    im_logic_account_t  *a;

    a = im_logic_admin_new(r);

    if (a != NULL) {
        im_logic_account_find(a, im_logic_admin_remove);
    }
}
