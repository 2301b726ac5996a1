/*
 * Copyright (C) The im authors
 *
 * GET /im/online and /im/health.
 */

#include "im_logic_who.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_link_show.h"
#include "im_daemon_time.h"


void
im_logic_online_handler(im_daemon_request_t *r)
{
    im_buf_t    *b;
    im_logic_t  *logic;
    const char  *why;

    logic = r->data;
    why = im_logic_unknown(logic);

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    b = im_daemon_buf(r, 256);

    im_logic_print(b, "{\"connections\":%u,\"users\":%u}",
                   logic->nodes->sessions, logic->nodes->users);
    im_logic_reply_data(r, b);
}


/* Where servers of some slots are away, pushes to all others are accepted. */
static void
im_logic_health_link(im_logic_t *logic, im_buf_t *b, im_link_show_e what)
{
    im_logic_print(b, ",\"durability\":\"%z\",\"replicas\":%u,\"link\":",
                   logic->conf.durable ? "replica" : "memory",
                   logic->conf.replicas);
    im_link_show(b, logic->link, &logic->conf.daemon.link, im_daemon_now(),
                 what);

    if (im_link_unserved(logic->link) > 0) {
        im_buf_add_z(b, ",\"reasons\":");
        im_link_show_reasons(b, logic->link, what);
    }
}


/* What is wrong with the settings of Redis, and how full it is. */
static void
im_logic_health_redis(im_logic_t *logic, im_buf_t *b, im_link_show_e what)
{
    char                       text[IM_LINK_WATCH_TEXT];
    im_uint_t                  n;
    const im_link_settings_t  *s;

    s = im_link_watch_settings(logic->watch);

    if (s->used > 0) {
        im_logic_print(b, ",\"memory\":{\"used\":%u,\"max\":%u}", s->used,
                       s->max);
    }

    if (im_link_watch_warnings(logic->watch) == 0
        || what != IM_LINK_SHOW_ALL)
    {
        return;
    }

    im_buf_add_z(b, ",\"warnings\":[");

    for (n = 0; n < IM_SETTINGS
                && im_link_watch_text(logic->watch, n, text); n++)
    {
        im_logic_print(b, "%z%j", n > 0 ? "," : "", im_str_z(text));
    }

    im_buf_add_z(b, "]");
}


void
im_logic_health_handler(im_daemon_request_t *r)
{
    im_buf_t        *b;
    im_logic_t      *logic;
    const char      *why;
    im_link_show_e   what;

    logic = r->data;
    what = im_daemon_near(r) ? IM_LINK_SHOW_ALL : IM_LINK_SHOW_STATES;
    why = im_logic_unready(logic);

    if (why == NULL && im_link_unserved(logic->link) == IM_LINK_SLOTS) {
        why = im_link_why(logic->link, IM_LINK_REGISTRY);
    }

    if (why != NULL && what != IM_LINK_SHOW_ALL
        && !im_link_ready(logic->link, IM_LINK_REGISTRY))
    {
        why = "redis is away";
    }

    if (why != NULL) {
        im_logic_reply_error(r, 503, why);
        return;
    }

    b = im_daemon_buf(r, 512 + 2 * IM_SETTINGS * IM_LINK_WATCH_TEXT
                         + 2 * IM_LINK_SHOW_MAX);

    im_logic_print(b, "{\"redis\":\"%z\",\"partitions\":%u,\"workers\":%u,"
                   "\"jobs\":%u",
                   im_link_unserved(logic->link) > 0 ? "degraded" : "up",
                   (uint64_t) im_link_partitions(logic->link),
                   logic->nodes->nworkers, logic->nodes->jobs);

    if (logic->nodes->jobs == 0) {
        im_buf_add_z(b, ",\"warning\":\"no im_job lives: pushes are accepted "
                     "and wait\"");
    }

    im_logic_health_redis(logic, b, what);
    im_logic_health_link(logic, b, what);
    im_buf_add_z(b, "}");

    im_logic_reply_data(r, b);
}
