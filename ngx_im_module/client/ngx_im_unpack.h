/*
 * Copyright (C) The im authors
 *
 * From a record to a session: another worker has it no more.
 */

#ifndef NGX_IM_UNPACK_H
#define NGX_IM_UNPACK_H


#include "ngx_im_adopted.h"
#include "ngx_im_session.h"
#include "im_handover.h"


/*
 * Makes a session of a record and the descriptor of its socket.  topics[i] is
 * that of in->subs[i], pinned.  All is checked before anything changes: on any
 * other verdict than MOVED the descriptor is the caller's.  On MOVED the
 * session may have ended already: *s, borrowed for this turn, is alive until
 * the next posted event.
 */
im_handover_verdict_e ngx_im_unpack(ngx_im_worker_t *w, ngx_socket_t fd,
    const im_handover_session_t *in, im_topic_t **topics,
    ngx_im_from_t *from, ngx_im_session_t **s);

/* What came up for it in flight. */
void ngx_im_unpack_late(ngx_im_session_t *s, const im_handover_late_t *late);


#endif /* NGX_IM_UNPACK_H */
