/*
 * Copyright (C) The im authors
 *
 * Values of HTTP headers (RFC 7230, RFC 6455 section 9.1).
 */

#ifndef IM_HEADER_H
#define IM_HEADER_H


#include "im_types.h"


/* Without spaces and tabs at its ends. */
im_str_t im_header_trim(im_str_t s);

/* Takes the first element off a comma-separated list; 0: it is empty. */
int im_header_next(im_str_t *list, im_str_t *item);

/* A comma-separated list has this element, in any case. */
int im_header_lists(im_str_t value, im_str_t element);


/* Reads a list of extensions (Sec-WebSocket-Extensions). */
typedef struct {
    const u_char  *p;
    const u_char  *end;
} im_header_reader_t;


typedef struct {
    im_str_t       name;
    im_str_t       value;        /* NULL: there is none; long ones may be cut */
    u_char         bytes[16];    /* of a value in quotes */
} im_header_param_t;


void im_header_reader(im_header_reader_t *r, im_str_t value);

/*
 * The next extension, then each of its parameters.  IM_DECLINED: there is none
 * any more; IM_ERROR: the value is malformed.  Elements of the list may be
 * empty (RFC 7230, section 7).
 */
im_int_t im_header_extension(im_header_reader_t *r, im_str_t *name);
im_int_t im_header_param(im_header_reader_t *r, im_header_param_t *param);

/* It is a list of extensions, each with its parameters; or empty. */
int im_header_extensions(im_str_t value);


#endif /* IM_HEADER_H */
