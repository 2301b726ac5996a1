/*
 * Copyright (C) The im authors
 *
 * The server API's info and channels, by the records of the workers as the
 * last poll has read them.
 *
 * A record lists a worker's largest rooms only.  The members of each of them
 * are then counted by its routes.
 */

#include "im_logic_api.h"
#include "im_logic_nodes.h"
#include "im_logic_print.h"
#include "im_board.h"
#include "im_daemon_option.h"
#include "im_glob.h"


#define IM_API_CHANNELS  1000       /* in an answer */
#define IM_API_PATTERN   253


/* A command "channels". */
typedef struct {
    im_logic_command_t  *command;
    im_str_t             pattern;
    im_hash_t            rooms;
    im_uint_t            n;         /* rooms in the answer */
    im_uint_t            left;      /* replies to come */
    unsigned             more:1;
    unsigned             failed:1;
} im_logic_api_channels_t;


/* A room that matches. */
typedef struct {
    im_hash_node_t            node;
    im_logic_api_channels_t  *channels;
    im_str_t                  name;
    uint64_t                  count;
} im_logic_api_room_t;


static const im_json_field_t  im_logic_api_channels_fields[] = {
    im_json_row(im_logic_api_channels_t, STRING, pattern),
    im_json_end
};


static const im_json_field_t  im_logic_api_no_fields[] = {
    im_json_end
};


/* In s; a worker's id ends in its start, ms in base 36. */
static uint64_t
im_logic_api_uptime(im_str_t worker, uint64_t now)
{
    u_char    c;
    size_t    i;
    uint64_t  start;

    for (i = worker.len; i > 0 && worker.data[i - 1] != '.'; i--) {
        /* void */
    }

    start = 0;

    for ( /* void */ ; i < worker.len && start < UINT64_MAX / 64; i++) {
        c = worker.data[i];
        start = start * 36 + (uint64_t) (c >= 'a' ? c - 'a' + 10 : c - '0');
    }

    return start > 0 && start < now ? (now - start) / 1000 : 0;
}


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

        if (worker->node.len == 0) {
            continue;
        }

        im_logic_print(c->result, "%z{\"uid\":%j,\"name\":%j,\"version\":\"im "
                       IM_DAEMON_VERSION "\",\"num_clients\":%u,"
                       "\"num_users\":%u,\"num_channels\":%u,"
                       "\"num_subs\":%u,\"uptime\":%u}",
                       n++ == 0 ? "" : ",", worker->id, worker->node,
                       worker->sessions, worker->users, worker->topics,
                       worker->subs, im_logic_api_uptime(worker->id, now));
    }

    im_buf_add_z(c->result, "]}");

    im_logic_command_done(c);
}


static im_str_t
im_logic_api_room_name(const im_hash_node_t *node)
{
    return ((const im_logic_api_room_t *) node)->name;
}


static void
im_logic_api_match(im_logic_api_channels_t *channels, im_str_t rooms)
{
    size_t                at;
    uint64_t              followers;
    im_str_t              name;
    im_uint_t             n;
    im_logic_api_room_t  *room;

    at = 0;

    for (n = 0; im_board_decode(rooms, &at, &followers, &name) == IM_OK; n++) {
        if ((channels->pattern.len != 0
             && !im_glob_match(channels->pattern, name))
            || im_hash_find(&channels->rooms, name) != NULL)
        {
            continue;
        }

        if (channels->rooms.count == IM_API_CHANNELS) {
            channels->more = 1;
            continue;
        }

        room = im_daemon_alloc(channels->command->r,
                               sizeof(im_logic_api_room_t));

        if (room != NULL) {
            room->channels = channels;
            room->name = im_daemon_copy(channels->command->r, name);
        }

        if (room == NULL || room->name.data == NULL) {
            channels->failed = 1;
            return;
        }

        im_hash_add(&channels->rooms, &room->node);
    }

    if (n == IM_BOARD_MAX) {
        channels->more = 1;
    }
}


/* All followers may have left meanwhile. */
static im_int_t
im_logic_api_add_channel(im_hash_node_t *node, void *data)
{
    im_logic_api_room_t      *room = (im_logic_api_room_t *) node;
    im_logic_api_channels_t  *channels = data;

    if (room->count > 0) {
        im_logic_print(channels->command->result,
                       "%z%j:{\"num_clients\":%u}",
                       channels->n++ == 0 ? "" : ",", room->name, room->count);
    }

    return IM_OK;
}


static void
im_logic_api_channels_replied(im_logic_api_channels_t *channels)
{
    im_logic_command_t  *c;

    if (--channels->left > 0) {
        return;
    }

    c = channels->command;

    if (channels->failed) {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "redis is away");
        return;
    }

    im_buf_add_z(c->result, "{\"channels\":{");
    (void) im_hash_each(&channels->rooms, im_logic_api_add_channel, channels);
    im_buf_add_z(c->result, channels->more ? "},\"more\":true}" : "}}");

    im_logic_command_done(c);
}


static void
im_logic_api_count_handler(const im_members_t *members, void *data)
{
    im_logic_api_room_t  *room = data;

    if (members != NULL) {
        room->count = members->count;

    } else {
        room->channels->failed = 1;
    }

    im_logic_api_channels_replied(room->channels);
}


static im_int_t
im_logic_api_count(im_hash_node_t *node, void *data)
{
    im_logic_command_t       *c;
    im_logic_api_room_t      *room = (im_logic_api_room_t *) node;
    im_logic_api_channels_t  *channels = data;

    c = channels->command;

    channels->left++;

    im_logic_members(c->logic, im_logic_topic(c->r, im_topic_room, room->name),
                     IM_LINK_MEMBERS_COUNTS, im_logic_api_count_handler, room);

    return IM_OK;
}


void
im_logic_api_channels(im_logic_command_t *c)
{
    im_uint_t                 i;
    im_logic_nodes_t         *nodes;
    im_logic_api_channels_t  *channels;

    channels = im_daemon_alloc(c->r, sizeof(im_logic_api_channels_t));

    if (channels == NULL
        || im_logic_hash(c->r, &channels->rooms, im_logic_api_room_name)
           != IM_OK)
    {
        (void) im_logic_command_fail(c, IM_ERROR_INTERNAL, "no memory");
        return;
    }

    channels->command = c;

    if (im_logic_command_decode(c, c->params, im_logic_api_channels_fields,
                                channels)
        != IM_OK
        || im_logic_command_check(c, im_logic_unknown(c->logic)) != IM_OK)
    {
        return;
    }

    if (channels->pattern.len > IM_API_PATTERN) {
        (void) im_logic_command_fail(c, IM_ERROR_BAD_REQUEST,
                                     "the pattern is too long");
        return;
    }

    nodes = c->logic->nodes;

    for (i = 0; i < nodes->nworkers; i++) {
        im_logic_api_match(channels, nodes->workers[i]->rooms);
    }

    /* one more, so that it doesn't end before all are asked */
    channels->left = 1;

    (void) im_hash_each(&channels->rooms, im_logic_api_count, channels);
    im_logic_api_channels_replied(channels);
}
