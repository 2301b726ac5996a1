/*
 * Copyright (C) The im authors
 *
 * Lease records: the values stand one behind the other, each ended by NUL.
 * What is read is the same when written and read again.
 */

#include <stdlib.h>

#include "im_record.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t        b;
    im_str_t        values[IM_RECORD_FIELDS];
    im_uint_t       i;
    im_record_t     record, back;
    const uint8_t  *p, *end;

    memset(&record, 0, sizeof(im_record_t));
    memset(&back, 0, sizeof(im_record_t));

    p = data;
    end = data + size;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        values[i].data = (u_char *) p;

        while (p < end && *p != 0) {
            p++;
        }

        values[i].len = (size_t) (p - values[i].data);

        if (p < end) {
            p++;
        }
    }

    im_record_decode(values, &record);

    im_buf_init(&b, 4096);
    im_record_encode(&b, &record, values);
    im_record_decode(values, &back);

    if (b.failed || memcmp(&record, &back, sizeof(im_record_t)) != 0) {
        abort();
    }

    im_buf_cleanup(&b);

    return 0;
}
