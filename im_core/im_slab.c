/*
 * Copyright (C) The im authors
 *
 * The slab hands out unused objects in the order of their indexes.  Freed
 * objects form a list through their first 4 bytes.
 */

#include "im_slab.h"


void
im_slab_init(im_slab_t *slab, size_t size, size_t per_block)
{
    memset(slab, 0, sizeof(im_slab_t));

    slab->size = (im_max(size, sizeof(uint32_t)) + 7) & ~(size_t) 7;
    slab->free = IM_SLAB_NONE;

    while ((size_t) 1 << slab->shift < per_block) {
        slab->shift++;
    }

    slab->per_block = (size_t) 1 << slab->shift;
}


void
im_slab_cleanup(im_slab_t *slab)
{
    size_t  i;

    for (i = 0; i < slab->nblocks; i++) {
        im_free(slab->blocks[i]);
    }

    im_free(slab->blocks);

    im_slab_init(slab, slab->size, slab->per_block);
}


static im_int_t
im_slab_grow(im_slab_t *slab)
{
    u_char  *block, **blocks;

    if (slab->given > IM_SLAB_NONE - slab->per_block
        || slab->per_block > SIZE_MAX / slab->size)
    {
        return IM_ERROR;
    }

    blocks = im_realloc(slab->blocks, (slab->nblocks + 1) * sizeof(u_char *));
    if (blocks == NULL) {
        return IM_ERROR;
    }

    slab->blocks = blocks;

    block = im_calloc(slab->per_block * slab->size);
    if (block == NULL) {
        return IM_ERROR;
    }

    slab->blocks[slab->nblocks++] = block;

    return IM_OK;
}


void *
im_slab_alloc(im_slab_t *slab, uint32_t *index)
{
    u_char  *object;

    if (slab->free != IM_SLAB_NONE) {
        *index = slab->free;
        object = im_slab_object(slab, *index);
        memcpy(&slab->free, object, sizeof(uint32_t));
        slab->used++;

        return object;
    }

    if (slab->given == slab->nblocks * slab->per_block
        && im_slab_grow(slab) != IM_OK)
    {
        return NULL;
    }

    *index = slab->given++;
    slab->used++;

    return im_slab_object(slab, *index);
}


void
im_slab_free(im_slab_t *slab, uint32_t index)
{
    memcpy(im_slab_object(slab, index), &slab->free, sizeof(uint32_t));

    slab->free = index;
    slab->used--;
}


void *
im_slab_get(const im_slab_t *slab, uint32_t index)
{
    return index < slab->given ? im_slab_object(slab, index) : NULL;
}
