/*
 * Copyright (C) The im authors
 *
 * Replies of the protocol of a session.
 */

#include "ngx_im_reply.h"
#include "ngx_im_send.h"


ngx_int_t
ngx_im_reply_send(ngx_im_session_t *s, const im_reply_t *reply)
{
    im_buf_t  *b;

    if (s->conf->proto->reply == NULL) {
        return NGX_OK;
    }

    b = &ngx_im_worker->scratch;

    im_buf_reset(b, 65536);

    s->conf->proto->reply(b, s->transport, reply);

    if (b->failed) {
        ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
        return NGX_ERROR;
    }

    if (b->len == 0) {
        return NGX_OK;
    }

    return reply->nsubs > 0 ? ngx_im_send_history(s, im_buf_str(b))
                            : ngx_im_send_reply(s, im_buf_str(b));
}


ngx_int_t
ngx_im_reply_error(ngx_im_session_t *s, uint32_t id, im_error_e error)
{
    im_reply_t  reply;

    ngx_memzero(&reply, sizeof(im_reply_t));

    reply.type = IM_REPLY_ERROR;
    reply.id = id;
    reply.error = error;
    reply.temporary = error == IM_ERROR_INTERNAL || error == IM_ERROR_TOO_MANY;

    return ngx_im_reply_send(s, &reply);
}
