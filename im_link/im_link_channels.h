/*
 * Copyright (C) The im authors
 *
 * The channels that a link follows.  They outlive its connections.
 */

#ifndef IM_LINK_CHANNELS_H
#define IM_LINK_CHANNELS_H


#include "im_hash.h"
#include "im_list.h"


typedef enum {
    IM_LINK_JOINING = 0,       /* not confirmed, or not even sent */
    IM_LINK_JOINED,
    IM_LINK_LEAVING            /* kept until the server confirms it */
} im_link_channel_e;


typedef struct {
    im_hash_node_t      node;
    im_list_t           link;
    uint64_t            heard;
    im_uint_t           number;
    im_uint_t           pending;     /* confirmations that are awaited */
    im_link_channel_e   state;
    unsigned            heartbeats:1;
    unsigned            lost:1;      /* its silence has been reported */
    size_t              len;
    u_char              name[];
} im_link_channel_t;


typedef struct {
    im_hash_t   names;
    im_list_t   list;
    im_uint_t   njoining;
    im_uint_t   changes;       /* of the list, for those who walk it */
} im_link_channels_t;


im_int_t im_link_channels_init(im_link_channels_t *chs,
    const uint64_t seed[2]);
void im_link_channels_cleanup(im_link_channels_t *chs);

/* The connection is lost: all wait to be subscribed again. */
void im_link_channels_reset(im_link_channels_t *chs);

/* NULL: not there. */
im_link_channel_t *im_link_channels_find(im_link_channels_t *chs,
    im_str_t name);

/* NULL: no memory.  A new one is JOINING. */
im_link_channel_t *im_link_channels_add(im_link_channels_t *chs,
    im_str_t name);
void im_link_channels_remove(im_link_channels_t *chs, im_link_channel_t *ch);

/* The setter of the state. */
void im_link_channels_enter(im_link_channels_t *chs, im_link_channel_t *ch,
    im_link_channel_e state);


#endif /* IM_LINK_CHANNELS_H */
