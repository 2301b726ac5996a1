/*
 * Copyright (C) The im authors
 *
 * A path as a client writes it, with and without what a server in front makes
 * of it.  Without rewriting both name the same resource, or one names none; and
 * encoding the name that was found leads back to it.
 */

#include <stdio.h>
#include <stdlib.h>

#include "im_logic_path.h"


#define FUZZ_MAX  512


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int fuzz_name(im_str_t uri, im_str_t sent, u_char *memory,
    im_str_t *name);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t    i, n;
    u_char   *own, *other;
    char      sent[16 + 3 * FUZZ_MAX];
    im_str_t  name, again;

    if (size == 0 || size > FUZZ_MAX) {
        return 0;
    }

    own = malloc(size);
    other = malloc(sizeof(sent));

    if (own == NULL || other == NULL) {
        abort();
    }

    /* the first byte says where the server's own path ends */
    n = data[0] % size;

    (void) fuzz_name(im_str_set(data, n), im_str_set(data + n, size - n), own,
                     &name);

    if (fuzz_name(im_str_set(NULL, 0), im_str_set(data, size), own, &name)) {
        n = (size_t) sprintf(sent, "/im/rooms/");

        for (i = 0; i < name.len; i++) {
            n += (size_t) sprintf(sent + n, "%%%02x", name.data[i]);
        }

        if (!fuzz_name(im_str_set(NULL, 0), im_str_set(sent, n), other, &again)
            || !im_str_eq(name, again))
        {
            abort();
        }
    }

    free(own);
    free(other);

    return 0;
}


static int
fuzz_name(im_str_t uri, im_str_t sent, u_char *memory, im_str_t *name)
{
    const char       *why;
    im_logic_path_t   path;

    return im_logic_path_split(&path, uri, sent, memory, &why) == IM_OK
           && im_logic_path_match(&path, "/im/rooms/*", name);
}
