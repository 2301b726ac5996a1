/*
 * Copyright (C) The im authors
 *
 * Arguments of a request, as forms write them (application/x-www-form-
 * urlencoded).
 */

#ifndef IM_QUERY_H
#define IM_QUERY_H


#include "im_buf.h"


/*
 * Appends the decoded value of the first argument of that name.  IM_DECLINED:
 * there is none; IM_ERROR: a '%' isn't followed by two hexadecimal digits.
 * Nothing is appended then.  The caller checks value->failed.
 */
im_int_t im_query_arg(im_str_t query, im_str_t name, im_buf_t *value);

/* The same for a value that stands alone, in which '+' is a '+'. */
im_int_t im_query_percent(im_str_t text, im_buf_t *value);


#endif /* IM_QUERY_H */
