/*
 * Copyright (C) The im authors
 *
 * The link: calls go to the server of their slot, events come up.
 */

#include <stdio.h>

#include "im_key.h"
#include "im_link_channels.h"
#include "im_link_hold.h"
#include "im_link_nodes.h"
#include "im_link_sentinel.h"


#define IM_LINK_SLOW    50             /* ms, as all here */
#define IM_LINK_BUDGET  2000           /* of a call that waits */
#define IM_LINK_HELD    5              /* how often they are looked at */

#define IM_LINK_NO_MASTER    "has no master"
#define IM_LINK_TWO_MASTERS  "is being moved: its keys are on two servers"

#define IM_LINK_WHY     (IM_LINK_SERVER_NAME + IM_LINK_SERVER_WHY + 16)


/* The registry, or a partition. */
typedef struct {
    im_uint_t  slot;
    uint64_t   serial;       /* of the connection that it was up with last, */
    u_char     generation[IM_LINK_GENERATION];    /* and of the server */
    int        up;
} im_link_part_t;


struct im_link_s {
    im_link_context_t    context;      /* the first: servers have it */
    im_link_nodes_t      nodes;
    im_link_sentinel_t  *sentinel;     /* NULL: of another kind */
    im_link_channels_t   channels;
    im_link_hold_t       hold;
    im_link_call_t       call;         /* of callers */
    uint64_t             numbers;      /* of calls that may be sent again */
    uint64_t             lost;         /* of the clock, until the last tick */
    im_keys_t            keys;
    im_uint_t            registry;     /* its slot */
    im_link_part_t      *parts;        /* the registry, then partitions */
    char                *why;          /* for callers */
    const char          *excuse;       /* of the call that is given up */
    im_uint_t            excused;      /* its slot */
    unsigned             told:1;       /* the owner knows the partitions */
    unsigned             late:1;       /* the last tick was, and did nothing */
};


/* What an error leads to; 1: the call is taken. */
typedef int (*im_link_error_pt)(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply);


static const im_link_server_events_t    im_link_server_events;
static const im_link_channels_events_t  im_link_channels_events;
static const im_link_nodes_events_t     im_link_nodes_events;


static im_link_t *
im_link_of(const im_link_context_t *context)
{
    return im_list_data(context, im_link_t, context);
}


static int
im_link_is_cluster(const im_link_t *link)
{
    return link->context.conf.kind == IM_LINK_CLUSTER;
}


/* The slot of the registry, or of a partition, is that of any key there. */
static im_uint_t
im_link_part_slot(im_link_t *link, im_uint_t part)
{
    im_buf_t  *key;

    key = &link->context.own.bytes;

    im_link_call_start_script(&link->context.own, NULL);

    if (part == 0) {
        im_key_conf(key, &link->keys);

    } else {
        im_key_queue(key, &link->keys, part - 1);
    }

    return im_link_slot(im_buf_str(key));
}


static void
im_link_free(void *data)
{
    im_link_t  *link = data;

    im_link_channels_cleanup(&link->channels);
    im_link_sentinel_destroy(link->sentinel);
    im_link_nodes_cleanup(&link->nodes);
    im_link_call_cleanup(&link->call);
    im_link_call_cleanup(&link->context.own);
    im_free(link->parts);
    im_free(link->why);
    im_free(link);
}


/* It has one server, and sentinels say where that is. */
static void
im_link_placed(void *data, im_str_t addr, uint64_t epoch)
{
    im_link_t  *link = data;

    (void) epoch;

    im_link_server_place(link->nodes.list[0], addr);
}


static im_int_t
im_link_add_sentinels(im_link_t *link)
{
    if (link->context.conf.kind != IM_LINK_SENTINEL) {
        return IM_OK;
    }

    link->sentinel = im_link_sentinel_create(&link->context, im_link_placed,
                                             link);

    return link->sentinel != NULL ? IM_OK : IM_ERROR;
}


im_link_t *
im_link_create(const im_link_conf_t *conf, const im_link_transport_t *transport,
    void *transport_data, const im_link_events_t *events, void *data)
{
    im_link_t          *link;
    im_link_context_t  *context;

    link = im_calloc(sizeof(im_link_t));
    if (link == NULL) {
        return NULL;
    }

    context = &link->context;
    context->conf = *conf;
    context->transport = transport;
    context->transport_data = transport_data;
    context->events = &im_link_server_events;
    context->owner = events;
    context->data = data;
    context->nodes = &link->nodes;
    context->due = UINT64_MAX;

    im_link_clock_init(&context->clock, transport, transport_data);
    im_link_call_init(&link->call);
    im_link_call_init(&context->own);
    im_link_hold_init(&link->hold);

    link->nodes.context = context;
    link->nodes.events = &im_link_nodes_events;
    link->channels.context = context;
    link->channels.events = &im_link_channels_events;
    link->keys.prefix = conf->prefix;
    link->registry = im_link_part_slot(link, 0);
    link->why = im_alloc(IM_LINK_WHY);

    if (im_link_channels_init(&link->channels) != IM_OK
        || im_link_nodes_init(&link->nodes) != IM_OK
        || im_link_add_sentinels(link) != IM_OK
        || link->why == NULL)
    {
        im_link_free(link);
        return NULL;
    }

    im_link_due(context, 1);

    return link;
}


/* It can't be sent any more.  why: what its slot has; NULL: redis is away. */
static void
im_link_give_up(im_link_t *link, im_link_kept_t *kept, const char *why)
{
    if (kept->handler != NULL) {
        link->excuse = why;
        link->excused = kept->slot;
        kept->handler(NULL, kept->data);
        link->excuse = NULL;
    }

    im_free(kept);
}


void
im_link_destroy(im_link_t *link)
{
    im_link_queue_t    *queue;
    im_link_context_t  *context;

    context = &link->context;
    im_link_enter(&context->guard);

    context->ended = 1;
    context->guard.free = im_link_free;
    context->guard.data = link;

    im_link_sentinel_close(link->sentinel);
    im_link_nodes_close(&link->nodes);

    while (!im_list_empty(&link->hold.queues)) {
        queue = im_list_data(im_list_first(&link->hold.queues),
                             im_link_queue_t, link);
        im_link_give_up(link, im_link_hold_take(&link->hold, queue), NULL);
    }

    im_link_leave(&context->guard);
}


void *
im_link_transport_data(const im_link_t *link)
{
    return link->context.transport_data;
}


static im_link_server_t *
im_link_part_server(const im_link_t *link, im_uint_t part)
{
    return link->parts != NULL
           ? im_link_nodes_at(&link->nodes, link->parts[part].slot) : NULL;
}


/* How the caller counts them: the registry is the last. */
#define im_link_part(partition)                                               \
    ((partition) == IM_LINK_REGISTRY ? 0 : (partition) + 1)
#define im_link_part_number(part)                                             \
    ((part) == 0 ? IM_LINK_REGISTRY : (part) - 1)


im_link_call_t *
im_link_command(im_link_t *link, const char *words)
{
    im_link_call_start(&link->call, words);

    return &link->call;
}


im_link_call_t *
im_link_script(im_link_t *link, const im_script_t *script)
{
    im_link_call_start_script(&link->call, script);

    return &link->call;
}


/* Until its server takes it, or can take it no more. */
static im_int_t
im_link_send_later(im_link_t *link, im_link_reply_pt handler, void *data)
{
    uint64_t          now;
    im_link_kept_t   *kept;
    im_link_queue_t  *queue;

    now = im_link_time(&link->context);
    queue = im_link_hold_find(&link->hold, link->call.slot);
    link->call.number = ++link->numbers;

    kept = im_link_kept_create(&link->call, &link->context.own.bytes, now,
                               handler, data);
    if (kept == NULL) {
        return IM_ERROR;
    }

    if (im_link_hold_add(&link->hold, kept, now, queue != NULL && queue->narrow)
        != IM_OK)
    {
        im_free(kept);
        return IM_ERROR;
    }

    im_link_due(&link->context, IM_LINK_HELD);

    return IM_OK;
}


/*
 * Calls of a slot stay in order.  One that waits for its other keys keeps no
 * call with one key from its server.
 */
static int
im_link_must_wait(im_link_t *link, const im_link_server_t *server)
{
    im_link_queue_t  *queue;

    queue = link->hold.ncalls > 0
            ? im_link_hold_find(&link->hold, link->call.slot) : NULL;

    if (queue != NULL && !(queue->narrow && link->call.nkeys == 1)) {
        return 1;
    }

    if (im_link_server_takes(server)) {
        return server->doubt != IM_LINK_TRUSTED;
    }

    return im_link_is_cluster(link) && !server->failed && link->told;
}


im_int_t
im_link_send(im_link_t *link, im_link_reply_pt handler, void *data)
{
    im_link_server_t  *server;

    server = im_link_nodes_at(&link->nodes, link->call.slot);

    if (server == NULL) {
        return IM_ERROR;
    }

    if (im_link_must_wait(link, server)) {
        return im_link_send_later(link, handler, data);
    }

    if (!im_link_server_takes(server)) {
        return IM_ERROR;
    }

    if (im_link_is_cluster(link)) {
        link->call.number = ++link->numbers;
    }

    return im_link_conn_send(&server->calls, &link->call, handler, data);
}


im_int_t
im_link_send_to(im_link_t *link, im_uint_t server, im_link_reply_pt handler,
    void *data)
{
    im_link_server_t  *to;

    to = server < link->nodes.n ? link->nodes.list[server] : NULL;

    return to != NULL && im_link_server_takes(to)
           ? im_link_conn_send(&to->calls, &link->call, handler, data)
           : IM_ERROR;
}


im_int_t
im_link_confirm(im_link_t *link, im_link_confirm_pt handler, void *data)
{
    im_link_server_t  *server;

    server = link->context.answers;

    return server != NULL
           ? im_link_confirm_add(&server->confirm, handler, data) : IM_ERROR;
}


im_uint_t
im_link_servers(const im_link_t *link)
{
    return link->nodes.n;
}


void
im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info)
{
    im_link_server_describe(link->nodes.list[server], info);
}


im_uint_t
im_link_unserved(const im_link_t *link)
{
    return im_link_nodes_unserved(&link->nodes);
}


const im_link_sentinels_t *
im_link_sentinels(const im_link_t *link)
{
    return link->sentinel != NULL ? im_link_sentinel_info(link->sentinel)
                                  : NULL;
}


int
im_link_shared(const im_link_t *link)
{
    return !im_link_is_cluster(link);
}


int
im_link_ready(const im_link_t *link, im_uint_t partition)
{
    const im_link_server_t  *server;

    server = im_link_part_server(link, im_link_part(partition));

    return server != NULL && im_link_server_takes(server);
}


const char *
im_link_why(const im_link_t *link, im_uint_t partition)
{
    im_uint_t                slot;
    const im_link_server_t  *server;

    slot = link->parts != NULL ? link->parts[im_link_part(partition)].slot
                               : link->registry;
    server = im_link_nodes_at(&link->nodes, slot);

    if (server == NULL && link->parts != NULL) {
        (void) snprintf(link->why, IM_LINK_WHY, "redis: slot %u %s",
                        (unsigned) slot, IM_LINK_NO_MASTER);
        return link->why;
    }

    server = server != NULL ? server : link->nodes.seed;
    link->why[0] = '\0';

    if (server->why[0] != '\0') {
        (void) snprintf(link->why, IM_LINK_WHY, "redis: %s%s%s",
                        im_link_is_cluster(link) ? server->text : "",
                        im_link_is_cluster(link) ? ": " : "", server->why);
    }

    return link->why;
}


/*
 * Nothing starts without the server of the registry, or before the seed has
 * said who that is.  Of any other server the slots are away.
 */
static const im_link_server_t *
im_link_needed(const im_link_t *link)
{
    const im_link_server_t  *server;

    server = im_link_nodes_at(&link->nodes, link->registry);

    return server != NULL ? server : link->nodes.seed;
}


int
im_link_failed(const im_link_t *link)
{
    return im_link_needed(link)->failed;
}


int
im_link_failing(const im_link_t *link)
{
    im_uint_t                i;
    const im_link_server_t  *server;

    for (i = 0; i < link->nodes.n; i++) {
        server = link->nodes.list[i];

        if (server->failed && server->nslots > 0) {
            return 1;
        }
    }

    return im_link_failed(link);
}


const char *
im_link_excuse(const im_link_t *link)
{
    if (link->excuse == NULL) {
        return "redis is away";
    }

    (void) snprintf(link->why, IM_LINK_WHY, "redis: slot %u %s",
                    (unsigned) link->excused, link->excuse);

    return link->why;
}


int
im_link_unusable(const im_link_t *link)
{
    return im_link_needed(link)->unusable;
}


int
im_link_slow(const im_link_t *link, im_uint_t partition)
{
    const im_link_server_t  *server;

    server = im_link_part_server(link, im_link_part(partition));

    return server == NULL || !im_link_server_takes(server)
           || server->calls.latency / 8 > IM_LINK_SLOW
           || im_link_conn_waits(&server->calls) > IM_LINK_SLOW;
}


uint32_t
im_link_partitions(const im_link_t *link)
{
    return link->keys.partitions;
}


const im_keys_t *
im_link_keys(const im_link_t *link)
{
    return &link->keys;
}


void
im_link_break(im_link_t *link, const char *why)
{
    im_uint_t           i;
    im_link_server_t   *server;
    im_link_context_t  *context;

    context = &link->context;
    im_link_enter(&context->guard);

    for (i = 0; i < link->nodes.n && !context->ended; i++) {
        server = link->nodes.list[i];

        if (server->calls.state != IM_LINK_CLOSED) {
            im_link_server_lost(server, &server->calls, why);
        }
    }

    im_link_leave(&context->guard);
}


/* The server of its slot takes calls and has its channels. */
static int
im_link_part_whole(const im_link_t *link, im_uint_t part)
{
    const im_link_server_t  *server;

    server = im_link_part_server(link, part);

    return server != NULL && im_link_server_takes(server)
           && im_link_channels_complete(&link->channels,
                                        link->parts[part].slot);
}


/* The connection that it is up with is another one now. */
static int
im_link_part_moved(const im_link_t *link, im_uint_t part)
{
    const im_link_server_t  *server;

    server = im_link_part_server(link, part);

    return server == NULL || server->serial != link->parts[part].serial;
}


/* An event may bring the server back, or end the link. */
static void
im_link_check_down(im_link_t *link)
{
    im_uint_t           i;
    im_link_context_t  *context;

    context = &link->context;
    i = link->parts != NULL ? link->keys.partitions + 1 : 0;

    while (i-- > 0 && !context->ended) {

        if (link->parts[i].up
            && (!im_link_part_whole(link, i) || im_link_part_moved(link, i)))
        {
            link->parts[i].up = 0;
            im_link_event(context, down, im_link_part_number(i));
        }
    }
}


/* 1: for the first time, or with another process or other data. */
static int
im_link_part_renew(im_link_part_t *part, const im_link_server_t *server)
{
    const u_char  *generation;

    generation = server->calls.generation;
    part->serial = server->serial;

    if (memcmp(part->generation, generation, IM_LINK_GENERATION) == 0) {
        return 0;
    }

    memcpy(part->generation, generation, IM_LINK_GENERATION);

    return 1;
}


static void
im_link_check_up(im_link_t *link)
{
    int                 anew;
    im_uint_t           i;
    im_link_part_t     *part;
    im_link_context_t  *context;

    context = &link->context;

    for (i = 0; link->parts != NULL && i <= link->keys.partitions
                && !context->ended; i++)
    {
        part = &link->parts[i];

        if (!part->up && im_link_part_whole(link, i)) {
            anew = im_link_part_renew(part, im_link_part_server(link, i));
            part->up = 1;

            im_link_event(context, up, im_link_part_number(i), anew);
        }
    }
}


static void
im_link_check_whole(im_link_server_t *server)
{
    int         cluster;
    char        text[64];
    im_link_t  *link;

    link = im_link_of(server->context);
    cluster = im_link_is_cluster(link);

    (void) snprintf(text, sizeof(text), "%u %s",
                    (unsigned) (cluster ? server->nslots
                                        : link->keys.partitions),
                    cluster ? "slots" : "partitions");

    im_link_server_check_whole(server, text);
}


/*
 * A server that is demoted drops its channels, and says so at once; all else
 * that a connection for calls hears of it comes later, or never.
 */
static void
im_link_watch_servers(im_link_t *link)
{
    im_buf_t   name;
    uint32_t   p;

    if (!im_link_is_cluster(link) || !im_list_empty(&link->channels.list)) {
        return;
    }

    im_buf_init(&name, IM_LINK_SERVER_NAME);

    for (p = 0; p < link->keys.partitions; p++) {
        im_buf_reset(&name, IM_LINK_SERVER_NAME);
        im_key_channel_link(&name, &link->keys, p);

        if (!name.failed) {
            (void) im_link_channels_add(&link->channels, im_buf_str(&name),
                                        IM_LINK_OWN, 0);
        }
    }

    im_buf_cleanup(&name);
}


/* All servers that take calls, once the partitions are known. */
static void
im_link_announce(im_link_t *link)
{
    im_uint_t           i;
    im_link_server_t   *server;
    im_link_context_t  *context;

    context = &link->context;

    if (link->parts == NULL) {
        return;
    }

    if (!link->told) {
        link->told = 1;
        im_link_event(context, ready);

        if (!context->ended) {
            im_link_watch_servers(link);
        }
    }

    for (i = 0; i < link->nodes.n && !context->ended; i++) {
        server = link->nodes.list[i];

        if (im_link_server_takes(server)
            && server->announced != server->serial)
        {
            server->announced = server->serial;
            im_link_event(context, server, i);
        }

        if (im_link_server_takes(server) && !context->ended) {
            im_link_check_whole(server);
        }
    }

    im_link_check_up(link);
}


static im_int_t
im_link_set_partitions(im_link_t *link, uint32_t n, im_tags_e tags)
{
    im_uint_t        i;
    im_link_part_t  *parts;

    if (link->parts != NULL) {
        return IM_OK;
    }

    parts = im_calloc((n + 1) * sizeof(im_link_part_t));
    if (parts == NULL) {
        return IM_ERROR;
    }

    im_keys_set(&link->keys, n, tags);

    for (i = 0; i <= n; i++) {
        parts[i].slot = im_link_part_slot(link, i);
    }

    link->parts = parts;

    return IM_OK;
}


/* Why the partitions that Redis has can't be those of this link; NULL: good. */
static const char *
im_link_partitions_why(const im_link_t *link, uint32_t n, im_tags_e tags)
{
    uint32_t  known;
    uint64_t  configured;

    known = link->keys.partitions;
    configured = link->context.conf.partitions;

    if (configured != 0 && configured != n) {
        return "it was set up with another number of partitions: leave "
               "\"partitions=\" out to take that one";
    }

    if (known != 0 && known != n) {
        return "its number of partitions has changed: reload nginx, restart "
               "the rest";
    }

    if (known != 0 && link->keys.tags != tags) {
        return "the hash tags of its partitions have changed: reload nginx, "
               "restart the rest";
    }

    return NULL;
}


/* Nil on a connection in use changes nothing. */
static void
im_link_partitions_handler(const im_link_reply_t *reply, void *data)
{
    uint32_t           n;
    im_tags_e          tags;
    im_link_t         *link;
    const char        *why;
    im_link_server_t  *server = data;

    link = im_link_of(server->context);

    if (reply == NULL
        || (im_link_server_takes(server) && im_link_reply_is_nil(reply)))
    {
        return;
    }

    if (im_link_is_cluster(link) && im_link_reply_is_error(reply)) {
        return;
    }

    if (im_keys_decode(im_link_reply_str(reply), &n, &tags) != IM_OK) {
        why = im_link_reply_is_nil(reply)
              ? "its number of partitions can't be set"
              : "its number of partitions is invalid";

    } else {
        why = im_link_partitions_why(link, n, tags);
    }

    if (why != NULL) {
        im_link_server_refuse(server, reply, why, !im_link_reply_is_nil(reply));

    } else if (im_link_set_partitions(link, n, tags) != IM_OK) {
        im_link_server_lost(server, &server->calls, "no memory");

    } else if (im_link_server_takes(server)) {
        im_link_announce(link);
    }
}


/*
 * The first program that ever came sets the number, with even tags; again after
 * a FLUSHALL, what was there.
 */
static void
im_link_ask_partitions(im_link_server_t *server)
{
    uint64_t         n;
    im_link_t       *link;
    im_link_call_t  *own;

    link = im_link_of(server->context);
    own = &link->context.own;
    n = link->context.conf.partitions;

    if (im_link_nodes_at(&link->nodes, link->registry) != server) {
        return;
    }

    im_link_call_start(own, "SET");
    im_key_conf(&own->bytes, &link->keys);
    im_link_call_key(own);

    if (link->keys.partitions != 0) {
        im_keys_encode(&own->bytes, link->keys.partitions, link->keys.tags);

    } else {
        im_keys_encode(&own->bytes, n ? n : IM_PARTITIONS, IM_TAGS_EVEN);
    }

    im_link_call_arg(own);
    im_link_call_z(own, "NX");
    (void) im_link_server_ask(server, NULL);

    im_link_call_start(own, "GET");
    im_key_conf(&own->bytes, &link->keys);
    im_link_call_key(own);
    (void) im_link_server_ask(server, im_link_partitions_handler);
}


/* Calls of a queue, in order, up to the last one that there is now. */
static void
im_link_release_queue(im_link_t *link, im_uint_t slot)
{
    uint64_t           now, last;
    const char        *why;
    im_link_kept_t    *kept;
    im_link_queue_t   *queue;
    im_link_server_t  *server;

    last = link->numbers;
    now = im_link_time(&link->context);

    while (!link->context.ended
           && (queue = im_link_hold_find(&link->hold, slot)) != NULL)
    {
        kept = im_link_queue_first(queue);
        server = im_link_nodes_at(&link->nodes, slot);

        if (kept->number > last) {
            return;
        }

        if (server == NULL || now - kept->since > IM_LINK_BUDGET
            || (server->failed && !im_link_server_takes(server)))
        {
            why = server == NULL ? IM_LINK_NO_MASTER
                : queue->narrow ? IM_LINK_TWO_MASTERS : NULL;
            im_link_give_up(link, im_link_hold_take(&link->hold, queue), why);

        } else if (now < queue->retry || !im_link_server_trusted(server)) {
            return;

        } else {
            kept = im_link_hold_take(&link->hold, queue);

            if (im_link_conn_send_again(&server->calls, kept) != IM_OK) {
                im_link_give_up(link, kept, NULL);
            }
        }
    }
}


/* A handler may change the queues: those that are looked at go to the end. */
static void
im_link_release(im_link_t *link)
{
    im_uint_t         n;
    im_list_t        *q;
    im_link_queue_t  *queue;

    n = 0;

    im_list_each (q, &link->hold.queues) {
        n++;
    }

    while (n-- > 0 && !im_list_empty(&link->hold.queues)) {
        q = im_list_first(&link->hold.queues);
        queue = im_list_data(q, im_link_queue_t, link);

        im_list_remove(q);
        im_list_insert_tail(&link->hold.queues, q);

        im_link_release_queue(link, queue->slot);
    }

    if (link->hold.ncalls > 0 && !link->context.ended) {
        im_link_due(&link->context, IM_LINK_HELD);
    }
}


/* 0: it can't; the caller gets the error. */
static int
im_link_wait(im_link_t *link, im_link_kept_t *kept, int narrow)
{
    uint64_t  now;

    static const uint64_t  delays[] = { 5, 10, 20, 50 };

    now = im_link_time(&link->context);

    if (kept->number == 0) {
        return 0;
    }

    kept->asking = 0;

    if (link->context.ended || now - kept->since > IM_LINK_BUDGET) {
        im_link_give_up(link, kept, narrow ? IM_LINK_TWO_MASTERS : NULL);
        return 1;
    }

    if (im_link_hold_add(&link->hold, kept,
                         now + delays[im_min(kept->tries, 3)], narrow)
        != IM_OK)
    {
        return 0;
    }

    kept->tries++;
    im_link_due(&link->context, IM_LINK_HELD);

    return 1;
}


/* To another server at once, where that takes calls. */
static int
im_link_send_elsewhere(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept)
{
    if (server == NULL || kept->number == 0 || kept->tries > 1
        || !im_link_server_trusted(server)
        || (!kept->asking
            && im_link_hold_find(&link->hold, kept->slot) != NULL)
        || im_link_conn_send_again(&server->calls, kept) != IM_OK)
    {
        return im_link_wait(link, kept, 0);
    }

    kept->tries++;

    return 1;
}


/* A server has said who has a slot, instead of itself. */
static void
im_link_slot_moved(im_link_t *link, im_link_server_t *server,
    const im_link_reply_t *reply)
{
    char               node[IM_LINK_NODE];
    im_uint_t          slot;
    im_link_nodes_t   *nodes;
    im_link_server_t  *to, *has;

    nodes = &link->nodes;
    to = NULL;

    if (im_link_redirect_read(im_link_reply_str(reply), server->peer.addr.host,
                              &slot, node)
        == IM_OK)
    {
        to = im_link_nodes_find(nodes, node);
    }

    im_link_nodes_want(nodes, server);
    im_link_server_doubt(server);

    if (to == NULL || to == server || link->context.ended) {
        return;
    }

    has = im_link_nodes_at(nodes, slot);

    if (has == NULL || has == server || has->failed) {
        im_link_nodes_give(nodes, slot, to);
        im_link_nodes_events.moved(&link->context);
    }
}


static int
im_link_error_moved(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    kept->asking = 0;

    im_link_slot_moved(link, server, reply);

    return im_link_send_elsewhere(link, im_link_nodes_at(&link->nodes,
                                                         kept->slot), kept);
}


/* The slot moves: this call is for the server that gets it. */
static int
im_link_error_ask(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    char               node[IM_LINK_NODE];
    im_uint_t          slot;
    im_link_server_t  *to;

    if (im_link_redirect_read(im_link_reply_str(reply), server->peer.addr.host,
                              &slot, node)
        != IM_OK)
    {
        return 0;
    }

    to = im_link_nodes_find(&link->nodes, node);

    if (to != NULL) {
        to->used = im_link_time(&link->context);
        kept->asking = 1;
    }

    return im_link_send_elsewhere(link, to, kept);
}


static int
im_link_error_tryagain(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    return im_link_wait(link, kept, 1);
}


/* The others may know more. */
static int
im_link_error_down(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    server->disputed = im_link_time(&link->context);

    im_link_nodes_want(&link->nodes, NULL);
    im_link_server_doubt(server);

    return im_link_wait(link, kept, 0);
}


/* The caller gets the error, as it gets any other one. */
static int
im_link_error_told(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    im_link_server_doubt(server);

    return 0;
}


/* A node of a cluster that has all slots can be used as one server. */
static int
im_link_error_foreign(im_link_t *link, im_link_server_t *server,
    im_link_kept_t *kept, const im_link_reply_t *reply)
{
    im_link_server_refuse(server, NULL, IM_LINK_NOT_ALONE, 1);

    return 0;
}


/* By im_link_error_e, in a cluster, and where one server has all. */
static const im_link_error_pt  im_link_errors[][2] = {
    { NULL, NULL },
    { im_link_error_moved, im_link_error_foreign },
    { im_link_error_ask, NULL },
    { im_link_error_tryagain, NULL },
    { im_link_error_down, NULL },
    { im_link_error_down, im_link_error_told },    /* READONLY */
    { im_link_error_told, im_link_error_told },    /* UNBLOCKED */
    { im_link_error_told, im_link_error_told },    /* LOADING */
    { im_link_error_told, im_link_error_told }     /* MASTERDOWN */
};


static int
im_link_error_led(im_link_server_t *server, im_link_kept_t *kept,
    const im_link_reply_t *reply)
{
    im_link_t         *link;
    im_link_error_pt   handler;

    link = im_link_of(server->context);
    handler = im_link_errors[im_link_error(reply)][!im_link_is_cluster(link)];

    return handler != NULL && handler(link, server, kept, reply);
}


static void
im_link_server_is_open(im_link_server_t *server)
{
    if (server->probe) {
        im_link_nodes_connected(server->context->nodes);

    } else {
        im_link_ask_partitions(server);
    }
}


static void
im_link_server_is_ready(im_link_server_t *server)
{
    im_link_t  *link;

    link = im_link_of(server->context);

    if (server->probe) {
        return;
    }

    if (link->parts == NULL) {
        im_link_ask_partitions(server);
    }

    im_link_announce(link);
    im_link_release(link);
}


static void
im_link_server_trusted_again(im_link_server_t *server)
{
    im_link_release(im_link_of(server->context));
}


static void
im_link_server_listen(im_link_server_t *server)
{
    im_link_channels_join(&im_link_of(server->context)->channels, server);
}


static void
im_link_server_pushed(im_link_server_t *server, const im_link_reply_t *reply)
{
    im_link_channels_reply(&im_link_of(server->context)->channels, server,
                           reply);
}


static void
im_link_server_is_lost(im_link_server_t *server, int failed)
{
    im_link_t  *link;

    link = im_link_of(server->context);

    if (server->probe) {
        im_link_nodes_lost(&link->nodes);
        return;
    }

    if (im_link_is_cluster(link) && failed) {
        im_link_nodes_want(&link->nodes, NULL);
    }

    /* it is never connected to before the sentinels have answered again */

    if (link->sentinel != NULL && server->calls.state == IM_LINK_CLOSED) {
        server->wanted = 0;
        im_link_sentinel_ask(link->sentinel);
    }

    im_link_channels_lost(&link->channels, server);
    im_link_check_down(link);
    im_link_release(link);
}


static void
im_link_server_refused(im_link_server_t *server)
{
    im_link_t  *link;

    link = im_link_of(server->context);

    if (server->unusable && !link->told && server == im_link_needed(link)) {
        im_link_event(&link->context, fatal, server->why);
    }
}


static const im_link_server_events_t  im_link_server_events = {
    im_link_server_is_open,
    im_link_server_is_ready,
    im_link_ask_partitions,
    im_link_server_listen,
    im_link_check_whole,
    im_link_server_pushed,
    im_link_server_is_lost,
    im_link_server_refused,
    im_link_server_trusted_again,
    im_link_error_led
};


static im_link_server_t *
im_link_channel_server(im_link_context_t *context, im_uint_t slot)
{
    return im_link_nodes_at(context->nodes, slot);
}


static void
im_link_channel_changed(im_link_server_t *server, im_uint_t slot)
{
    im_link_check_up(im_link_of(server->context));
}


/* A slot that moves, or a server that is no master any more. */
static void
im_link_channel_moved(im_link_server_t *server, const im_link_reply_t *reply)
{
    im_link_t  *link;

    link = im_link_of(server->context);

    if (reply != NULL) {
        im_link_slot_moved(link, server, reply);

    } else {
        im_link_nodes_want(&link->nodes, server);
        im_link_server_doubt(server);
    }

    im_link_check_down(link);
}


static void
im_link_channel_dropped(im_link_server_t *server, im_uint_t slot,
    const im_link_reply_t *reply)
{
    im_link_t        *link;
    im_link_error_e   error;

    link = im_link_of(server->context);
    error = im_link_error(reply);

    if (im_link_is_cluster(link)
        && (reply == NULL || error == IM_LINK_MOVED
            || error == IM_LINK_CLUSTERDOWN))
    {
        im_link_channel_moved(server, reply);

    } else {
        im_link_server_lost(server, &server->pubsub,
                            reply != NULL ? reply->str
                                          : "unsubscribed by the server");
    }
}


static const im_link_channels_events_t  im_link_channels_events = {
    im_link_channel_server,
    im_link_channel_changed,
    im_link_channel_dropped
};


static void
im_link_nodes_moved(im_link_context_t *context)
{
    im_link_t         *link;
    im_link_server_t  *server;

    link = im_link_of(context);

    im_link_channels_move(&link->channels);
    im_link_check_down(link);
    im_link_check_up(link);
    im_link_release(link);

    server = im_link_nodes_at(&link->nodes, link->registry);

    if (link->parts == NULL && server != NULL && im_link_server_takes(server)) {
        im_link_ask_partitions(server);
    }
}


static void
im_link_server_numbered(im_link_server_t *server)
{
    if (im_link_of(server->context)->told && im_link_server_takes(server)) {
        im_link_event(server->context, server, server->index);
    }
}


static const im_link_nodes_events_t  im_link_nodes_events = {
    im_link_nodes_moved,
    im_link_server_numbered
};


/* While no sentinel answers, this is why the server is away. */
static void
im_link_tick_sentinel(im_link_t *link)
{
    const char        *why;
    im_link_server_t  *server;

    if (link->sentinel == NULL) {
        return;
    }

    im_link_sentinel_tick(link->sentinel);

    why = im_link_sentinel_why(link->sentinel);
    server = link->nodes.list[0];

    if (why[0] != '\0' && !server->wanted) {
        (void) snprintf(server->why, IM_LINK_SERVER_WHY, "%s", why);
    }
}


/* After a standstill, the replies that came meanwhile are read first. */
void
im_link_tick(im_link_t *link)
{
    im_link_context_t  *context;

    context = &link->context;
    context->due = UINT64_MAX;

    (void) im_link_time(context);

    if (context->clock.lost != link->lost && !link->late) {
        link->lost = context->clock.lost;
        link->late = 1;
        im_link_due(context, 1);
        return;
    }

    link->lost = context->clock.lost;
    link->late = 0;

    if (context->guard.busy == 0) {
        im_link_nodes_sweep(&link->nodes);
    }

    im_link_enter(&context->guard);

    im_link_tick_sentinel(link);
    im_link_nodes_tick(&link->nodes, link->channels.nmissing == 0);

    if (!context->ended) {
        im_link_channels_tick(&link->channels);
        im_link_release(link);
    }

    if (!context->ended) {
        im_link_due(context, IM_LINK_TICK);
    }

    im_link_leave(&context->guard);
}


im_int_t
im_link_subscribe(im_link_t *link, im_str_t channel, im_uint_t number,
    int heartbeats)
{
    return im_link_channels_add(&link->channels, channel, number, heartbeats);
}


void
im_link_unsubscribe(im_link_t *link, im_str_t channel)
{
    im_link_channels_remove(&link->channels, channel);
}
