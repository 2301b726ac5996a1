/*
 * Copyright (C) The im authors
 *
 * What a node of a cluster says: a reply that is a slot map or an error.
 */

#include <stdlib.h>

#include <hiredis/hiredis.h>

#include "im_link_cluster.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_reply(const im_link_reply_t *reply);
static void fuzz_error(im_str_t error);
static void fuzz_name(const char *name);

static im_link_map_t  fuzz_map;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    void         *reply;
    redisReader  *reader;

    reader = redisReaderCreate();
    if (reader == NULL) {
        return 0;
    }

    im_link_map_init(&fuzz_map);

    if (redisReaderFeed(reader, (const char *) data, size) == REDIS_OK) {
        for (reply = NULL;
             redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL;
             reply = NULL)
        {
            fuzz_reply(reply);
            freeReplyObject(reply);
        }
    }

    fuzz_error(im_str_set((u_char *) data, size));

    redisReaderFree(reader);
    im_link_map_cleanup(&fuzz_map);

    return 0;
}


static void
fuzz_reply(const im_link_reply_t *reply)
{
    im_uint_t  i;

    if (im_link_error(reply) != IM_LINK_OTHER) {
        fuzz_error(im_link_reply_str(reply));
    }

    if (im_link_map_read(&fuzz_map, reply, im_str_z("asked")) != NULL) {
        return;
    }

    if (fuzz_map.nnodes == 0 || fuzz_map.nnodes > IM_LINK_NODES) {
        abort();
    }

    for (i = 0; i < IM_LINK_SLOTS; i++) {
        if (fuzz_map.slots[i] > fuzz_map.nnodes) {
            abort();
        }
    }

    for (i = 1; i <= fuzz_map.nnodes; i++) {
        fuzz_name(im_link_map_name(&fuzz_map, i));
    }
}


static void
fuzz_error(im_str_t error)
{
    char       node[IM_LINK_NODE];
    im_uint_t  slot;

    if (im_link_redirect_read(error, im_str_z("asked"), &slot, node) == IM_OK) {

        if (slot >= IM_LINK_SLOTS) {
            abort();
        }

        fuzz_name(node);
    }
}


static void
fuzz_name(const char *name)
{
    im_addr_t  addr;

    if (im_addr_parse(&addr, im_str_z(name), IM_ADDR_CONNECT, 0) != NULL
        || addr.type == IM_ADDR_UNIX)
    {
        abort();
    }
}
