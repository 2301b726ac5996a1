/*
 * Copyright (C) The im authors
 *
 * Copies of exactly their size, so that a sanitizer sees a read beyond.
 */

#ifndef COPY_H
#define COPY_H


#include "test.h"


/* free(s.data) is the caller's. */
static inline im_str_t
copy_of(im_str_t s)
{
    u_char  *p;

    p = malloc(s.len);

    if (s.len > 0) {
        assert_non_null(p);
        memcpy(p, s.data, s.len);
    }

    return im_str_set(p, s.len);
}


#endif /* COPY_H */
