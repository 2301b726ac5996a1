/*
 * Copyright (C) The im authors
 *
 * Channels are sharded ones: one command for each, at the server of its slot.
 */

#include "im_link_channels.h"


#define IM_LINK_HEARTBEAT  6000        /* ms */


typedef enum {
    IM_LINK_CHANNEL_AWAY = 0,
    IM_LINK_CHANNEL_ASKED,
    IM_LINK_CHANNEL_JOINED
} im_link_channel_e;


/* It outlives connections. */
typedef struct {
    im_hash_node_t      node;
    im_list_t           link;
    im_link_server_t   *server;      /* of its slot, or NULL */
    uint64_t            heard;
    im_uint_t           number;
    im_uint_t           slot;
    im_uint_t           sent;        /* number of its command at the server */
    im_link_channel_e   state;
    unsigned            heartbeats:1;
    unsigned            lost:1;      /* its silence has been reported */
    size_t              len;
    u_char              name[];
} im_link_channel_t;


static im_str_t
im_link_channel_name(const im_hash_node_t *node)
{
    const im_link_channel_t  *ch;

    ch = im_list_data(node, im_link_channel_t, node);

    return im_str_set(ch->name, ch->len);
}


im_int_t
im_link_channels_init(im_link_channels_t *channels)
{
    uint64_t                    seed[2];
    im_link_context_t          *context;
    const im_link_transport_t  *transport;

    context = channels->context;
    transport = context->transport;

    seed[0] = transport->random(context->transport_data);
    seed[1] = transport->random(context->transport_data);

    im_list_init(&channels->list);

    return im_hash_init(&channels->names, im_link_channel_name, seed);
}


/* The setter of the state. */
static void
im_link_channel_enter(im_link_channels_t *channels, im_link_channel_t *ch,
    im_link_channel_e state)
{
    int  more;

    more = (ch->state == IM_LINK_CHANNEL_JOINED)
           - (state == IM_LINK_CHANNEL_JOINED);

    channels->nmissing += more;
    channels->missing[ch->slot] += more;
    ch->state = state;
}


static void
im_link_channel_free(im_link_channels_t *channels, im_link_channel_t *ch)
{
    im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_JOINED);

    if (ch->server != NULL) {
        ch->server->nchannels--;
    }

    im_hash_remove(&channels->names, &ch->node);
    im_list_remove(&ch->link);
    im_free(ch);
}


void
im_link_channels_cleanup(im_link_channels_t *channels)
{
    while (!im_list_empty(&channels->list)) {
        im_link_channel_free(channels,
                             im_list_data(im_list_first(&channels->list),
                                          im_link_channel_t, link));
    }

    im_hash_cleanup(&channels->names);
}


/* NULL: not there. */
static im_link_channel_t *
im_link_channel(im_link_channels_t *channels, im_str_t name)
{
    im_hash_node_t  *node;

    node = im_hash_find(&channels->names, name);

    return node != NULL ? im_list_data(node, im_link_channel_t, node) : NULL;
}


/* The one whose command has the number. */
static im_link_channel_t *
im_link_channel_asked(im_link_channels_t *channels, im_link_server_t *server,
    im_uint_t n)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    im_list_each (q, &channels->list) {
        ch = im_list_data(q, im_link_channel_t, link);

        if (ch->server == server && ch->state == IM_LINK_CHANNEL_ASKED
            && ch->sent == n)
        {
            return ch;
        }
    }

    return NULL;
}


/* A channel that left and came back is joined by its last confirmation. */
static void
im_link_channel_joined(im_link_channels_t *channels, im_link_server_t *server,
    im_str_t name)
{
    im_uint_t           slot;
    im_link_channel_t  *ch;

    ch = im_link_channel(channels, name);

    if (ch == NULL || ch->server != server
        || ch->state != IM_LINK_CHANNEL_ASKED
        || ch->sent != server->nconfirmed)
    {
        return;
    }

    slot = ch->slot;
    ch->heard = im_link_conn_due(&server->pubsub);

    im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_JOINED);

    if (ch->number != IM_LINK_OWN) {
        im_link_event(channels->context, subscribed, ch->number);
    }

    if (!channels->context->ended) {
        channels->events->changed(server, slot);
    }
}


static void
im_link_channel_refused(im_link_channels_t *channels, im_link_server_t *server,
    const im_link_reply_t *reply)
{
    im_link_channel_t  *ch;

    ch = im_link_channel_asked(channels, server, server->nconfirmed);

    if (ch != NULL) {
        im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_AWAY);
        channels->events->dropped(server, ch->slot, reply);
    }
}


/* Of SSUBSCRIBE; what it is for is in im_link_channels_reply(). */
static void
im_link_channel_join_handler(const im_link_reply_t *reply, void *data)
{
    im_link_server_t  *server = data;

    server->nconfirmed += reply != NULL;
}


static void
im_link_channel_leave_handler(const im_link_reply_t *reply, void *data)
{
    im_link_server_t  *server = data;

    server->nconfirmed += reply != NULL;
}


/* One command for each channel: in a cluster their slots differ. */
static im_uint_t
im_link_channel_tell(im_link_server_t *server, const char *word, im_str_t name,
    im_link_reply_pt handler)
{
    im_link_call_t  *own;

    own = &server->context->own;

    im_link_call_start(own, word);
    im_link_call_str(own, name);

    if (im_link_conn_send(&server->pubsub, own, handler, server) != IM_OK) {
        server->pubsub.failed = 1;
    }

    return ++server->nsent;
}


static void
im_link_channel_join(im_link_channels_t *channels, im_link_channel_t *ch)
{
    ch->lost = 0;
    ch->sent = im_link_channel_tell(ch->server, "SSUBSCRIBE",
                                    im_str_set(ch->name, ch->len),
                                    im_link_channel_join_handler);

    im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_ASKED);
}


/* The server is as it was, or another one. */
static void
im_link_channel_place(im_link_channels_t *channels, im_link_channel_t *ch,
    im_link_server_t *server)
{
    if (server != ch->server) {
        im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_AWAY);

        if (ch->server != NULL) {
            ch->server->nchannels--;
        }

        if (server != NULL) {
            server->nchannels++;
        }

        ch->server = server;
    }

    if (server == NULL || ch->state != IM_LINK_CHANNEL_AWAY) {
        return;
    }

    if (server->pubsub.state >= IM_LINK_PREPARING) {
        im_link_channel_join(channels, ch);

    } else if (server->pubsub.state == IM_LINK_CLOSED) {
        im_link_due(channels->context, 1);
    }
}


im_int_t
im_link_channels_add(im_link_channels_t *channels, im_str_t name,
    im_uint_t number, int heartbeats)
{
    im_link_channel_t  *ch;

    if (im_link_channel(channels, name) != NULL) {
        return IM_OK;
    }

    ch = im_calloc(sizeof(im_link_channel_t) + name.len);
    if (ch == NULL) {
        return IM_ERROR;
    }

    ch->number = number;
    ch->slot = im_link_slot(name);
    ch->heartbeats = heartbeats;
    ch->len = name.len;
    im_copy(ch->name, name.data, name.len);

    im_hash_add(&channels->names, &ch->node);
    im_list_insert_tail(&channels->list, &ch->link);
    channels->missing[ch->slot]++;
    channels->nmissing++;

    im_link_channel_place(channels, ch,
                          channels->events->server(channels->context,
                                                   ch->slot));

    return IM_OK;
}


void
im_link_channels_move(im_link_channels_t *channels)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    im_list_each (q, &channels->list) {
        ch = im_list_data(q, im_link_channel_t, link);

        im_link_channel_place(channels, ch,
                              channels->events->server(channels->context,
                                                       ch->slot));
    }
}


void
im_link_channels_remove(im_link_channels_t *channels, im_str_t name)
{
    im_link_server_t   *server;
    im_link_channel_t  *ch;

    ch = im_link_channel(channels, name);

    if (ch == NULL) {
        return;
    }

    server = ch->server;

    if (server != NULL && server->pubsub.state >= IM_LINK_PREPARING) {
        (void) im_link_channel_tell(server, "SUNSUBSCRIBE", name,
                                    im_link_channel_leave_handler);
    }

    im_link_channel_free(channels, ch);
}


void
im_link_channels_join(im_link_channels_t *channels, im_link_server_t *server)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    im_list_each (q, &channels->list) {
        ch = im_list_data(q, im_link_channel_t, link);

        if (ch->server == server && ch->state == IM_LINK_CHANNEL_AWAY) {
            im_link_channel_join(channels, ch);
        }
    }
}


void
im_link_channels_lost(im_link_channels_t *channels, im_link_server_t *server)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    im_list_each (q, &channels->list) {
        ch = im_list_data(q, im_link_channel_t, link);

        if (ch->server == server) {
            im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_AWAY);
        }
    }
}


static void
im_link_channel_message(im_link_channels_t *channels, im_link_server_t *server,
    im_str_t name, im_str_t payload)
{
    im_link_channel_t  *ch;
    im_link_context_t  *context;

    context = channels->context;
    ch = im_link_channel(channels, name);

    if (ch == NULL || ch->server != server || ch->number == IM_LINK_OWN
        || ch->state != IM_LINK_CHANNEL_JOINED)
    {
        return;
    }

    ch->heard = im_link_conn_due(&server->pubsub);

    if (ch->lost) {
        ch->lost = 0;
        im_link_event(context, heartbeat, ch->number, 0);

        ch = context->ended ? NULL : im_link_channel(channels, name);
    }

    if (ch != NULL && (payload.len > 0 || !ch->heartbeats)) {
        im_link_event(context, message, ch->number, payload);
    }
}


/* Confirms SUNSUBSCRIBE, or comes unasked when the slot moves. */
static void
im_link_channel_left(im_link_channels_t *channels, im_link_server_t *server,
    const im_link_reply_t *reply)
{
    im_uint_t           slot;
    im_str_t            name;
    im_link_channel_t  *ch;

    name = im_link_reply_str_at(reply, 1);
    slot = im_link_slot(name);
    ch = im_link_channel(channels, name);

    if (ch != NULL && ch->server == server
        && ch->state == IM_LINK_CHANNEL_JOINED)
    {
        im_link_channel_enter(channels, ch, IM_LINK_CHANNEL_AWAY);
        channels->events->dropped(server, slot, NULL);

    } else if (im_link_conn_expects(&server->pubsub,
                                    im_link_channel_leave_handler))
    {
        (void) im_link_conn_answer(&server->pubsub, reply);
        channels->events->changed(server, slot);

    } else {
        channels->events->dropped(server, slot, NULL);
    }
}


void
im_link_channels_reply(im_link_channels_t *channels, im_link_server_t *server,
    const im_link_reply_t *reply)
{
    int       join;
    im_str_t  word;

    word = im_link_reply_str_at(reply, 0);
    join = im_link_conn_expects(&server->pubsub, im_link_channel_join_handler);

    if (im_str_eq(word, im_str_z("smessage"))) {
        im_link_channel_message(channels, server,
                                im_link_reply_str_at(reply, 1),
                                im_link_reply_str_at(reply, 2));

    } else if (im_str_eq(word, im_str_z("sunsubscribe"))) {
        im_link_channel_left(channels, server, reply);

    } else if (join && im_str_eq(word, im_str_z("ssubscribe"))) {
        (void) im_link_conn_answer(&server->pubsub, reply);
        im_link_channel_joined(channels, server,
                               im_link_reply_str_at(reply, 1));

    } else if (join && im_link_reply_is_error(reply)) {
        (void) im_link_conn_answer(&server->pubsub, reply);
        im_link_channel_refused(channels, server, reply);

    } else if (join || (server->pubsub.state == IM_LINK_READY
                        && im_link_reply_is_error(reply))
               || !im_link_conn_answer(&server->pubsub, reply))
    {
        im_link_server_lost(server, &server->pubsub, "unexpected reply");
    }
}


/* The event may change the channels: the list is read anew. */
void
im_link_channels_tick(im_link_channels_t *channels)
{
    im_list_t          *q;
    im_link_channel_t  *ch;

    q = &channels->list;

    while (!channels->context->ended
           && (q = im_list_next(q)) != &channels->list)
    {
        ch = im_list_data(q, im_link_channel_t, link);

        if (ch->heartbeats && !ch->lost && ch->state == IM_LINK_CHANNEL_JOINED
            && im_link_conn_due(&ch->server->pubsub) - ch->heard
               > IM_LINK_HEARTBEAT)
        {
            ch->lost = 1;
            q = &channels->list;
            im_link_event(channels->context, heartbeat, ch->number, 1);
        }
    }
}
