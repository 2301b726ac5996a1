/*
 * Copyright (C) The im authors
 *
 * What all keys of an installation share: the prefix, and the hash tags of its
 * partitions.
 *
 * The tag of partition p is `p`, or `p-s` where the tags are even.  There, s is
 * the smallest number that puts the slot of the tag into the middle half of
 * the p-th of P equal ranges of slots.  So masters that share the slots evenly
 * share the partitions evenly, and a range of slots is a range of partitions.
 */

#ifndef IM_KEYS_H
#define IM_KEYS_H


#include "im_types.h"
#include "im_buf.h"


#define IM_PARTITIONS_MAX     1024
#define IM_PARTITIONS         16      /* default */
#define IM_PREFIX_MAX         32

#define IM_SLOTS              16384


typedef enum {
    IM_TAGS_DECIMAL = 0,
    IM_TAGS_EVEN
} im_tags_e;

/* The prefix is borrowed. */
typedef struct {
    im_str_t    prefix;
    uint32_t    partitions;             /* 0: not known yet */
    im_tags_e   tags;
    uint16_t    suffixes[IM_PARTITIONS_MAX];
} im_keys_t;


/* CRC16-XMODEM(topic) mod n */
uint16_t im_partition(im_str_t topic, uint32_t n);

/* Sets the tags of partitions 0 .. n-1. */
void im_keys_set(im_keys_t *keys, uint32_t n, im_tags_e tags);

/* "16" or "16e", with even tags.  IM_ERROR: neither, or out of range. */
im_int_t im_keys_decode(im_str_t text, uint32_t *n, im_tags_e *tags);
void im_keys_encode(im_buf_t *b, uint32_t n, im_tags_e tags);

/* Appends a tag without its braces, "3" or "3-17". */
void im_keys_tag(im_buf_t *b, const im_keys_t *keys, uint16_t p);

/* The partition of a tag.  IM_DECLINED: of none. */
im_int_t im_keys_find(const im_keys_t *keys, im_str_t tag, uint16_t *p);


#endif /* IM_KEYS_H */
