/*
 * Copyright (C) The im authors
 *
 * A channel between two workers: messages of im_handover, with descriptors, in
 * packets of a unix socket.
 */

#ifndef NGX_IM_CHANNEL_H
#define NGX_IM_CHANNEL_H


#include "ngx_im_worker.h"
#include "im_handover.h"


typedef struct ngx_im_channel_s  ngx_im_channel_t;


typedef struct {

    /* A message.  The channel closes descriptors that don't become -1. */
    void  (*message)(ngx_im_channel_t *ch, im_handover_type_e type,
        im_str_t body, ngx_socket_t *fds, ngx_uint_t nfds);

    /* It is of no use any more: the owner closes it.  why is static text. */
    void  (*lost)(ngx_im_channel_t *ch, const char *why);

} ngx_im_channel_events_t;


typedef enum {
    NGX_IM_CHANNEL_OPEN = 0,
    NGX_IM_CHANNEL_LOST,         /* event lost comes, or has come */
    NGX_IM_CHANNEL_CLOSED        /* freed in this turn */
} ngx_im_channel_state_e;


/* Of the channel's memory; owned by whoever has created it. */
struct ngx_im_channel_s {
    im_list_t             link;          /* the owner's */
    void                 *data;          /* the same */
    const ngx_im_channel_events_t *events;
    ngx_im_channel_state_e state;
    ngx_connection_t     *connection;
    im_handover_input_t   input;
    im_list_t             output;        /* messages that wait */
    ngx_event_t           silence;       /* not cancelable */
    ngx_uint_t            silent;        /* steps */
    ngx_event_t           again;         /* sends, where no event says when */
    ngx_event_t           end;           /* posted */
    const char           *why;           /* it is lost */
    uint32_t              unsaid;        /* a tag that had no memory; 0: none */
    unsigned              idle:1;        /* the other end owes no answer */
    unsigned              closed:1;      /* it reads no more; we still do */
    u_char               *in;            /* a packet */
    size_t                most;          /* bytes of a packet that is sent */
};


/*
 * The other end is a process of this worker's user, or of root if that may be.
 * NGX_DECLINED: it isn't, and *uid is its user.
 */
ngx_int_t ngx_im_channel_peer(ngx_socket_t fd, ngx_uint_t root, ngx_uid_t *uid);

/* The worker as the other end gets to know it; one without Redis has no id. */
static inline im_str_t
ngx_im_channel_id(ngx_im_worker_t *w)
{
    return w->id.len > 0 ? im_buf_str(&w->id) : im_str_z("-");
}

/* Takes fd over in any case.  NULL: no memory or no connection. */
ngx_im_channel_t *ngx_im_channel_create(ngx_im_worker_t *w, ngx_socket_t fd,
    const ngx_im_channel_events_t *events, void *data);

/* No event comes any more.  A second call is harmless. */
void ngx_im_channel_close(ngx_im_channel_t *ch);

/*
 * Sends a message, in this turn or later.  It takes the memory of body, and
 * borrows the descriptors until a reply to them.  tag: 0, or a number that
 * grows.  Where it fails, event lost follows.
 */
void ngx_im_channel_send(ngx_im_channel_t *ch, im_handover_type_e type,
    im_buf_t *body, const ngx_socket_t *fds, ngx_uint_t nfds, uint32_t tag);

/*
 * The other end has to answer from now on, as it has at first, or (0) it says
 * something when it likes.
 */
void ngx_im_channel_asks(ngx_im_channel_t *ch, ngx_uint_t asks);

/* The first tag that has not been sent; 0: all have. */
uint32_t ngx_im_channel_unsent(ngx_im_channel_t *ch);


#endif /* NGX_IM_CHANNEL_H */
