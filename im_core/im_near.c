/*
 * Copyright (C) The im authors
 *
 * Names that are near to another one.
 */

#include "im_near.h"


#define IM_NEAR_NAME   32        /* longer names are near to none */
#define IM_NEAR_LEAST  3         /* bytes of a name that begins another one */


/* The number of bytes to add, leave out or change (Levenshtein). */
static im_uint_t
im_near_distance(im_str_t a, im_str_t b)
{
    size_t     i, k;
    im_uint_t  row[IM_NEAR_NAME + 1], left, above;

    for (k = 0; k <= b.len; k++) {
        row[k] = k;
    }

    for (i = 0; i < a.len; i++) {
        left = row[0];
        row[0] = i + 1;

        for (k = 0; k < b.len; k++) {
            above = row[k + 1];
            row[k + 1] = im_min(left + (a.data[i] != b.data[k]),
                                im_min(above, row[k]) + 1);
            left = above;
        }
    }

    return row[b.len];
}


void
im_near_init(im_near_t *near, im_str_t name)
{
    near->name = name;
    near->found = im_str_set(NULL, 0);
    near->least = 3;
}


void
im_near_try(im_near_t *near, im_str_t known)
{
    im_str_t   name;
    im_uint_t  d;

    name = near->name;

    if (name.len > IM_NEAR_NAME || known.len > IM_NEAR_NAME) {
        return;
    }

    d = name.len >= IM_NEAR_LEAST && name.len <= known.len
        && memcmp(known.data, name.data, name.len) == 0
        ? 1 : im_near_distance(name, known);

    if (d < near->least && 2 * d <= name.len) {
        near->least = d;
        near->found = known;
    }
}
