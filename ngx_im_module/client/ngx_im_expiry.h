/*
 * Copyright (C) The im authors
 *
 * When identities and subscriptions end.
 */

#ifndef NGX_IM_EXPIRY_H
#define NGX_IM_EXPIRY_H


#include "ngx_im_session.h"


/* The end of the session's or a subscription's token, in s; 0: none. */
void ngx_im_expiry_session(ngx_im_session_t *s, int64_t when);
void ngx_im_expiry_sub(ngx_im_session_t *s, im_sub_t *sub,
    int64_t when);

/*
 * The session ends at that time (s), with the protocol's code for it, unless
 * this is called again; 0: it doesn't.
 */
void ngx_im_expiry_set(ngx_im_session_t *s, int64_t when);

/* Sets the timer to the next of its ends. */
void ngx_im_expiry_schedule(ngx_im_session_t *s);

/* Seconds until the client has to renew; 0: it needn't. */
uint32_t ngx_im_expiry_ttl(ngx_im_session_t *s);
uint32_t ngx_im_expiry_sub_ttl(ngx_im_session_t *s, im_sub_t *sub);


#endif /* NGX_IM_EXPIRY_H */
