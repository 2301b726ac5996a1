/*
 * Copyright (C) The im authors
 *
 * The handover at the worker that takes sessions: its state.
 */

#ifndef NGX_IM_IN_H
#define NGX_IM_IN_H


#include "ngx_im_channel.h"
#include "ngx_im_follow.h"
#include "ngx_im_from.h"
#include "ngx_im_session.h"


typedef struct ngx_im_handover_in_s  ngx_im_handover_in_t;


typedef enum {
    NGX_IM_IN_GREETING = 0,      /* its HELLO comes */
    NGX_IM_IN_TAKING,            /* its sessions come */
    NGX_IM_IN_LEFT,              /* it is gone; parked sessions still come */
    /* these are without a channel, too: the other worker asks Redis then */
    NGX_IM_IN_ENDED,             /* no more come; Redis moves their topics */
    NGX_IM_IN_COUNTING,          /* Redis moves what it counts of them */
    NGX_IM_IN_SETTLED            /* the other end closes the channel */
} ngx_im_in_state_e;


struct ngx_im_handover_in_s {
    ngx_im_worker_t    *worker;
    ngx_connection_t   *listening;       /* NULL: no worker may come */
    ngx_event_t         retry;
    ngx_uint_t          nfailed;         /* calls of accept(), in a row, */
    ngx_msec_t          failed;          /* the first one then */
    ngx_event_t         look;            /* cancelable, or posted */
    im_list_t           channels;        /* of ngx_im_in_t */
    size_t              nbytes;          /* of all that is parked */
};


/* A session that is ahead of a topic, or an entry that came behind one. */
typedef struct {
    im_list_t           link;            /* in from->parked */
    ngx_msec_t          since;
    ngx_uint_t          entry;           /* it is one */
    uint32_t            last;            /* for sessions up to this number */
    ngx_socket_t        fd;
    size_t              len;
    u_char              bytes[1];        /* the record, or the entry */
} ngx_im_in_parked_t;


/* A worker that ends. */
typedef struct {
    im_list_t           link;            /* in handover_in->channels */
    ngx_im_handover_in_t *in;
    ngx_im_channel_t   *channel;         /* NULL: closed */
    ngx_im_in_state_e   state;
    ngx_im_from_t      *who;             /* NULL until it has greeted */
    ngx_pid_t           pid;
    im_topic_t        **topics;          /* pinned, by its numbers */
    ngx_uint_t          ntopics;
    ngx_uint_t          size;            /* of topics */
    uint32_t           *unready;         /* topics without a position */
    ngx_uint_t          nunready;
    ngx_uint_t          at;              /* in unready: the next look */
    ngx_im_handle_t    *sessions;        /* by their numbers, from 1 on */
    ngx_uint_t          nsessions;
    ngx_uint_t          room;            /* in sessions */
    im_list_t           parked;          /* a session is the first one */
    im_topic_t        **subs;            /* of a session */
    ngx_uint_t          ntaken;
    ngx_uint_t          nrefused;
} ngx_im_in_t;


/* A message. */
typedef struct {
    im_str_t            bytes;
    ngx_socket_t       *fds;
    ngx_uint_t          nfds;
} ngx_im_in_body_t;


/* The only setter of state. */
void ngx_im_in_state(ngx_im_in_t *from, ngx_im_in_state_e state);

/* What waits is looked at soon. */
void ngx_im_in_look(ngx_im_handover_in_t *in);

/*
 * Redis has the lease of this worker, so that others count what it has.  Of a
 * cluster all servers are there, so that no command of a session is refused.
 */
ngx_uint_t ngx_im_in_leased(ngx_im_worker_t *w);

/* Makes the array longer, so that it has an entry n.  NGX_ERROR: no memory. */
ngx_int_t ngx_im_in_room(void *array, ngx_uint_t *room, ngx_uint_t n,
    size_t size);


#endif /* NGX_IM_IN_H */
