/*
 * Copyright (C) The im authors
 *
 * FastCGI from a server: any bytes, cut where the first one says.  However it
 * is cut, the result is the same.
 */

#include <stdlib.h>

#include "im_daemon_fcgi.h"


#define FUZZ_MAX_BODY  4096


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static im_int_t fuzz_run(const u_char *data, size_t len, size_t step,
    uint64_t *sum);
static void fuzz_request(const im_daemon_fcgi_t *f, uint64_t *sum);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    step;
    uint64_t  whole, pieces;

    if (size == 0) {
        return 0;
    }

    step = data[0] % 32 + 1;
    whole = 0;
    pieces = 0;

    if (fuzz_run(data + 1, size - 1, size, &whole)
        != fuzz_run(data + 1, size - 1, step, &pieces)
        || whole != pieces)
    {
        abort();
    }

    return 0;
}


static im_int_t
fuzz_run(const u_char *data, size_t len, size_t step, uint64_t *sum)
{
    size_t            n;
    u_char           *piece;
    im_int_t          rc;
    const u_char     *p;
    im_daemon_fcgi_t  f;

    im_daemon_fcgi_init(&f, FUZZ_MAX_BODY);

    rc = IM_AGAIN;

    while (len != 0 && rc != IM_ERROR) {
        n = im_min(step, len);

        /* a block of its own, so that a read behind it is seen */
        piece = malloc(n);
        if (piece == NULL) {
            break;
        }

        memcpy(piece, data, n);
        p = piece;

        while ((rc = im_daemon_fcgi_decode(&f, &p, piece + n)) == IM_OK) {
            fuzz_request(&f, sum);
            im_daemon_fcgi_next(&f);
        }

        free(piece);

        data += n;
        len -= n;
    }

    im_daemon_fcgi_cleanup(&f);

    return rc;
}


static void
fuzz_request(const im_daemon_fcgi_t *f, uint64_t *sum)
{
    size_t    at;
    im_str_t  name, value;

    if (f->body.len > FUZZ_MAX_BODY || f->params.len > IM_FCGI_MAX_PARAMS) {
        abort();
    }

    at = 0;

    while (im_daemon_fcgi_param(im_buf_str(&f->params), &at, &name, &value)
           == IM_OK)
    {
        *sum = *sum * 31 + name.len + value.len;

        if (value.len != 0) {
            *sum += value.data[value.len - 1];
        }
    }

    *sum = *sum * 31 + f->body.len + f->too_large;
}
