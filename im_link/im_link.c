/*
 * Copyright (C) The im authors
 *
 * The link: calls go to the server of their slot, events come up.
 */

#include <stdio.h>

#include "im_key.h"
#include "im_link_channels.h"
#include "im_link_sentinel.h"


#define IM_LINK_TICK  500              /* ms */
#define IM_LINK_SLOW  50
#define IM_LINK_WHY   (IM_LINK_SERVER_NAME + IM_LINK_SERVER_WHY)


/* The registry, or a partition. */
typedef struct {
    im_uint_t  slot;
    uint64_t   serial;       /* of the connection that it was up with last */
    int        up;
} im_link_part_t;


struct im_link_s {
    im_link_context_t    context;      /* the first: servers have it */
    im_link_channels_t   channels;
    im_link_call_t       call;         /* of callers */
    im_uint_t            nservers;
    im_link_server_t   **servers;
    im_link_sentinel_t  *sentinel;     /* NULL: of another kind */
    uint64_t             ticked;
    im_keys_t            keys;
    im_link_part_t      *parts;        /* the registry, then partitions */
    char                *why;          /* for callers */
    unsigned             told:1;       /* the owner knows the partitions */
};


static const im_link_server_events_t    im_link_server_events;
static const im_link_channels_events_t  im_link_channels_events;


static im_link_t *
im_link_of(const im_link_server_t *server)
{
    return im_list_data(server->context, im_link_t, context);
}


static im_int_t
im_link_add_server(im_link_t *link, im_str_t name, const im_addr_t *addr)
{
    im_link_server_t  *server, **servers;

    servers = im_realloc(link->servers,
                         (link->nservers + 1) * sizeof(im_link_server_t *));
    if (servers == NULL) {
        return IM_ERROR;
    }

    link->servers = servers;

    server = im_link_server_create(&link->context, name, addr);
    if (server == NULL) {
        return IM_ERROR;
    }

    server->index = link->nservers;
    link->servers[link->nservers++] = server;

    return IM_OK;
}


static void
im_link_free(void *data)
{
    im_uint_t   i;
    im_link_t  *link = data;

    im_link_channels_cleanup(&link->channels);
    im_link_sentinel_destroy(link->sentinel);

    for (i = 0; i < link->nservers; i++) {
        im_link_server_free(link->servers[i]);
    }

    im_link_call_cleanup(&link->call);
    im_link_call_cleanup(&link->context.own);
    im_free(link->servers);
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

    im_link_server_place(link->servers[0], addr);
}


static im_int_t
im_link_add_sentinels(im_link_t *link)
{
    if (link->context.conf.kind != IM_LINK_SENTINEL) {
        return IM_OK;
    }

    link->servers[0]->name = link->context.conf.master;
    link->servers[0]->unplaced = 1;

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
    link->keys.prefix = conf->prefix;
    context->transport = transport;
    context->transport_data = transport_data;
    context->events = &im_link_server_events;
    context->owner = events;
    context->data = data;
    context->due = UINT64_MAX;

    im_link_call_init(&link->call);
    im_link_call_init(&context->own);

    link->channels.context = context;
    link->channels.events = &im_link_channels_events;
    link->ticked = im_link_time(context);
    link->why = im_alloc(IM_LINK_WHY);

    if (im_link_channels_init(&link->channels) != IM_OK
        || link->why == NULL
        || im_link_add_server(link, conf->seeds[0].name, &conf->seeds[0].addr)
           != IM_OK
        || im_link_add_sentinels(link) != IM_OK)
    {
        im_link_free(link);
        return NULL;
    }

    im_link_due(context, 1);

    return link;
}


void
im_link_destroy(im_link_t *link)
{
    im_uint_t           i;
    im_link_context_t  *context;

    context = &link->context;
    im_link_enter(&context->guard);

    context->ended = 1;
    context->guard.free = im_link_free;
    context->guard.data = link;

    im_link_sentinel_close(link->sentinel);

    for (i = 0; i < link->nservers; i++) {
        im_link_server_close(link->servers[i]);
    }

    im_link_leave(&context->guard);
}


void *
im_link_transport_data(const im_link_t *link)
{
    return link->context.transport_data;
}


/* NULL: none has it. */
static im_link_server_t *
im_link_server(const im_link_t *link, im_uint_t slot)
{
    (void) slot;

    return link->servers[0];
}


static im_link_server_t *
im_link_part_server(const im_link_t *link, im_uint_t part)
{
    return link->parts != NULL ? im_link_server(link, link->parts[part].slot)
                               : NULL;
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


static im_int_t
im_link_send_by(im_link_t *link, im_link_server_t *server,
    im_link_reply_pt handler, void *data)
{
    if (server == NULL || !im_link_server_takes(server)) {
        return IM_ERROR;
    }

    return im_link_conn_send(&server->calls, &link->call, handler, data);
}


im_int_t
im_link_send(im_link_t *link, im_link_reply_pt handler, void *data)
{
    return im_link_send_by(link, im_link_server(link, link->call.slot), handler,
                           data);
}


im_int_t
im_link_send_to(im_link_t *link, im_uint_t server, im_link_reply_pt handler,
    void *data)
{
    return server < link->nservers
           ? im_link_send_by(link, link->servers[server], handler, data)
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
    return link->nservers;
}


void
im_link_server_info(const im_link_t *link, im_uint_t server,
    im_link_server_info_t *info)
{
    im_link_server_describe(link->servers[server], info);

    info->slots = IM_LINK_SLOTS;
}


im_uint_t
im_link_unserved(const im_link_t *link)
{
    return im_link_server_takes(link->servers[0]) ? 0 : IM_LINK_SLOTS;
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
    return link->context.conf.kind != IM_LINK_CLUSTER;
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
    const im_link_server_t  *server;

    server = link->parts != NULL
             ? im_link_part_server(link, im_link_part(partition))
             : link->servers[0];

    (void) snprintf(link->why, IM_LINK_WHY, "%s%s",
                    server->why[0] != '\0' ? "redis: " : "", server->why);

    return link->why;
}


int
im_link_unusable(const im_link_t *link)
{
    im_uint_t  i;

    for (i = 0; i < link->nservers && !link->servers[i]->unusable; i++) {
        /* void */
    }

    return i < link->nservers;
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

    for (i = 0; i < link->nservers && !context->ended; i++) {
        server = link->servers[i];

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


/* An event may bring the server back, or end the link. */
static void
im_link_check_down(im_link_t *link)
{
    im_uint_t           i;
    im_link_context_t  *context;

    context = &link->context;
    i = link->parts != NULL ? link->keys.partitions + 1 : 0;

    while (i-- > 0 && !context->ended) {

        if (link->parts[i].up && !im_link_part_whole(link, i)) {
            link->parts[i].up = 0;
            im_link_event(context, down, im_link_part_number(i));
        }
    }
}


static void
im_link_check_up(im_link_t *link)
{
    int                 anew;
    uint64_t            serial;
    im_uint_t           i;
    im_link_part_t     *part;
    im_link_context_t  *context;

    context = &link->context;

    for (i = 0; link->parts != NULL && i <= link->keys.partitions
                && !context->ended; i++)
    {
        part = &link->parts[i];

        if (!part->up && im_link_part_whole(link, i)) {
            serial = im_link_part_server(link, i)->serial;
            anew = part->serial != serial;

            part->serial = serial;
            part->up = 1;

            im_link_event(context, up, im_link_part_number(i), anew);
        }
    }
}


static void
im_link_check_whole(im_link_server_t *server)
{
    char        text[64];
    im_link_t  *link;

    link = im_link_of(server);

    (void) snprintf(text, sizeof(text), "%u partitions",
                    (unsigned) link->keys.partitions);

    im_link_server_check_whole(server, text);
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
        return "it was set up with another number of partitions than "
               "\"partitions=\" says";
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

    link = im_link_of(server);

    if (reply == NULL
        || (im_link_server_takes(server) && im_link_reply_is_nil(reply)))
    {
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

    link = im_link_of(server);
    own = &link->context.own;
    n = link->context.conf.partitions;

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
    im_link_server_ask(server, NULL);

    im_link_call_start(own, "GET");
    im_key_conf(&own->bytes, &link->keys);
    im_link_call_key(own);
    im_link_server_ask(server, im_link_partitions_handler);
}


static void
im_link_server_is_ready(im_link_server_t *server)
{
    im_link_t          *link;
    im_link_context_t  *context;

    link = im_link_of(server);
    context = &link->context;

    if (!link->told) {
        link->told = 1;
        im_link_event(context, ready);
    }

    if (im_link_server_takes(server)) {
        im_link_event(context, server, server->index);
    }

    if (im_link_server_takes(server)) {
        im_link_check_whole(server);
        im_link_check_up(link);
    }
}


static void
im_link_server_listens(im_link_server_t *server)
{
    im_link_check_whole(server);
}


static void
im_link_server_listen(im_link_server_t *server)
{
    im_link_channels_join(&im_link_of(server)->channels, server);
}


static void
im_link_server_pushed(im_link_server_t *server, const im_link_reply_t *reply)
{
    im_link_channels_reply(&im_link_of(server)->channels, server, reply);
}


static void
im_link_server_is_lost(im_link_server_t *server)
{
    im_link_t  *link;

    link = im_link_of(server);

    /* it is never connected to before the sentinels have answered again */

    if (link->sentinel != NULL && server->calls.state == IM_LINK_CLOSED) {
        server->unplaced = 1;
        im_link_sentinel_ask(link->sentinel);
    }

    im_link_channels_lost(&link->channels, server);
    im_link_check_down(link);
}


static void
im_link_server_refused(im_link_server_t *server)
{
    im_link_t  *link;

    link = im_link_of(server);

    if (server->unusable && link->keys.partitions == 0) {
        im_link_event(&link->context, fatal, server->why);
    }
}


static const im_link_server_events_t  im_link_server_events = {
    im_link_ask_partitions,
    im_link_server_is_ready,
    im_link_ask_partitions,
    im_link_server_listen,
    im_link_server_listens,
    im_link_server_pushed,
    im_link_server_is_lost,
    im_link_server_refused
};


static void
im_link_channel_changed(im_link_server_t *server, im_uint_t slot)
{
    (void) slot;

    im_link_check_up(im_link_of(server));
}


static void
im_link_channel_dropped(im_link_server_t *server, im_uint_t slot,
    const im_link_reply_t *reply)
{
    (void) slot;

    im_link_server_lost(server, &server->pubsub,
                        reply != NULL ? reply->str
                                      : "unsubscribed by the server");
}


static const im_link_channels_events_t  im_link_channels_events = {
    im_link_channel_changed,
    im_link_channel_dropped
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
    server = link->servers[0];

    if (why[0] != '\0' && server->unplaced) {
        (void) snprintf(server->why, IM_LINK_SERVER_WHY, "%s", why);
    }
}


/* After a standstill, the replies that came meanwhile are read first. */
void
im_link_tick(im_link_t *link)
{
    uint64_t            late;
    im_uint_t           i;
    im_link_context_t  *context;

    context = &link->context;
    context->due = UINT64_MAX;

    late = im_link_time(context) - link->ticked;
    link->ticked += late;

    if (late > 2 * IM_LINK_TICK) {
        im_link_due(context, 1);
        return;
    }

    im_link_enter(&context->guard);
    im_link_tick_sentinel(link);

    for (i = 0; i < link->nservers && !context->ended; i++) {
        im_link_server_tick(link->servers[i]);
    }

    im_link_channels_tick(&link->channels);

    if (!context->ended) {
        im_link_due(context, IM_LINK_TICK);
    }

    im_link_leave(&context->guard);
}


im_int_t
im_link_subscribe(im_link_t *link, im_str_t channel, im_uint_t number,
    int heartbeats)
{
    return im_link_channels_add(&link->channels, channel, number, heartbeats,
                                im_link_server(link, im_link_slot(channel)));
}


void
im_link_unsubscribe(im_link_t *link, im_str_t channel)
{
    im_link_channels_remove(&link->channels, channel);
}
