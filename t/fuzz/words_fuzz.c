/*
 * Copyright (C) The im authors
 *
 * The words of im_redis, one a line.
 */

#include <stdlib.h>

#include "im_link_words.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
fuzz_within(im_str_t s, const uint8_t *data, size_t size)
{
    if (s.len > 0 && (s.data < data || s.data + s.len > data + size)) {
        abort();
    }
}


/* Good words leave addresses, each once; what is shown is of the text. */
static void
fuzz_check(const im_link_words_t *w, const uint8_t *data, size_t size)
{
    im_uint_t  i, k;

    if (w->link.nseeds == 0 || w->link.nseeds > IM_LINK_SEEDS
        || (w->link.kind == IM_LINK_ONE && w->link.nseeds != 1)
        || (w->link.kind == IM_LINK_SENTINEL) != (w->link.master.len > 0)
        || (!w->use_tls && (w->tls.ca.len > 0 || w->tls.name.len > 0))
        || (w->tls.cert.len > 0) != (w->tls.key.len > 0)
        || w->link.timeout == 0 || w->refresh == 0)
    {
        abort();
    }

    for (i = 0; i < w->link.nseeds; i++) {
        fuzz_within(w->link.seeds[i].name, data, size);

        for (k = 0; k < i; k++) {
            if (im_str_eq(w->link.seeds[i].name, w->link.seeds[k].name)) {
                abort();
            }
        }
    }

    (void) im_link_words_check(w);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            i, from;
    im_str_t          words[IM_LINK_WORDS], at;
    im_uint_t         n;
    im_link_words_t   w;

    for (i = 0, from = 0, n = 0; i <= size && n < IM_LINK_WORDS; i++) {
        if (i == size || data[i] == '\n') {
            words[n++] = im_str_set(data + from, i - from);
            from = i + 1;
        }
    }

    at = im_str_set(NULL, 0);

    if (im_link_words_parse(&w, words, n, 2000, &at) == NULL) {
        fuzz_check(&w, data, size);

    } else if (im_str_begins(at, im_str_z("password=")) && at.len > 9) {
        abort();
    }

    return 0;
}
