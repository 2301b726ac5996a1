/*
 * Copyright (C) The im authors
 *
 * Counts distinct users over workers: exact up to 512, then HyperLogLog
 * (Flajolet et al., 2007) with 4096 registers (1.6 % standard error).
 */

#ifndef IM_SKETCH_H
#define IM_SKETCH_H


#include "im_types.h"
#include "im_buf.h"


#define IM_SKETCH_EXACT      512
#define IM_SKETCH_REGISTERS  4096


typedef struct {
    uint64_t  *hashes;       /* sorted; NULL once registers is used */
    uint8_t   *registers;
    im_uint_t  n;
} im_sketch_t;


void im_sketch_init(im_sketch_t *s);
void im_sketch_cleanup(im_sketch_t *s);
im_int_t im_sketch_add(im_sketch_t *s, im_str_t user);
im_int_t im_sketch_merge(im_sketch_t *into, const im_sketch_t *from);
uint64_t im_sketch_count(const im_sketch_t *s);
void im_sketch_encode(im_buf_t *b, const im_sketch_t *s);
im_int_t im_sketch_decode(im_str_t bytes, im_sketch_t *s);


#endif /* IM_SKETCH_H */
