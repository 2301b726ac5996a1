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

/* It is a list of extensions, each with its parameters; or empty. */
int im_header_extensions(im_str_t value);


#endif /* IM_HEADER_H */
