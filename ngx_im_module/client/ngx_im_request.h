/*
 * Copyright (C) The im authors
 *
 * A request of the module's own: a POST to a location of a server, for a
 * session.
 */

#ifndef NGX_IM_REQUEST_H
#define NGX_IM_REQUEST_H


#include "ngx_im_session.h"


typedef struct ngx_im_request_s  ngx_im_request_t;


/* Events of a request. */
typedef struct {

    /*
     * It has an answer.  status 0: none that can be read.  body is valid until
     * the end.
     */
    void  (*answered)(ngx_im_request_t *rq, ngx_uint_t status, im_str_t body);

    /* nginx doesn't use it any more: the last event, after start. */
    void  (*ended)(ngx_im_request_t *rq);

} ngx_im_request_events_t;


/* The caller's, until it has ended. */
struct ngx_im_request_s {
    const ngx_im_request_events_t  *events;
    const ngx_str_t                *uri;
    im_str_t                        body;
    ngx_http_request_t             *request;   /* NULL: not started, or ended */
    ngx_uint_t                      status;    /* of an error, so far */
    unsigned                        done:1;
};


/*
 * Events may come from within it.  NGX_ERROR: it isn't started and has no
 * events.
 */
ngx_int_t ngx_im_request_start(ngx_im_request_t *rq, ngx_im_session_t *s);

/*
 * A request that was that session's, for the log phase alone: its location,
 * addresses, times and bytes.  It has no socket.  NULL: no memory.
 */
ngx_http_request_t *ngx_im_request_past(ngx_im_session_t *s);

/* It ends; logged: the log phase runs. */
void ngx_im_request_past_end(ngx_http_request_t *r, ngx_uint_t logged);

/* Its answer isn't needed (any more).  ended() may come from within it. */
void ngx_im_request_end(ngx_im_request_t *rq);


#endif /* NGX_IM_REQUEST_H */
