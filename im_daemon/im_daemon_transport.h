/*
 * Copyright (C) The im authors
 *
 * What a server does differently for FastCGI and for HTTP.
 */

#ifndef IM_DAEMON_TRANSPORT_H
#define IM_DAEMON_TRANSPORT_H


#include "im_daemon_request.h"
#include "im_daemon_fcgi.h"
#include "im_daemon_http.h"


/* The state of one connection's decoder. */
typedef union {
    im_daemon_fcgi_t  fcgi;
    im_daemon_http_t  http;
} im_daemon_codec_t;


/* An answer. */
typedef struct {
    im_uint_t    status;
    const char  *reason;
    im_str_t     headers;          /* lines */
    im_str_t     body;
    unsigned     last:1;           /* the connection ends behind it */
} im_daemon_answer_t;


typedef struct {
    void      (*init)(im_daemon_codec_t *c, size_t max_body);
    void      (*cleanup)(im_daemon_codec_t *c);

    /* IM_OK: a request, or a fault of one; IM_AGAIN; IM_ERROR: close */
    im_int_t  (*decode)(im_daemon_codec_t *c, const u_char **p,
                    const u_char *end);

    /* what is to be sent before the rest of the request comes, or nothing */
    im_str_t  (*interim)(im_daemon_codec_t *c);

    /*
     * Fills in the request, which is zeroed but for its address.  IM_DECLINED:
     * r->fault and r->why are all that there is of it.  IM_ERROR: close.
     * proxied is the header that has the client's address, or empty.
     */
    im_int_t  (*fill)(im_daemon_codec_t *c, im_daemon_request_t *r,
                    im_str_t proxied);

    void      (*encode)(im_daemon_codec_t *c, im_buf_t *b,
                    const im_daemon_answer_t *answer);
    void      (*next)(im_daemon_codec_t *c);
    int       (*idle)(const im_daemon_codec_t *c);
    int       (*keep)(const im_daemon_codec_t *c);

    /* bytes of memory that a request under way takes */
    size_t    (*held)(const im_daemon_codec_t *c);

    unsigned    refuses:1;         /* broken requests get an answer */
} im_daemon_transport_t;


extern const im_daemon_transport_t  im_daemon_transport_fcgi;
extern const im_daemon_transport_t  im_daemon_transport_http;


#endif /* IM_DAEMON_TRANSPORT_H */
