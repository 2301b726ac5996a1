/*
 * Copyright (C) The im authors
 *
 * The server API's info and channels, by the records of the workers as the
 * last poll has read them.
 */

#include "im_logic_api.h"
#include "im_logic_largest.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_glob.h"


#define IM_API_PATTERN  253


/* A command "channels". */
typedef struct {
    im_str_t  pattern;
} im_logic_api_channels_t;


static const im_json_field_t  im_logic_api_channels_fields[] = {
    im_json_row(im_logic_api_channels_t, STRING, pattern),
    im_json_end
};


static const im_json_field_t  im_logic_api_no_fields[] = {
    im_json_end
};


void
im_logic_api_info(im_logic_command_t *c)
{
    uint64_t                  now;
    im_uint_t                 i, n;
    const im_logic_nodes_t   *nodes;
    const im_logic_worker_t  *worker;

    if (im_logic_command_decode(c, c->params, im_logic_api_no_fields, NULL)
        != IM_OK
        || im_logic_command_check(c, im_logic_unknown(c->logic)) != IM_OK)
    {
        return;
    }

    nodes = c->logic->nodes;
    now = im_logic_time();
    n = 0;

    im_buf_add_z(c->result, "{\"nodes\":[");

    for (i = 0; i < nodes->nworkers; i++) {
        worker = nodes->workers[i];

        if (worker->record.node.len == 0) {
            continue;
        }

        im_logic_print(c->result, "%z{\"uid\":%j,\"name\":%j,\"version\":\"im "
                       IM_VERSION "\",\"num_clients\":%d,"
                       "\"num_users\":%u,\"num_channels\":%d,"
                       "\"num_subs\":%d,\"uptime\":%u}",
                       n++ == 0 ? "" : ",", worker->id,
                       worker->record.node, worker->record.sessions,
                       worker->users, worker->record.topics,
                       worker->record.subs,
                       im_logic_worker_uptime(worker->id, now));
    }

    im_buf_add_z(c->result, "]}");

    im_logic_command_done(c);
}


static void
im_logic_api_channels_handler(const im_logic_largest_t *largest, void *data)
{
    im_uint_t            i, n;
    im_logic_command_t  *c = data;

    if (largest == NULL) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    im_buf_add_z(c->result, "{\"channels\":{");

    for (i = 0, n = 0; i < largest->n; i++) {
        if (largest->rooms[i]->count > 0) {
            im_logic_print(c->result, "%z%j:{\"num_clients\":%u}",
                           n++ == 0 ? "" : ",", largest->rooms[i]->name,
                           largest->rooms[i]->count);
        }
    }

    im_buf_add_z(c->result, largest->more ? "},\"more\":true}" : "}}");

    im_logic_command_done(c);
}


void
im_logic_api_channels(im_logic_command_t *c)
{
    im_logic_api_channels_t  channels;

    memset(&channels, 0, sizeof(im_logic_api_channels_t));

    if (im_logic_command_decode(c, c->params, im_logic_api_channels_fields,
                                &channels)
        != IM_OK
        || im_logic_command_check(c, im_logic_unknown(c->logic)) != IM_OK)
    {
        return;
    }

    if (channels.pattern.len > IM_API_PATTERN) {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "the pattern is too long");
        return;
    }

    im_logic_largest(c->r, im_glob_match, channels.pattern,
                     IM_LARGEST_MAX, im_logic_api_channels_handler, c);
}
