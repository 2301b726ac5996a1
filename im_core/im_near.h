/*
 * Copyright (C) The im authors
 *
 * Of known names, the one that an unknown name may stand for.
 */

#ifndef IM_NEAR_H
#define IM_NEAR_H


#include "im_types.h"


typedef struct {
    im_str_t   name;
    im_str_t   found;      /* data NULL: none is near */
    im_uint_t  least;      /* changes that make the name of it */
} im_near_t;


void im_near_init(im_near_t *near, im_str_t name);

/*
 * One known name.  It is near if the unknown one begins it, or becomes it by
 * two changes of a byte at most, and not by those of more than half its bytes.
 * Of several the nearest one stays, the first of equals.
 */
void im_near_try(im_near_t *near, im_str_t known);


#endif /* IM_NEAR_H */
