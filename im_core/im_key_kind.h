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
} im_key_kind_e;


/* p, topic: of the first five kinds; borrowed from the key. */
im_key_kind_e im_key_kind(const im_keys_t *keys, im_str_t key, uint16_t *p,
    im_str_t *topic);

/* For the log: "history", "routes". */
const char *im_key_kind_name(im_key_kind_e kind);

/*
 * Globs that match the routes of all topics, and all accounts; perhaps other
 * keys too.
 */
void im_key_glob_routes(im_buf_t *b, const im_keys_t *keys);
void im_key_glob_accounts(im_buf_t *b, const im_keys_t *keys);


#endif /* IM_KEY_KIND_H */
