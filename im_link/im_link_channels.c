/*
 * Copyright (C) The im authors
 *
 * The channels that a link follows.
 */

#include "im_link_channels.h"


#define im_link_channel(q)  im_list_data(q, im_link_channel_t, link)


static im_str_t im_link_channels_name(const im_hash_node_t *node);


im_int_t
im_link_channels_init(im_link_channels_t *chs, const uint64_t seed[2])
{
    memset(chs, 0, sizeof(im_link_channels_t));
    im_list_init(&chs->list);

    return im_hash_init(&chs->names, im_link_channels_name, seed);
}


static im_str_t
im_link_channels_name(const im_hash_node_t *node)
{
    const im_link_channel_t  *ch;

    ch = im_list_data(node, im_link_channel_t, node);

    return im_str_set(ch->name, ch->len);
}


void
im_link_channels_cleanup(im_link_channels_t *chs)
{
    while (!im_list_empty(&chs->list)) {
        im_link_channels_remove(chs,
                                im_link_channel(im_list_first(&chs->list)));
    }

    im_hash_cleanup(&chs->names);
}


im_link_channel_t *
im_link_channels_find(im_link_channels_t *chs, im_str_t name)
{
    im_hash_node_t  *node;

    node = im_hash_find(&chs->names, name);

    return node != NULL ? im_list_data(node, im_link_channel_t, node) : NULL;
}


im_link_channel_t *
im_link_channels_add(im_link_channels_t *chs, im_str_t name)
{
    im_link_channel_t  *ch;

    ch = im_calloc(sizeof(im_link_channel_t) + name.len);
    if (ch == NULL) {
        return NULL;
    }

    ch->len = name.len;
    memcpy(ch->name, name.data, name.len);

    im_hash_add(&chs->names, &ch->node);
    im_list_insert_tail(&chs->list, &ch->link);

    chs->changes++;

    return ch;
}


void
im_link_channels_remove(im_link_channels_t *chs, im_link_channel_t *ch)
{
    chs->changes++;
    im_hash_remove(&chs->names, &ch->node);
    im_list_remove(&ch->link);
    im_free(ch);
}
