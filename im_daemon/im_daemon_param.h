/*
 * Copyright (C) The im authors
 *
 * The parts of a request by their names: parameters of FastCGI, headers of
 * HTTP.
 */

#ifndef IM_DAEMON_PARAM_H
#define IM_DAEMON_PARAM_H


#include "im_daemon_request.h"


/*
 * Keeps a part that is known, borrowed; empty ones say nothing.  A header that
 * is there twice with two values is a fault of the request, as no reader could
 * know which one another has taken.
 */
void im_daemon_param(im_daemon_request_t *r, im_str_t name, im_str_t value);
void im_daemon_param_header(im_daemon_request_t *r, im_str_t name,
    im_str_t value);

/* All parts are there: makes path and query of the target. */
void im_daemon_param_target(im_daemon_request_t *r);

/*
 * A length as RFC 9110 has it: digits and nothing else.  IM_DECLINED: it is
 * empty.  One that doesn't fit is UINT64_MAX.
 */
im_int_t im_daemon_param_length(im_str_t text, uint64_t *n);

/* The first fault counts. */
void im_daemon_param_fault(im_daemon_request_t *r, im_uint_t status,
    const char *why);


#endif /* IM_DAEMON_PARAM_H */
