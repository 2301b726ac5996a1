/*
 * Copyright (C) The im authors
 *
 * TLS between a connection and its socket: a client that takes and gives bytes,
 * and has no socket itself.
 */

#ifndef IM_LINK_TLS_H
#define IM_LINK_TLS_H


#include "im_buf.h"


#define IM_LINK_TLS_WHY   256
#define IM_LINK_TLS_READ  16384      /* the most that a record has */


/* Empty: none, the system's CAs, the host's name. */
typedef struct {
    im_str_t   ca;
    im_str_t   cert;
    im_str_t   key;
    im_str_t   name;             /* that certificates of servers must have */
} im_link_tls_conf_t;


/* What is wrong with a file of conf, "ca=" and so on; "": with none of them. */
typedef struct {
    const char  *word;
    im_str_t     file;
    char         why[IM_LINK_TLS_WHY];
} im_link_tls_fault_t;


/* What all connections have in common. */
typedef struct im_link_tls_ctx_s  im_link_tls_ctx_t;

/* One connection. */
typedef struct im_link_tls_s  im_link_tls_t;


/*
 * Reads the files; the strings of conf are borrowed.  NULL: *fault says why.
 * fault->why is not empty where a file can be used but should not be: it has
 * expired.
 */
im_link_tls_ctx_t *im_link_tls_ctx_create(const im_link_tls_conf_t *conf,
    im_link_tls_fault_t *fault);

/*
 * Reads the files again where one has changed, for connections to come.  IM_OK:
 * it did; IM_DECLINED: none has changed; IM_ERROR: what there was is kept.
 * *fault as above.
 */
im_int_t im_link_tls_ctx_renew(im_link_tls_ctx_t *ctx,
    im_link_tls_fault_t *fault);
void im_link_tls_ctx_destroy(im_link_tls_ctx_t *ctx);


/*
 * host, a name or an address, is what the server's certificate must be for,
 * unless conf has a name.  NULL: no memory.
 */
im_link_tls_t *im_link_tls_create(const im_link_tls_ctx_t *ctx, im_str_t host);
void im_link_tls_destroy(im_link_tls_t *tls);

/* What the socket has read; borrowed until im_link_tls_read() has all of it. */
void im_link_tls_feed(im_link_tls_t *tls, const void *bytes, size_t n);

/* IM_OK: it is done; IM_AGAIN: the server has to say more; IM_ERROR: why(). */
im_int_t im_link_tls_handshake(im_link_tls_t *tls);

/* It has begun; it is done. */
int im_link_tls_begun(const im_link_tls_t *tls);
int im_link_tls_done(const im_link_tls_t *tls);

/* The number of bytes, at most IM_LINK_TLS_READ; IM_AGAIN or IM_ERROR. */
ssize_t im_link_tls_read(im_link_tls_t *tls, u_char *buf);

/* IM_ERROR: no memory, or why(). */
im_int_t im_link_tls_write(im_link_tls_t *tls, const void *bytes, size_t n);

/* What the socket has to write; n bytes of it were written. */
im_str_t im_link_tls_output(const im_link_tls_t *tls);
void im_link_tls_sent(im_link_tls_t *tls, size_t n);

/* Of the last error. */
const char *im_link_tls_why(const im_link_tls_t *tls);


#endif /* IM_LINK_TLS_H */
