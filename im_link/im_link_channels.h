/*
 * Copyright (C) The im authors
 *
 * The channels of a link: each is subscribed at the server of its slot, over
 * and over again.
 */

#ifndef IM_LINK_CHANNELS_H
#define IM_LINK_CHANNELS_H


#include "im_hash.h"
#include "im_link_server.h"


/* Each may close connections, change the channels, or end the link. */
typedef struct {
    /* The server of a slot, or NULL. */
    im_link_server_t  *(*server)(im_link_context_t *context, im_uint_t slot);

    /* A channel of the slot is subscribed, or isn't wanted any more. */
    void  (*changed)(im_link_server_t *server, im_uint_t slot);

    /* The server has dropped a channel: no reply, or refuses it. */
    void  (*dropped)(im_link_server_t *server, im_uint_t slot,
                     const im_link_reply_t *reply);
} im_link_channels_events_t;


typedef struct {
    im_link_context_t                *context;
    const im_link_channels_events_t  *events;
    im_hash_t                         names;
    im_list_t                         list;
    im_uint_t                         nmissing;   /* not subscribed */
    uint16_t                          missing[IM_LINK_SLOTS];  /* of each */
} im_link_channels_t;


/* Before it the caller sets the first two.  IM_ERROR: no memory. */
im_int_t im_link_channels_init(im_link_channels_t *channels);
void im_link_channels_cleanup(im_link_channels_t *channels);

/* The number of channels of the link itself: no event tells of them. */
#define IM_LINK_OWN  ((im_uint_t) -1)

/* IM_OK: it is there, and was, perhaps.  IM_ERROR: no memory. */
im_int_t im_link_channels_add(im_link_channels_t *channels, im_str_t name,
    im_uint_t number, int heartbeats);
void im_link_channels_remove(im_link_channels_t *channels, im_str_t name);

/* Subscribes what the server is to have and has not. */
void im_link_channels_join(im_link_channels_t *channels,
    im_link_server_t *server);

/* The same at the servers that the slots have now. */
void im_link_channels_move(im_link_channels_t *channels);

/* The server's pub/sub is closed. */
void im_link_channels_lost(im_link_channels_t *channels,
    im_link_server_t *server);

/* What pub/sub of a server has got. */
void im_link_channels_reply(im_link_channels_t *channels,
    im_link_server_t *server, const im_link_reply_t *reply);

/* Tells of those that are silent. */
void im_link_channels_tick(im_link_channels_t *channels);

/* All channels of a slot are subscribed. */
#define im_link_channels_complete(channels, slot)                             \
    ((channels)->missing[slot] == 0)


#endif /* IM_LINK_CHANNELS_H */
