/*
 * Copyright (C) The im authors
 *
 * The link to Redis: one connection for calls and one for pub/sub, that come
 * back by themselves.
 *
 * The link has the protocol, and no sockets and no loop: bytes go in and out,
 * and the time is an argument.  A program brings the sockets
 * (im_link_sockets_t).  A call goes to the server that has its first key.
 *
 * Each call that was sent has its handler called once: with the reply, or with
 * NULL when the connection was lost, the reply is late, or the link is
 * destroyed.
 */

#ifndef IM_LINK_H
#define IM_LINK_H


#include "im_types.h"
#include "im_link_call.h"
#include "im_link_reply.h"


typedef struct im_link_s       im_link_t;
typedef struct im_link_conn_s  im_link_conn_t;

typedef void (*im_link_reply_pt)(const im_link_reply_t *reply, void *data);


/*
 * What callers use: start a call, add its arguments, send it.  A link has one
 * call under construction; starting another drops it.
 */
im_link_call_t *im_link_command(im_link_t *link, const char *words);
im_link_call_t *im_link_script(im_link_t *link, const im_script_t *script);

/* handler may be NULL.  IM_ERROR: not sent, the handler isn't called. */
im_int_t im_link_send(im_link_t *link, im_link_reply_pt handler, void *data);

int im_link_ready(const im_link_t *link);

/* Why it is not ready; static or kept by the link. */
const char *im_link_why(const im_link_t *link);

/* 0 until a server has been asked. */
uint32_t im_link_partitions(const im_link_t *link);

/* The prefix of all keys, as configured. */
im_str_t im_link_prefix(const im_link_t *link);


#endif /* IM_LINK_H */
