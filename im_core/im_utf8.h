/*
 * Copyright (C) The im authors
 *
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 */

#ifndef IM_UTF8_H
#define IM_UTF8_H


#include "im_types.h"


/* 0: at a character boundary.  Text may be fed in any pieces. */
typedef uint8_t  im_utf8_t;


/* IM_OK: valid so far; IM_ERROR: the text can't become valid any more. */
im_int_t im_utf8_feed(im_utf8_t *state, const u_char *p, size_t len);

/* A state that valid text can leave. */
int im_utf8_state(im_utf8_t state);

/* The whole text is valid and complete. */
int im_utf8_valid(im_str_t s);

/* Valid text of at most max bytes, which ends before a character. */
im_str_t im_utf8_cut(im_str_t s, size_t max);

/* Code points of valid text. */
size_t im_utf8_count(im_str_t s);


#endif /* IM_UTF8_H */
