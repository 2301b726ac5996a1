/*
 * Copyright (C) The im authors
 *
 * JSON from outside: decoding by a table agrees with the check, what is cut
 * out of a text is valid itself, strings are UTF-8.
 */

#include <stdlib.h>

#include "im_json.h"
#include "im_override.h"
#include "im_utf8.h"


typedef struct {
    im_str_t           s;
    int64_t            n;
    int                on;
    im_str_t           raw;
    im_str_t           object;
    im_json_strings_t  strings;
    im_json_strings_t  raws;
} fuzz_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_decode(im_str_t text, im_uint_t flags);
static void fuzz_members(im_str_t object);
static void fuzz_objects(im_str_t text);
static void fuzz_string(im_str_t s);


static const im_json_field_t  fuzz_fields[] = {
    { im_str("s"), IM_JSON_STRING, offsetof(fuzz_t, s) },
    { im_str("n"), IM_JSON_INT, offsetof(fuzz_t, n) },
    { im_str("on"), IM_JSON_BOOL, offsetof(fuzz_t, on) },
    { im_str("raw"), IM_JSON_RAW, offsetof(fuzz_t, raw) },
    { im_str("object"), IM_JSON_OBJECT, offsetof(fuzz_t, object) },
    { im_str("strings"), IM_JSON_STRINGS, offsetof(fuzz_t, strings) },
    { im_str("raws"), IM_JSON_RAWS, offsetof(fuzz_t, raws) },
    im_json_end
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  text;

    text = im_str_set(data, size);

    fuzz_decode(text, 0);
    fuzz_decode(text, IM_JSON_ANY_CASE|IM_JSON_LAX);
    fuzz_objects(text);
    fuzz_string(text);

    return 0;
}


/* One valid object is found whole; each ends behind the one before. */
static void
fuzz_objects(im_str_t text)
{
    size_t          at, last;
    im_str_t        object;
    im_override_t   o;

    at = 0;
    last = 0;

    while (im_json_next_object(text, &at, &object) == IM_OK) {
        if (at <= last || at > text.len
            || object.data + object.len != text.data + at
            || object.data[0] != '{' || object.data[object.len - 1] != '}')
        {
            abort();
        }

        if (im_override_decode(object, &o) == IM_OK && (o.on & o.off) != 0) {
            abort();
        }

        last = at;
    }

    if (last == 0 && text.len > 0 && text.data[0] == '{'
        && im_json_valid(text))
    {
        abort();
    }
}


static void
fuzz_decode(im_str_t text, im_uint_t flags)
{
    int          valid;
    fuzz_t       v;
    im_buf_t     arena;
    im_uint_t    i;
    const char  *why;

    memset(&v, 0, sizeof(fuzz_t));
    v.strings.max = 8;
    v.raws.max = 8;
    why = NULL;

    im_buf_init(&arena, text.len);
    valid = im_json_valid(text);

    if (im_json_decode(text, fuzz_fields, flags, &arena, &v, &why) != IM_OK) {
        if (why == NULL || v.strings.elts != NULL || v.raws.elts != NULL) {
            abort();
        }

        im_buf_cleanup(&arena);
        return;
    }

    if (!valid || !im_utf8_valid(v.s)
        || (v.raw.len != 0 && !im_json_valid(v.raw))
        || (v.object.len != 0 && !im_json_valid(v.object)))
    {
        abort();
    }

    for (i = 0; i < v.strings.n; i++) {
        if (!im_utf8_valid(v.strings.elts[i])) {
            abort();
        }
    }

    for (i = 0; i < v.raws.n; i++) {
        if (!im_json_valid(v.raws.elts[i])) {
            abort();
        }
    }

    if (v.object.len != 0) {
        fuzz_members(v.object);
    }

    im_json_strings_free(&v.strings);
    im_json_strings_free(&v.raws);
    im_buf_cleanup(&arena);
}


static void
fuzz_members(im_str_t object)
{
    size_t    at;
    im_buf_t  arena;
    im_int_t  rc;
    im_str_t  name, value;

    im_buf_init(&arena, object.len);

    if (im_buf_reserve(&arena, object.len) == NULL) {
        return;
    }

    arena.len = 0;
    at = 0;

    for ( ;; ) {
        rc = im_json_next_member(object, &at, &arena, &name, &value);

        if (rc == IM_DECLINED) {
            break;
        }

        if (rc != IM_OK || !im_utf8_valid(name) || !im_json_valid(value)) {
            abort();
        }
    }

    im_buf_cleanup(&arena);
}


/* Any bytes can be written as a string. */
static void
fuzz_string(im_str_t s)
{
    im_buf_t  b;

    im_buf_init(&b, 6 * s.len + 2);
    im_json_add_string(&b, s);

    if (b.failed || !im_json_valid(im_buf_str(&b))) {
        abort();
    }

    im_buf_cleanup(&b);
}
