/*
 * Copyright (C) The im authors
 *
 * HTTP/1.1 (RFC 9112), the server's side of one connection, without any I/O.
 *
 * The decoder keeps its place between calls and takes input cut anywhere.  It
 * is strict: what two readers could understand in two ways is refused.
 */

#ifndef IM_DAEMON_HTTP_H
#define IM_DAEMON_HTTP_H


#include "im_types.h"
#include "im_buf.h"


#define IM_HTTP_MAX_HEAD     (32 * 1024)
#define IM_HTTP_MAX_HEADERS  100


typedef enum {
    IM_HTTP_HEAD = 0,
    IM_HTTP_BODY,
    IM_HTTP_CHUNK,           /* the line with its size */
    IM_HTTP_CHUNK_DATA,
    IM_HTTP_CHUNK_END,       /* the line behind it, which is empty */
    IM_HTTP_TRAILER,
    IM_HTTP_DONE
} im_daemon_http_e;


typedef struct {
    im_buf_t          head;       /* request line and headers */
    im_buf_t          line;       /* of a chunk or trailer */
    im_buf_t          body;
    im_str_t          method;     /* these are parts of head */
    im_str_t          target;
    im_str_t          host;
    size_t            max_body;
    size_t            at;         /* in head: the line under way */
    size_t            headers;    /* in head: the first one */
    size_t            trailer;    /* bytes of it */
    uint64_t          left;       /* of the body or the chunk */
    im_daemon_http_e  state;
    im_uint_t         fault;      /* status of what is malformed; 0: nothing */
    const char       *why;
    unsigned          parsed:1;   /* the head is there and well-formed */
    unsigned          keep:1;     /* the connection stays after the answer */
    unsigned          expects:1;  /* the client waits for 100 (Continue) */
    unsigned          minor:1;    /* of the version */
} im_daemon_http_t;


void im_daemon_http_init(im_daemon_http_t *h, size_t max_body);
void im_daemon_http_cleanup(im_daemon_http_t *h);

/*
 * Decodes from *p, at most to end, and moves *p behind what was used.
 *   IM_OK     a request is complete, or has a fault: answer it, and go on with
 *             im_daemon_http_next() where the connection stays
 *   IM_AGAIN  all input is used, more is needed
 */
im_int_t im_daemon_http_decode(im_daemon_http_t *h, const u_char **p,
    const u_char *end);

/* Ready for the next request; keeps a little memory. */
void im_daemon_http_next(im_daemon_http_t *h);

/* Nothing of a request is under way. */
int im_daemon_http_idle(const im_daemon_http_t *h);

/* The next header from *at on, 0 at first.  IM_DECLINED at the end. */
im_int_t im_daemon_http_header(const im_daemon_http_t *h, size_t *at,
    im_str_t *name, im_str_t *value);


#endif /* IM_DAEMON_HTTP_H */
