/*
 * Copyright (C) The im authors
 *
 * The link to Redis on nginx's connections and timers.
 */

#ifndef NGX_IM_LINK_H
#define NGX_IM_LINK_H


#include "ngx_im_conf.h"
#include "im_link.h"


/* Called behind the events of what was read at once; must not end the link. */
typedef void (*ngx_im_link_read_pt)(void *data);

/* Connects from a timer, not within the call.  NULL: no memory. */
im_link_t *ngx_im_link_create(const im_link_conf_t *conf, ngx_log_t *log,
    const im_link_events_t *events, ngx_im_link_read_pt read, void *data);

/* Connections that it needs. */
ngx_uint_t ngx_im_link_conns(const im_link_conf_t *conf);

/* Writes what was sent last, such as the end of the lease. */
void ngx_im_link_destroy(im_link_t *link);

/* Logs an error or a reply of unknown form, but not that there is none. */
void ngx_im_link_complain(ngx_log_t *log, const im_link_reply_t *reply,
    const char *script);


#endif /* NGX_IM_LINK_H */
