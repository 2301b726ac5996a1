/*
 * Copyright (C) The im authors
 *
 * How a program sees Redis, as JSON: its servers, slots, sentinels.
 */

#ifndef IM_LINK_SHOW_H
#define IM_LINK_SHOW_H


#include "im_link_transport.h"
#include "im_buf.h"


#define IM_LINK_SHOWN         64       /* servers; those that are away first */
#define IM_LINK_SHOW_MAX      (1024 + IM_LINK_SHOWN * 4096)
#define IM_LINK_SHOW_REASONS  8


/* What readers may know. */
typedef enum {
    IM_LINK_SHOW_STATES = 0,  /* neither names, addresses nor generations */
    IM_LINK_SHOW_ALL
} im_link_show_e;


/*
 * Appends an object of at most IM_LINK_SHOW_MAX bytes.  now: as the transport
 * has it.
 */
void im_link_show(im_buf_t *b, const im_link_t *link,
    const im_link_conf_t *conf, uint64_t now, im_link_show_e what);

/*
 * Appends an array of texts, at most IM_LINK_SHOW_MAX bytes: which slots take
 * no calls, and why.
 */
void im_link_show_reasons(im_buf_t *b, const im_link_t *link,
    im_link_show_e what);


#endif /* IM_LINK_SHOW_H */
