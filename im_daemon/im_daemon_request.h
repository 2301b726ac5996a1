/*
 * Copyright (C) The im authors
 *
 * One request, wherever it came from: FastCGI or HTTP.
 *
 * It belongs to its transport and lives until reply() has been called, exactly
 * once; the connection it came on may be gone by then.  The memory that a
 * handler takes from it lives as long and needs no free.
 */

#ifndef IM_DAEMON_REQUEST_H
#define IM_DAEMON_REQUEST_H


#include "im_types.h"
#include "im_buf.h"


#define IM_REQUEST_MEMORY  (64 * 1024 * 1024)


typedef struct im_daemon_request_s  im_daemon_request_t;
typedef struct im_daemon_block_s    im_daemon_block_t;
typedef struct im_daemon_cleanup_s  im_daemon_cleanup_t;

typedef void (*im_daemon_request_pt)(im_daemon_request_t *r);
typedef void (*im_daemon_cleanup_pt)(void *data);


/* In lists that end with a name of NULL. */
typedef struct {
    const char  *name;
    const char  *value;
} im_daemon_header_t;


struct im_daemon_request_s {
    im_str_t      method;
    im_str_t      uri;         /* the path, as nginx has decoded it */
    im_str_t      path;        /* the path as it was sent */
    im_str_t      query;       /* behind '?', as it was sent */
    im_str_t      name;        /* of the room, user or so in the path */
    im_str_t      type;        /* Content-Type */
    im_str_t      encoding;    /* Content-Encoding */
    im_str_t      length;      /* Content-Length */
    im_str_t      host;        /* Host */
    im_str_t      scheme;      /* of the client's request; empty: not known */
    im_str_t      origin;      /* Origin */
    im_str_t      site;        /* Sec-Fetch-Site */
    im_str_t      id;          /* given by nginx; empty: none */
    im_str_t      address;     /* of the client; empty: not known */
    im_str_t      api_key;     /* X-API-Key */
    im_str_t      authorization;
    im_str_t      error_mode;  /* X-Centrifugo-Error-Mode */
    im_str_t      forwarded_proto;  /* X-Forwarded-Proto */
    im_str_t      body;
    im_uint_t     route;       /* the handler's own number of its path */
    unsigned      internal:1;  /* came by FastCGI: nginx asks for itself too */
    im_uint_t     fault;       /* status where it is malformed; 0: it is not */
    const char   *why;         /* of the fault */

    /* headers of the answer, set before reply(); NULL, 0: none */
    const char   *allow;
    const char   *cookie;
    im_uint_t     retry;       /* s, of Retry-After */
    const im_daemon_header_t  *headers;
    const char   *form;        /* Content-Type; NULL: application/json */

    void        (*reply)(im_daemon_request_t *r, im_uint_t status,
                    im_str_t json);
    void         *data;        /* given with the handler */

    im_daemon_block_t    *blocks;
    im_daemon_cleanup_t  *cleanups;
    size_t                allocated;
    im_buf_t              failed;     /* is returned where memory is short,
                                         has failed once it was */
};


/* Zeroed.  NULL: no memory, or the request has IM_REQUEST_MEMORY already. */
void *im_daemon_alloc(im_daemon_request_t *r, size_t size);

/* data is NULL where there is no memory. */
im_str_t im_daemon_copy(im_daemon_request_t *r, im_str_t s);

/*
 * A buffer for up to max bytes, never NULL.  Where there is no memory it has
 * failed already, so that only its end is to be checked, as of any buffer.
 */
im_buf_t *im_daemon_buf(im_daemon_request_t *r, size_t max);

/*
 * Calls fn when the request ends, the latest one first.  IM_ERROR: no memory;
 * fn has been called.
 */
im_int_t im_daemon_cleanup(im_daemon_request_t *r, im_daemon_cleanup_pt fn,
    void *data);

/* Called by transports when the answer has been written: frees the memory. */
void im_daemon_end(im_daemon_request_t *r);

/* Calls fn for each header of the answer. */
void im_daemon_headers(const im_daemon_request_t *r,
    void (*fn)(void *data, const char *name, const char *value), void *data);

/*
 * The client is on this machine, or is nginx: it may read addresses and
 * settings of Redis without a key.
 */
int im_daemon_near(const im_daemon_request_t *r);

/* "Not Found" of 404 and so on. */
const char *im_daemon_status(im_uint_t status);


#endif /* IM_DAEMON_REQUEST_H */
