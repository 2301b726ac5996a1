/*
 * Copyright (C) The im authors
 *
 * One request, wherever it came from: FastCGI or HTTP.
 *
 * It belongs to its transport and lives until reply() has been called, exactly
 * once, also when the connection it came on is gone by then.
 */

#ifndef IM_DAEMON_REQUEST_H
#define IM_DAEMON_REQUEST_H


#include "im_types.h"


typedef struct im_daemon_request_s  im_daemon_request_t;


/* In lists that end with a name of NULL. */
typedef struct {
    const char  *name;
    const char  *value;
} im_daemon_header_t;


struct im_daemon_request_s {
    im_str_t      method;
    im_str_t      uri;         /* decoded path: what is routed by */
    im_str_t      path;        /* the path as it was sent */
    im_str_t      query;       /* behind '?', as it was sent */
    im_str_t      type;        /* Content-Type */
    im_str_t      id;          /* given by nginx; empty: none */
    im_str_t      address;     /* of the client; empty: not known */
    im_str_t      api_key;     /* X-API-Key */
    im_str_t      authorization;
    im_str_t      error_mode;  /* X-Centrifugo-Error-Mode */
    im_str_t      body;
    unsigned      internal:1;  /* came by FastCGI: nginx asks for itself too */
    unsigned      too_large:1; /* the body is over the limit and not here */

    /* headers of the answer, set before reply(); NULL, 0: none */
    const char   *allow;
    const char   *cookie;
    im_uint_t     retry;       /* s, of Retry-After */
    const im_daemon_header_t  *headers;
    const char   *form;        /* Content-Type; NULL: application/json */

    void        (*reply)(im_daemon_request_t *r, im_uint_t status,
                    im_str_t json);
};


typedef void (*im_daemon_request_pt)(im_daemon_request_t *r, void *data);


/* "Not Found" of 404 and so on. */
const char *im_daemon_status(im_uint_t status);


#endif /* IM_DAEMON_REQUEST_H */
