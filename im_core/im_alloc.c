/*
 * Copyright (C) The im authors
 *
 * The allocator of the programs: libc's.
 */

#include <stdlib.h>

#include "im_types.h"


void *
im_alloc(size_t size)
{
    return malloc(size);
}


void *
im_calloc(size_t size)
{
    return calloc(1, size);
}


void *
im_realloc(void *p, size_t size)
{
    return realloc(p, size);
}


void
im_free(void *p)
{
    free(p);
}
