/*
 * Copyright (C) The im authors
 *
 * The channels that a link follows.  They outlive its connections.
 */

#ifndef IM_LINK_CHANNELS_H
#define IM_LINK_CHANNELS_H


#include "im_hash.h"
#include "im_list.h"


typedef struct {
    im_hash_node_t   node;
    im_list_t        link;
    uint64_t         heard;
    im_uint_t        number;
    im_uint_t        sent;           /* number of its SUBSCRIBE; 0: none */
    unsigned         heartbeats:1;
    unsigned         lost:1;         /* its silence has been reported */
    size_t           len;
    u_char           name[];
} im_link_channel_t;


typedef struct {
    im_hash_t   names;
    im_list_t   list;
    im_uint_t   nsent;         /* SUBSCRIBE and UNSUBSCRIBE of a connection */
    im_uint_t   nconfirmed;    /* of them, in their order */
    im_uint_t   changes;       /* of the list, for code that walks it */
} im_link_channels_t;


im_int_t im_link_channels_init(im_link_channels_t *chs, const uint64_t seed[2]);
void im_link_channels_cleanup(im_link_channels_t *chs);

/* NULL: not there. */
im_link_channel_t *im_link_channels_find(im_link_channels_t *chs,
    im_str_t name);

/* NULL: no memory. */
im_link_channel_t *im_link_channels_add(im_link_channels_t *chs, im_str_t name);
void im_link_channels_remove(im_link_channels_t *chs, im_link_channel_t *ch);


#endif /* IM_LINK_CHANNELS_H */
