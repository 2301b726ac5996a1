/*
 * Copyright (C) The im authors
 *
 * GET /im/online and /im/health.
 */

#include "im_logic_who.h"
#include "im_logic_nodes.h"
#include "im_json.h"


void
im_logic_online(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t     b;
    const char  *why;

    (void) rest;

    why = im_logic_unknown(logic);

    if (why != NULL) {
        im_logic_reply_error(logic, r, 503, why);
        return;
    }

    im_buf_init(&b, 256);

    im_buf_add_z(&b, "{\"connections\":");
    im_buf_add_uint(&b, logic->nodes->sessions);
    im_buf_add_z(&b, ",\"users\":");
    im_buf_add_uint(&b, logic->nodes->users);
    im_buf_add_z(&b, "}");

    im_logic_reply_data(logic, r, &b);
    im_buf_cleanup(&b);
}


void
im_logic_health(im_logic_t *logic, im_daemon_request_t *r, im_str_t rest)
{
    im_buf_t     b;
    const char  *fault;

    (void) rest;

    fault = im_logic_unready(logic);

    if (fault != NULL) {
        im_logic_reply_error(logic, r, 503, fault);
        return;
    }

    im_buf_init(&b, 512);

    im_buf_add_z(&b, "{\"redis\":\"up\",\"partitions\":");
    im_buf_add_uint(&b, im_daemon_redis_partitions(logic->redis));
    im_buf_add_z(&b, ",\"workers\":");
    im_buf_add_uint(&b, logic->nodes->nworkers);
    im_buf_add_z(&b, ",\"jobs\":");
    im_buf_add_uint(&b, logic->nodes->jobs);

    if (logic->nodes->jobs == 0) {
        im_buf_add_z(&b, ",\"warning\":\"no im_job lives: pushes are accepted "
                     "and wait\"");
    }

    im_buf_add_z(&b, "}");

    im_logic_reply_data(logic, r, &b);
    im_buf_cleanup(&b);
}
