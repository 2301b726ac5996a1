/*
 * Copyright (C) The im authors
 *
 * From a session to a record, for another worker: this one ends.
 *
 *     ngx_im_pack_waits()  not any more
 *     ngx_im_pack()        the session is in flight (NGX_IM_MOVING)
 *     ngx_im_pack_undo()   it stays: the other worker didn't take it
 *     ngx_im_pack_gone()   it lives elsewhere, or nowhere
 */

#ifndef NGX_IM_PACK_H
#define NGX_IM_PACK_H


#include "ngx_im_session.h"
#include "im_handover.h"


/* The number of a topic in the channel. */
typedef uint32_t (*ngx_im_pack_number_pt)(im_topic_t *topic, void *data);


/* It never moves: TLS, a request that is kept (HTTP/2 and 3), or it ends. */
ngx_uint_t ngx_im_pack_stays(ngx_im_session_t *s);

/*
 * It may move in some milliseconds.  Whether its topics are there at the other
 * worker is the caller's to know.
 */
ngx_uint_t ngx_im_pack_waits(ngx_im_session_t *s);

/*
 * Takes a session that doesn't wait out of the event loop and fills its record,
 * but for its number.  Strings of the record borrow from the session: the
 * caller encodes it and cleans it up at once.  NGX_ERROR: no memory; the
 * session goes on.
 */
ngx_int_t ngx_im_pack(ngx_im_session_t *s, im_handover_session_t *out,
    ngx_im_pack_number_pt number, void *data);

/* The session goes on here.  A close that came meanwhile happens now. */
void ngx_im_pack_undo(ngx_im_session_t *s);

/*
 * What came up for it in flight, but for its number: bytes first, then a close.
 * Strings borrow until gone.  NGX_DECLINED: nothing, or nothing more.
 */
ngx_int_t ngx_im_pack_late(ngx_im_session_t *s, im_handover_late_t *late);

/*
 * The session is freed without a word: no frame, no leave, no log line, and it
 * doesn't count as closed.  same: the other worker has the same zone, and has
 * taken over what its address holds there.  lost: it may not have got it.
 */
void ngx_im_pack_gone(ngx_im_session_t *s, ngx_uint_t same, ngx_uint_t lost);


#endif /* NGX_IM_PACK_H */
