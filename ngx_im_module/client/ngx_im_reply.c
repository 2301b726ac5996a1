/*
 * Copyright (C) The im authors
 *
 * Replies of the protocol of a session.
 */

#include "ngx_im_reply.h"
#include "ngx_im_send.h"
#include "ngx_im_sub.h"


void
ngx_im_reply_init(im_reply_t *reply, im_reply_e type, uint32_t id)
{
    ngx_memzero(reply, sizeof(im_reply_t));

    reply->type = type;
    reply->id = id;
}


/* The protocol has no errors: it ends the session for each. */
static ngx_int_t
ngx_im_reply_refuse(ngx_im_session_t *s, const im_reply_t *reply)
{
    const im_refusal_t  *row;

    /* what a backend says of a command of an open session */

    if (s->phase == NGX_IM_OPEN && reply->error == 0 && !reply->temporary) {
        ngx_im_session_close_code(s, IM_REASON_WEBHOOK,
                                  ngx_im_session_code(s, IM_REASON_FORBIDDEN),
                                  reply->reason, "refused by a webhook");
        return NGX_ERROR;
    }

    for (row = s->class->proto->refusals; row->error != 0; row++) {
        if (row->error == reply->error) {
            break;
        }
    }

    return ngx_im_session_close(s, row->reason, row->why);
}


ngx_int_t
ngx_im_reply_send(ngx_im_session_t *s, const im_reply_t *reply)
{
    im_buf_t  *b;

    if (s->class->proto->reply == NULL) {
        return NGX_OK;
    }

    if (reply->type == IM_REPLY_ERROR && s->class->proto->refusals != NULL) {
        return ngx_im_reply_refuse(s, reply);
    }

    b = ngx_im_send_buffer(ngx_im_worker, &ngx_im_worker->deflate.single);

    s->class->proto->reply(b, s->class->transport, reply);

    if (b->failed) {
        return ngx_im_session_close(s, IM_REASON_BUSY, "no memory");
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

    ngx_im_reply_init(&reply, IM_REPLY_ERROR, id);
    reply.error = error;
    reply.temporary = error == IM_ERROR_INTERNAL || error == IM_ERROR_TOO_MANY;

    return ngx_im_reply_send(s, &reply);
}


ngx_int_t
ngx_im_reply_unsubscribe(ngx_im_session_t *s, im_sub_t *sub, ngx_uint_t code,
    im_str_t reason)
{
    u_char      name[IM_TOPIC_MAX];
    im_str_t    topic;
    im_reply_t  reply;

    topic = im_topic_name(sub->log->topic);
    im_copy(name, topic.data, topic.len);

    ngx_im_sub_leave(s, sub);

    ngx_im_reply_init(&reply, IM_REPLY_PUSH_UNSUBSCRIBE, 0);
    reply.topic = im_str_set(name, topic.len);
    reply.code = code;
    reply.reason = reason;

    return ngx_im_reply_send(s, &reply);
}
