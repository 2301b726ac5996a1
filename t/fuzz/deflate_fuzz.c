/*
 * Copyright (C) The im authors
 *
 * What clients compress: within its limits, whatever it is, and what is
 * compressed again is the same.  Offers of extensions.  The first byte is the
 * limit of a message, in units of 256 bytes.
 */

#include <stdlib.h>

#include "im_deflate.h"
#include "im_wire.h"


#define DEFLATE_MAX_INPUT  65536


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void deflate_unpack(const uint8_t *data, size_t size, uint64_t max);
static void deflate_again(im_str_t message, unsigned window);
static void deflate_offers(const uint8_t *data, size_t size);
static void deflate_must(int condition);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > DEFLATE_MAX_INPUT) {
        return 0;
    }

    deflate_unpack(data + 1, size - 1, (uint64_t) data[0] * 256);
    deflate_offers(data + 1, size - 1);

    return 0;
}


static void
deflate_unpack(const uint8_t *data, size_t size, uint64_t max)
{
    int                   i;
    size_t                cost, first;
    im_int_t              rc;
    im_str_t              message;
    im_deflate_t         *d;
    im_deflate_fault_e    fault;

    d = im_deflate_create(1, 1);
    deflate_must(d != NULL);

    /* the second time as the first one */

    for (i = 0, first = 0; i < 2; i++) {
        rc = im_deflate_unpack(d, im_str_set(data, size), max, &message, &cost,
                               &fault);

        deflate_must(message.len <= max + 1 && cost >= message.len);
        deflate_must(cost <= message.len * 128 + 1025 * 128);
        deflate_must(i == 0 || cost == first);
        deflate_must(rc == IM_OK || fault <= IM_DEFLATE_NO_MEMORY);
        first = cost;
    }

    if (rc == IM_OK) {
        deflate_must(message.len <= max);
        deflate_again(message, IM_DEFLATE_WINDOW);
        deflate_again(message, IM_DEFLATE_WINDOW_SMALL);
    }

    im_deflate_destroy(d);
}


static void
deflate_again(im_str_t message, unsigned window)
{
    size_t               cost;
    im_str_t             packed, again;
    im_codec_t           codec;
    im_deflate_fault_e   fault;

    codec.deflate = im_deflate_create(6, 1);
    codec.credit = NULL;
    deflate_must(codec.deflate != NULL);

    packed = im_deflate_pack(&codec, window, message);
    deflate_must(packed.len == 0 || packed.len < message.len);

    if (packed.len > 0) {
        deflate_must(im_deflate_unpack(codec.deflate, packed, message.len,
                                       &again, &cost, &fault)
                     == IM_OK);
        deflate_must(im_str_eq(message, again));
    }

    im_deflate_destroy(codec.deflate);
}


static void
deflate_offers(const uint8_t *data, size_t size)
{
    im_buf_t  b;

    im_buf_init(&b, IM_TRANSPORT_ANSWER_MAX);

    if (im_transport_extended(im_str_set(data, size), &b) == NULL) {
        deflate_must(b.len == 0);
    }

    deflate_must(!b.failed);
    im_buf_cleanup(&b);
}


static void
deflate_must(int condition)
{
    if (!condition) {
        abort();
    }
}
