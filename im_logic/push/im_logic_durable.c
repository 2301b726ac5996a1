/*
 * Copyright (C) The im authors
 *
 * Links for durable pushes.
 *
 * While one of them waits for replicas the others take pushes, so the time of
 * a round trip to the replicas isn't lost.
 */

#include "im_logic_durable.h"
#include "im_daemon_time.h"


#define IM_DURABLE_COMPLAIN  60000       /* ms */


struct im_logic_durable_s {
    im_link_t  *links[IM_DURABLE_LINKS];
    im_list_t   waiting;                 /* for links that get ready */
    uint64_t    complained;              /* ms */
    unsigned    failing:1;               /* so the log says */
};


im_int_t
im_logic_durable_decode(im_str_t value, int *durable)
{
    *durable = im_str_eq(value, im_str_z("replica"));

    return *durable || im_str_eq(value, im_str_z("memory")) ? IM_OK : IM_ERROR;
}


const char *
im_logic_durable_check(const char *value)
{
    int  durable;

    return im_logic_durable_decode(im_str_z(value), &durable) == IM_OK
           ? NULL : "must be memory or replica";
}


/* Those that wait since before; how many. */
static im_uint_t
im_logic_durable_flush(im_logic_durable_t *d, uint64_t before, const char *why)
{
    im_uint_t                 n;
    im_list_t                 waiting, *q;
    im_logic_durable_wait_t  *w;

    n = 0;
    im_list_init(&waiting);

    /* a handler may put it back */

    while (!im_list_empty(&d->waiting)) {
        q = im_list_first(&d->waiting);
        im_list_remove(q);
        im_list_insert_tail(&waiting, q);
    }

    while (!im_list_empty(&waiting)) {
        q = im_list_first(&waiting);
        im_list_remove(q);
        w = im_list_data(q, im_logic_durable_wait_t, link);

        if (w->since <= before) {
            n++;
            w->handler(why, w->data);

        } else {
            im_list_insert_tail(&d->waiting, q);
        }
    }

    return n;
}


static void
im_logic_durable_up(void *data, im_uint_t partition, int anew)
{
    im_logic_durable_t  *d = data;

    (void) partition;
    (void) anew;

    (void) im_logic_durable_flush(d, UINT64_MAX, NULL);
}


static const im_link_events_t  im_logic_durable_events = {
    .up = im_logic_durable_up
};


static im_int_t
im_logic_durable_open(im_logic_t *logic)
{
    im_uint_t            i;
    im_link_conf_t       conf;
    im_logic_durable_t  *d;

    d = logic->durable;
    conf = logic->conf.daemon.link;
    conf.replicas = logic->conf.replicas;
    conf.wait = logic->conf.replica_timeout;
    conf.quiet = 1;

    for (i = 0; i < IM_DURABLE_LINKS; i++) {
        if (d->links[i] == NULL) {
            d->links[i] = im_daemon_link_create(logic->base, &conf,
                                                &im_logic_durable_events, d);
        }

        if (d->links[i] == NULL) {
            return IM_ERROR;
        }
    }

    im_link_watch_demand(logic->watch, logic->conf.replicas);

    return IM_OK;
}


im_int_t
im_logic_durable_init(im_logic_t *logic)
{
    logic->durable = im_calloc(sizeof(im_logic_durable_t));
    if (logic->durable == NULL) {
        return IM_ERROR;
    }

    im_list_init(&logic->durable->waiting);

    return logic->conf.durable ? im_logic_durable_open(logic) : IM_OK;
}


void
im_logic_durable_cleanup(im_logic_t *logic)
{
    im_uint_t            i;
    im_logic_durable_t  *d;

    d = logic->durable;

    if (d == NULL) {
        return;
    }

    (void) im_logic_durable_flush(d, UINT64_MAX, "redis is away");

    for (i = 0; i < IM_DURABLE_LINKS; i++) {
        if (d->links[i] != NULL) {
            im_daemon_link_destroy(d->links[i]);
        }
    }

    im_free(d);
}


im_link_t *
im_logic_durable_link(im_logic_t *logic, im_uint_t partition,
    im_logic_durable_wait_t *w)
{
    im_link_t           *link;
    im_logic_durable_t  *d;

    d = logic->durable;

    if (d->links[IM_DURABLE_LINKS - 1] == NULL
        && im_logic_durable_open(logic) != IM_OK)
    {
        w->handler("no memory", w->data);
        return NULL;
    }

    link = d->links[partition % IM_DURABLE_LINKS];

    if (im_link_ready(link, partition)) {
        return link;
    }

    if (w->since == 0) {
        w->since = im_daemon_now();
    }

    im_list_insert_tail(&d->waiting, &w->link);

    return NULL;
}


void
im_logic_durable_log(im_logic_t *logic, const char *why)
{
    uint64_t             now;
    im_logic_durable_t  *d;

    d = logic->durable;

    if (why == NULL && !d->failing) {
        return;
    }

    if (why == NULL) {
        d->failing = 0;
        im_daemon_log(IM_LOG_NOTICE, "pushes with durability=replica are "
                      "accepted again");
        return;
    }

    now = im_daemon_now();

    if (d->complained == 0 || now - d->complained >= IM_DURABLE_COMPLAIN) {
        d->failing = 1;
        d->complained = now;
        im_daemon_log(IM_LOG_WARN, "pushes with durability=replica are "
                      "answered with 503: %s", why);
    }
}


/* A server may have no connection more for one of the links. */
void
im_logic_durable_tick(im_logic_t *logic, uint64_t now)
{
    im_uint_t            i;
    const char          *why;
    im_logic_durable_t  *d;

    d = logic->durable;

    if (im_logic_durable_flush(d, now - logic->conf.replica_timeout,
                               "redis is away")
        == 0)
    {
        return;
    }

    why = "redis is away";

    for (i = 0; i < IM_DURABLE_LINKS; i++) {
        if (!im_link_ready(d->links[i], IM_LINK_REGISTRY)) {
            why = im_link_why(d->links[i], IM_LINK_REGISTRY);
        }
    }

    im_logic_durable_log(logic, why);
}
