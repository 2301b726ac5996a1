/*
 * Copyright (C) The im authors
 *
 * Tokens and their claims: what is cut out of them is valid, and the arena
 * made at first is enough.  An input with a dot is a token, else it is claims.
 */

#include <stdlib.h>

#include "im_json.h"
#include "im_jwt.h"
#include "im_utf8.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_claims(const im_jwt_parts_t *parts, im_buf_t *arena);
static void fuzz_json(im_str_t json);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t         s;
    im_buf_t         arena;
    const char      *why;
    im_jwt_parts_t   parts;

    s = im_str_set(data, size);
    why = NULL;

    im_buf_init(&arena, IM_JWT_ARENA);

    if (size <= IM_JWT_MAX && (size == 0 || memchr(data, '.', size) == NULL)) {
        memset(&parts, 0, sizeof(im_jwt_parts_t));
        parts.claims = s;

        if (im_buf_reserve(&arena, IM_JWT_ARENA) != NULL) {
            arena.len = 0;
            fuzz_claims(&parts, &arena);
        }
    }

    if (im_jwt_split(s, &arena, &parts, &why) == IM_OK) {
        if (parts.alg >= IM_JWT_ALGS || parts.kid.len > IM_JWT_MAX_KID
            || !im_utf8_valid(parts.kid))
        {
            abort();
        }

        fuzz_claims(&parts, &arena);

    } else if (why == NULL) {
        abort();
    }

    im_buf_cleanup(&arena);

    return 0;
}


static void
fuzz_claims(const im_jwt_parts_t *parts, im_buf_t *arena)
{
    u_char     *data;
    im_jwt_t    jwt;
    im_str_t    none = im_null_str;
    im_uint_t   i;

    data = arena->data;

    if (im_jwt_claims(parts, arena, &jwt) != IM_OK) {
        if (jwt.why == NULL || jwt.subs != NULL || arena->data != data) {
            abort();
        }

        return;
    }

    fuzz_json(jwt.info);
    fuzz_json(jwt.data);
    fuzz_json(jwt.meta);
    fuzz_json(jwt.override);

    for (i = 0; i < jwt.nsubs; i++) {
        fuzz_json(jwt.subs[i].info);
        fuzz_json(jwt.subs[i].data);
        fuzz_json(jwt.subs[i].override);

        if (!im_utf8_valid(jwt.subs[i].channel)) {
            abort();
        }
    }

    (void) im_jwt_check(&jwt, 1, 5, im_str_z("a"), jwt.issuer);

    if (im_jwt_check(&jwt, 1700000000, 5, none, none) == IM_OK
        && (jwt.exp <= 1699999995 || jwt.nbf > 1700000005))
    {
        abort();
    }

    if (arena->data != data || !im_utf8_valid(jwt.user)) {
        abort();
    }

    im_jwt_cleanup(&jwt);
}


static void
fuzz_json(im_str_t json)
{
    if (json.len != 0 && !im_json_valid(json)) {
        abort();
    }
}
