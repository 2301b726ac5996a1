/*
 * Copyright (C) The im authors
 *
 * Key sets: what is usable is whole, what isn't says why, and the arena made at
 * first is enough.
 */

#include <stdlib.h>

#include "im_json.h"
#include "im_jwks.h"
#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_key(const im_jwk_t *key);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t     arena;
    im_jwk_t     keys[IM_JWKS_MAX];
    im_uint_t    i, n, weak;
    const char  *why;

    for (weak = 0; weak <= 1; weak++) {
        why = NULL;
        im_buf_init(&arena, IM_JWKS_ARENA);

        if (im_jwks_decode(im_str_set(data, size), weak, &arena, keys, &n, &why)
            != IM_OK)
        {
            if (why == NULL) {
                abort();
            }

            n = 0;
        }

        if (n > IM_JWKS_MAX) {
            abort();
        }

        for (i = 0; i < n; i++) {
            fuzz_key(&keys[i]);
        }

        im_buf_cleanup(&arena);
    }

    return 0;
}


static void
fuzz_key(const im_jwk_t *key)
{
    size_t    i;
    unsigned  sum;

    if (key->why != NULL) {
        if (key->secret.len || key->public.len) {
            abort();
        }

        return;
    }

    if (key->algs == 0 || key->algs >= im_jwk_alg(IM_JWT_ALGS)
        || (key->secret.len == 0) == (key->public.len == 0)
        || key->kid.len > IM_JWT_MAX_KID || !im_utf8_valid(key->kid))
    {
        abort();
    }

    /* a secret is never for a public key's algorithms, nor the reverse */

    if ((key->secret.len != 0)
        != ((key->algs & ~7u) == 0))
    {
        abort();
    }

    sum = 0;

    for (i = 0; i < key->public.len; i++) {
        sum += key->public.data[i];
    }

    if (key->public.len && (sum == 0 || key->public.data[0] != 0x30)) {
        abort();
    }
}
