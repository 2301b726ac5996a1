/*
 * Copyright (C) The im authors
 *
 * What a key of Redis is: the other way round of im_key.h.
 */

#ifndef IM_KEY_KIND_H
#define IM_KEY_KIND_H


#include "im_key.h"


typedef enum {
    IM_KIND_HISTORY = 0,
    IM_KIND_META,
    IM_KIND_ROUTES,
    IM_KIND_MEMBERS,
    IM_KIND_LEFT,              /* the mark of a leave */
    IM_KIND_IDEM,
    IM_KIND_QUEUE,
    IM_KIND_ACCOUNT,           /* accounts and tokens */
    IM_KIND_LIMIT,
    IM_KIND_PROCESS,           /* leases, owners, records */
    IM_KIND_FOREIGN,           /* not of this prefix */
    IM_KINDS
} im_kind_e;


/* p, topic: of the first five kinds; borrowed from the key. */
im_kind_e im_key_kind(im_str_t prefix, im_str_t key, uint16_t *p,
    im_str_t *topic);

/* For the log: "history", "routes". */
const char *im_key_kind_name(im_kind_e kind);

/* A glob that matches the routes of all topics, and perhaps other keys. */
void im_key_glob_routes(im_buf_t *b, im_str_t prefix);


#endif /* IM_KEY_KIND_H */
