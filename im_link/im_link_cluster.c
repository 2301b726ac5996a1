/*
 * Copyright (C) The im authors
 *
 * What the nodes of a cluster say.
 */

#include <stdio.h>

#include "im_link_cluster.h"


#define IM_LINK_MAP_NAMES  (IM_LINK_NODES * IM_LINK_NODE)


static const struct {
    im_str_t         word;
    im_link_error_e  error;
} im_link_errors[] = {
    { im_str("MOVED "), IM_LINK_MOVED },
    { im_str("ASK "), IM_LINK_ASK },
    { im_str("TRYAGAIN"), IM_LINK_TRYAGAIN },
    { im_str("CLUSTERDOWN"), IM_LINK_CLUSTERDOWN },
    { im_str("READONLY"), IM_LINK_READONLY },
    { im_str("UNBLOCKED"), IM_LINK_UNBLOCKED },
    { im_str("LOADING"), IM_LINK_LOADING },
    { im_str("MASTERDOWN"), IM_LINK_MASTERDOWN }
};


void
im_link_map_init(im_link_map_t *map)
{
    im_buf_init(&map->names, IM_LINK_MAP_NAMES);
}


void
im_link_map_cleanup(im_link_map_t *map)
{
    im_buf_cleanup(&map->names);
}


/* IM_ERROR: the host or the port is none. */
static im_int_t
im_link_node_name(char *node, im_str_t host, im_str_t port, im_str_t asked)
{
    int         n;
    im_addr_t   addr;

    if (host.len == 0 || im_str_eq(host, im_str_z("?"))) {
        host = asked;
    }

    if (host.len == 0 || host.len > IM_ADDR_MAX_NAME || port.len == 0
        || port.len > 5)
    {
        return IM_ERROR;
    }

    n = snprintf(node, IM_LINK_NODE,
                 memchr(host.data, ':', host.len) != NULL ? "[%.*s]:%.*s"
                                                          : "%.*s:%.*s",
                 (int) host.len, (char *) host.data,
                 (int) port.len, (char *) port.data);

    return im_addr_parse(&addr, im_str_set(node, n), IM_ADDR_CONNECT, 0) == NULL
           && addr.type != IM_ADDR_UNIX
           ? IM_OK : IM_ERROR;
}


/* The number of a node, from 1 on; 0: there are too many. */
static im_uint_t
im_link_map_node(im_link_map_t *map, const char *name)
{
    im_uint_t  i;

    for (i = 1; i <= map->nnodes; i++) {
        if (strcmp(im_link_map_name(map, i), name) == 0) {
            return i;
        }
    }

    if (map->nnodes == IM_LINK_NODES) {
        return 0;
    }

    map->at[map->nnodes++] = map->names.len;
    im_buf_add(&map->names, name, strlen(name) + 1);

    return map->nnodes;
}


/* First slot, last slot, the master: host, port and more; then replicas. */
static const char *
im_link_map_range(im_link_map_t *map, const im_link_reply_t *range,
    im_str_t asked)
{
    char                    name[IM_LINK_NODE], port[32];
    int64_t                 slot, last;
    im_uint_t               node;
    const im_link_reply_t  *master;

    slot = im_link_reply_int_at(range, 0, -1);
    last = im_link_reply_int_at(range, 1, -1);
    master = im_link_reply_at(range, 2);

    if (slot < 0 || last < slot || last >= IM_LINK_SLOTS) {
        return "its slot map has an invalid range";
    }

    (void) snprintf(port, sizeof(port), "%lld",
                    (long long) im_link_reply_int_at(master, 1, 0));

    if (im_link_node_name(name, im_link_reply_str_at(master, 0), im_str_z(port),
                          asked)
        != IM_OK)
    {
        return "its slot map has an invalid address";
    }

    node = im_link_map_node(map, name);

    if (node == 0) {
        return "its slot map has more than 512 masters";
    }

    while (slot <= last) {
        map->slots[slot++] = node;
    }

    return NULL;
}


const char *
im_link_map_read(im_link_map_t *map, const im_link_reply_t *reply,
    im_str_t asked)
{
    im_uint_t    i, n;
    const char  *why;

    n = im_link_reply_len(reply);

    if (!im_link_reply_is_array(reply, 1)) {
        return "it knows of no slots: is it in the cluster?";
    }

    if (n > IM_LINK_SLOTS) {
        return "its slot map has too many ranges";
    }

    map->nnodes = 0;
    im_buf_reset(&map->names, IM_LINK_MAP_NAMES);
    memset(map->slots, 0, sizeof(map->slots));

    for (i = 0, why = NULL; i < n && why == NULL; i++) {
        why = im_link_map_range(map, im_link_reply_at(reply, i), asked);
    }

    return map->names.failed ? "no memory" : why;
}


im_link_error_e
im_link_error(const im_link_reply_t *reply)
{
    size_t    i;
    im_str_t  error;

    if (!im_link_reply_is_error(reply)) {
        return IM_LINK_OTHER;
    }

    error = im_link_reply_str(reply);

    for (i = 0; i < sizeof(im_link_errors) / sizeof(im_link_errors[0]); i++) {
        if (error.len >= im_link_errors[i].word.len
            && memcmp(error.data, im_link_errors[i].word.data,
                      im_link_errors[i].word.len) == 0)
        {
            return im_link_errors[i].error;
        }
    }

    return IM_LINK_OTHER;
}


im_int_t
im_link_redirect_read(im_str_t error, im_str_t asked, im_uint_t *slot,
    char *node)
{
    u_char    *p, *end, *space, *colon;
    uint64_t   n;

    end = error.data + error.len;
    p = im_str_chr(error, ' ');
    space = p != NULL ? memchr(p + 1, ' ', end - p - 1) : NULL;

    /* an IPv6 address has colons of its own */

    for (colon = end - 1; space != NULL && colon > space && *colon != ':';
         colon--)
    {
        /* void */
    }

    if (space == NULL || colon == space
        || im_decimal_decode(im_str_set(p + 1, space - p - 1), &n) != IM_OK
        || n >= IM_LINK_SLOTS)
    {
        return IM_ERROR;
    }

    *slot = n;

    return im_link_node_name(node, im_str_set(space + 1, colon - space - 1),
                             im_str_set(colon + 1, end - colon - 1), asked);
}
