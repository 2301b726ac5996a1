/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that ends: topics that it names to the other one.
 */

#ifndef NGX_IM_OUT_TOPICS_H
#define NGX_IM_OUT_TOPICS_H


#include "ngx_im_out.h"


/* NGX_ERROR: no memory. */
ngx_int_t ngx_im_out_topics_init(ngx_im_handover_out_t *out);

/* The other worker is to follow all topics of the hub. */
void ngx_im_out_name_all(ngx_im_handover_out_t *out);

/* Names that have not been sent. */
void ngx_im_out_names_send(ngx_im_handover_out_t *out);

/* The number of one that is named. */
uint32_t ngx_im_out_number(im_topic_t *topic, void *data);

/*
 * A message of the other worker: where it is in some of them.  IM_ERROR: it is
 * malformed.
 */
im_int_t ngx_im_out_topics_ready(ngx_im_handover_out_t *out, im_str_t body);

/*
 * Its topics are known to the other worker, up to where the session is.  New
 * ones come first.
 */
ngx_uint_t ngx_im_out_ready(ngx_im_handover_out_t *out, ngx_im_session_t *s);

/* All topics are held still.  Without Redis this never comes. */
ngx_uint_t ngx_im_out_frozen(ngx_im_handover_out_t *out);

/*
 * Reports go on, or, if all sessions live elsewhere and Redis says so there,
 * the topics are left.
 */
void ngx_im_out_release(ngx_im_handover_out_t *out, int moved);


#endif /* NGX_IM_OUT_TOPICS_H */
