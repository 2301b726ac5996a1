/*
 * Copyright (C) The im authors
 *
 * Patterns of names: the first line is the pattern, the rest the name.
 */

#include <stdlib.h>

#include "im_glob.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* A star in front and behind can only make it match. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char    *p, *wide;
    im_str_t   pattern, name;

    if (size > 1024) {
        return 0;
    }

    p = size != 0 ? memchr(data, '\n', size) : NULL;

    pattern = im_str_set(data, p != NULL ? (size_t) (p - data) : size);
    name = im_str_set(data + pattern.len, size - pattern.len);

    wide = malloc(pattern.len + 1);
    if (wide == NULL) {
        return 0;
    }

    wide[0] = '*';
    memcpy(wide + 1, pattern.data, pattern.len);

    if (im_glob_match(pattern, name)
        && !im_glob_match(im_str_set(wide, pattern.len + 1), name))
    {
        abort();
    }

    free(wide);

    return 0;
}
