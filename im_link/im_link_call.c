/*
 * Copyright (C) The im authors
 *
 * Redis commands: arguments are collected raw and get their separators when
 * they are encoded.
 */

#include <stdio.h>

#include "im_link_call.h"
#include "im_key.h"


#define IM_LINK_CALL_KEEP  65536


void
im_link_call_init(im_link_call_t *call)
{
    memset(call, 0, sizeof(im_link_call_t));

    im_buf_init(&call->bytes, IM_LINK_CALL_MAX_BYTES);
    im_buf_init(&call->lens, IM_LINK_CALL_MAX_ARGS * sizeof(uint32_t));
}


void
im_link_call_cleanup(im_link_call_t *call)
{
    im_buf_cleanup(&call->bytes);
    im_buf_cleanup(&call->lens);
}


void
im_link_call_start(im_link_call_t *call, const char *words)
{
    size_t  len;

    im_link_call_start_script(call, NULL);

    while (*words != '\0') {
        len = strcspn(words, " ");

        im_link_call_str(call, im_str_set(words, len));
        words += len + strspn(words + len, " ");
    }
}


void
im_link_call_start_script(im_link_call_t *call, const im_script_t *script)
{
    im_buf_reset(&call->bytes, IM_LINK_CALL_KEEP);
    im_buf_reset(&call->lens, IM_LINK_CALL_KEEP);

    call->nargs = 0;
    call->nkeys = 0;
    call->generation = 0;
    call->start = 0;
    call->slot = 0;
    call->script = script;
    call->number = 0;
}


void
im_link_call_key(im_link_call_t *call)
{
    if (call->nkeys == 0) {
        call->slot = im_link_slot(im_str_set(call->bytes.data + call->start,
                                             call->bytes.len - call->start));
    }

    call->nkeys++;

    im_link_call_arg(call);
}


void
im_link_call_arg(im_link_call_t *call)
{
    uint32_t  *len;

    len = (uint32_t *) im_buf_reserve(&call->lens, sizeof(uint32_t));
    if (len == NULL) {
        call->bytes.failed = 1;
        return;
    }

    *len = call->bytes.len - call->start;
    call->start = call->bytes.len;
    call->nargs++;
}


void
im_link_call_str(im_link_call_t *call, im_str_t s)
{
    im_buf_add_str(&call->bytes, s);
    im_link_call_arg(call);
}


void
im_link_call_uint(im_link_call_t *call, uint64_t n)
{
    im_buf_add_uint(&call->bytes, n);
    im_link_call_arg(call);
}


void
im_link_call_generation(im_link_call_t *call)
{
    im_link_call_arg(call);

    call->generation = call->nargs;
}


void
im_link_call_channels(im_link_call_t *call, const im_keys_t *keys, uint16_t p)
{
    im_key_channel_all(&call->bytes, keys, p);
    im_link_call_key(call);

    im_key_channel(&call->bytes, keys, p, im_str_z(""));
    im_link_call_key(call);
}


static void
im_link_call_count(im_buf_t *out, const char *type, size_t n)
{
    im_buf_add_z(out, type);
    im_buf_add_uint(out, n);
    im_buf_add(out, "\r\n", 2);
}


static void
im_link_call_bulk(im_buf_t *out, im_str_t arg)
{
    im_link_call_count(out, "$", arg.len);
    im_buf_add_str(out, arg);
    im_buf_add(out, "\r\n", 2);
}


void
im_link_call_encode_sha(const im_script_t *script, im_uint_t nargs,
    im_buf_t *out)
{
    im_link_call_count(out, "*", nargs + 3);
    im_link_call_bulk(out, im_str_z("EVALSHA"));
    im_link_call_bulk(out, im_str_z(script->sha));
}


void
im_link_call_encode(const im_link_call_t *call, im_buf_t *out,
    im_str_t generation, im_link_place_t *place)
{
    char             nkeys[16];
    u_char          *p;
    im_uint_t        i;
    const uint32_t  *lens;

    out->failed |= call->bytes.failed;
    place->tail = out->len;
    place->generation = 0;

    if (call->script == NULL) {
        im_link_call_count(out, "*", call->nargs);

    } else {
        im_link_call_encode_sha(call->script, call->nargs, out);
        place->tail = out->len;
        im_link_call_bulk(out, im_str_set(nkeys, snprintf(nkeys, sizeof(nkeys),
                                          "%u", (unsigned) call->nkeys)));
    }

    p = call->bytes.data;
    lens = (const uint32_t *) call->lens.data;

    for (i = 0; i < call->nargs; i++) {

        if (i + 1 == call->generation) {
            im_link_call_bulk(out, generation);
            place->generation = out->len - generation.len - 2;

        } else {
            im_link_call_bulk(out, im_str_set(p, lens[i]));
        }

        p += lens[i];
    }
}


void
im_link_call_encode_text(const im_script_t *script, im_uint_t nargs,
    im_str_t tail, im_buf_t *out)
{
    im_link_call_count(out, "*", nargs + 3);
    im_link_call_bulk(out, im_str_z("EVAL"));
    im_link_call_bulk(out, script->text);
    im_buf_add_str(out, tail);
}


im_uint_t
im_link_slot(im_str_t key)
{
    u_char  *p, *q, *end;

    end = key.data + key.len;
    p = key.len > 0 ? im_str_chr(key, '{') : NULL;

    if (p != NULL) {
        p++;
        q = memchr(p, '}', end - p);

        if (q != NULL && q > p) {
            key = im_str_set(p, q - p);
        }
    }

    return im_partition(key, IM_LINK_SLOTS);
}
