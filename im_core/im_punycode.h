/*
 * Copyright (C) The im authors
 *
 * Names with letters beyond ASCII as DNS and browsers write them (RFC 3492).
 */

#ifndef IM_PUNYCODE_H
#define IM_PUNYCODE_H


#include "im_buf.h"


/*
 * Adds a label of UTF-8 in lower case: "xn--..." if it is not ASCII.  IM_ERROR:
 * it isn't UTF-8, is longer than 63 bytes, or b is full.
 */
im_int_t im_punycode_label(im_buf_t *b, im_str_t label);


#endif /* IM_PUNYCODE_H */
