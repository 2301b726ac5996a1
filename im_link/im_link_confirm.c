/*
 * Copyright (C) The im authors
 *
 * Which writes of a connection have reached the replicas.
 *
 * The number of replicas is asked for behind the writes and in front of each
 * WAIT: the number that the WAIT was given may be too low by then.
 */

#include <stdio.h>

#include "im_link_confirm.h"
#include "im_link_settings.h"


typedef struct {
    im_list_t            link;
    im_link_confirm_pt   handler;
    void                *data;
} im_link_unconfirmed_t;


static im_int_t im_link_confirm_ask(im_link_confirm_t *confirm);


void
im_link_confirm_init(im_link_confirm_t *confirm, im_link_conn_t *conn,
    im_link_call_t *own, uint64_t least, uint64_t timeout)
{
    memset(confirm, 0, sizeof(im_link_confirm_t));

    confirm->conn = conn;
    confirm->own = own;
    confirm->least = im_max(least, 1);
    confirm->timeout = im_max(timeout, 1);

    im_list_init(&confirm->list);
}


/* A handler may destroy the link: the list is one of this function. */
static void
im_link_confirm_end(im_link_confirm_t *confirm, const char *why)
{
    im_list_t               list, *q;
    im_link_unconfirmed_t  *u;

    im_list_init(&list);

    while (!im_list_empty(&confirm->list)) {
        q = im_list_first(&confirm->list);
        im_list_remove(q);
        im_list_insert_tail(&list, q);
    }

    while (!im_list_empty(&list)) {
        q = im_list_first(&list);
        im_list_remove(q);

        u = im_list_data(q, im_link_unconfirmed_t, link);
        u->handler(why, u->data);
        im_free(u);
    }
}


static void
im_link_confirm_info_handler(const im_link_reply_t *reply, void *data)
{
    im_link_settings_t   s;
    im_link_confirm_t   *confirm = data;

    if (reply != NULL && !im_link_reply_is_error(reply)) {
        im_link_settings_init(&s);
        im_link_settings_info(&s, im_link_reply_str(reply));
        confirm->online = s.online;
    }
}


static void
im_link_confirm_wait_handler(const im_link_reply_t *reply, void *data)
{
    int64_t             n;
    uint64_t            wanted, needed;
    im_link_confirm_t  *confirm = data;

    n = im_link_reply_int(reply, -1);
    wanted = confirm->wanted;
    needed = im_max(confirm->least, confirm->online);
    confirm->wanted = 0;

    if (n < 0) {
        (void) snprintf(confirm->why, IM_LINK_CONFIRM_WHY, "%s",
                        reply == NULL ? "redis is away" : "WAIT is refused");

    } else if ((uint64_t) n >= needed) {
        im_link_confirm_end(confirm, NULL);
        return;

    } else if ((uint64_t) n >= wanted
               && im_link_confirm_ask(confirm) == IM_OK)
    {
        return;

    } else {
        (void) snprintf(confirm->why, IM_LINK_CONFIRM_WHY,
                        "%llu of %llu replicas have it",
                        (unsigned long long) n, (unsigned long long) needed);
    }

    im_link_confirm_end(confirm, confirm->why);
}


static im_int_t
im_link_confirm_ask(im_link_confirm_t *confirm)
{
    uint64_t         wanted;
    im_link_call_t  *own;

    if (confirm->conn->state != IM_LINK_READY) {
        return IM_ERROR;
    }

    own = confirm->own;
    wanted = im_max(confirm->least, confirm->online);

    im_link_call_start(own, "INFO replication");

    if (im_link_conn_send(confirm->conn, own, im_link_confirm_info_handler,
                          confirm)
        != IM_OK)
    {
        return IM_ERROR;
    }

    im_link_call_start(own, "WAIT");
    im_link_call_uint(own, wanted);
    im_link_call_uint(own, confirm->timeout);

    if (im_link_conn_send(confirm->conn, own, im_link_confirm_wait_handler,
                          confirm)
        != IM_OK)
    {
        return IM_ERROR;
    }

    confirm->wanted = wanted;

    return IM_OK;
}


im_int_t
im_link_confirm_add(im_link_confirm_t *confirm, im_link_confirm_pt handler,
    void *data)
{
    im_link_unconfirmed_t  *u;

    u = im_alloc(sizeof(im_link_unconfirmed_t));

    if (u == NULL
        || (confirm->wanted == 0 && im_link_confirm_ask(confirm) != IM_OK))
    {
        im_free(u);
        return IM_ERROR;
    }

    u->handler = handler;
    u->data = data;

    im_list_insert_tail(&confirm->list, &u->link);

    return IM_OK;
}
