/*
 * Copyright (C) The im authors
 *
 * The little of ASN.1's DER that keys and signatures need.
 */

#ifndef IM_DER_H
#define IM_DER_H


#include "im_types.h"
#include "im_buf.h"


#define IM_DER_INTEGER     0x02
#define IM_DER_BIT_STRING  0x03
#define IM_DER_SEQUENCE    0x30


/* Tag and length of a value of len bytes, which follow; less than 2^24. */
void im_der_add_head(im_buf_t *b, u_char tag, size_t len);

/* The bytes that head and value take together. */
size_t im_der_size(size_t len);

/* A positive number, big-endian, of one byte or more. */
void im_der_add_number(im_buf_t *b, im_str_t number);

/* The bytes that it takes, without its head. */
size_t im_der_number_len(im_str_t number);


#endif /* IM_DER_H */
