/*
 * Copyright (C) The im authors
 *
 * FastCGI, the responder's side of one connection, without any I/O.
 *
 * The decoder keeps its place between calls and takes input cut anywhere.  One
 * request at a time, as nginx sends them.
 */

#ifndef IM_DAEMON_FCGI_H
#define IM_DAEMON_FCGI_H


#include "im_types.h"
#include "im_buf.h"


#define IM_FCGI_MAX_PARAMS  (64 * 1024)


typedef struct {
    u_char     header[8];
    uint32_t   left;           /* content of this record still to come */
    uint16_t   id;             /* of the request under way; 0: none */
    uint8_t    nheader;
    uint8_t    padding;
    uint8_t    type;
    size_t     max_body;
    im_buf_t   params;
    im_buf_t   body;
    u_char     begin[8];
    uint8_t    nbegin;
    unsigned   keep:1;         /* the connection stays after the answer */
    unsigned   too_large:1;    /* the body is over max_body and dropped */
    unsigned   got_params:1;
    unsigned   done:1;
} im_daemon_fcgi_t;


void im_daemon_fcgi_init(im_daemon_fcgi_t *f, size_t max_body);
void im_daemon_fcgi_cleanup(im_daemon_fcgi_t *f);

/*
 * Decodes from *p, at most to end, and moves *p behind what was used.
 *   IM_OK     a request is complete; answer it, then im_daemon_fcgi_next()
 *   IM_AGAIN  all input is used, more is needed
 *   IM_ERROR  not supported or malformed, aborted, no memory: close
 */
im_int_t im_daemon_fcgi_decode(im_daemon_fcgi_t *f, const u_char **p,
    const u_char *end);

/* Ready for the next request; keeps a little memory. */
void im_daemon_fcgi_next(im_daemon_fcgi_t *f);

/* Nothing of a request is under way. */
int im_daemon_fcgi_idle(const im_daemon_fcgi_t *f);

/*
 * The next name and value from *at on.  IM_OK, IM_DECLINED at the end,
 * IM_ERROR: malformed.
 */
im_int_t im_daemon_fcgi_param(im_str_t params, size_t *at, im_str_t *name,
    im_str_t *value);

/* A whole answer: header lines (with the blank one) and body, in records. */
void im_daemon_fcgi_encode(im_buf_t *b, uint16_t id, im_str_t head,
    im_str_t body);


#endif /* IM_DAEMON_FCGI_H */
