/*
 * Copyright (C) The im authors
 *
 * Names and values out of URLs, decoded once.
 */

#ifndef IM_LOGIC_URL_H
#define IM_LOGIC_URL_H


#include "im_types.h"
#include "im_buf.h"


/*
 * Appends s decoded; plus: '+' is a space, as in a query.  A percent sign
 * without two hex digits stays as it is.
 */
void im_logic_url_decode(im_buf_t *b, im_str_t s, int plus);

/* Each percent sign stands before two hex digits. */
int im_logic_url_valid(im_str_t s);

/*
 * The next "name=value" of a query from *at on, not decoded.  IM_OK, or
 * IM_DECLINED at the end.
 */
im_int_t im_logic_url_arg(im_str_t query, size_t *at, im_str_t *name,
    im_str_t *value);

/*
 * Appends the first value of that name in a query, decoded.  IM_DECLINED: it
 * is not there.
 */
im_int_t im_logic_url_find(im_str_t query, const char *name, im_buf_t *b);


#endif /* IM_LOGIC_URL_H */
