/*
 * Copyright (C) The im authors
 *
 * Origins: the first line is a pattern, the second a header, the rest a host.
 */

#include <stdlib.h>

#include "im_header.h"
#include "im_origin.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static im_str_t
line(const uint8_t **data, size_t *size)
{
    im_str_t        s;
    const uint8_t  *p;

    p = *size != 0 ? memchr(*data, '\n', *size) : NULL;
    s = im_str_set(*data, p != NULL ? (size_t) (p - *data) : *size);

    *data += s.len + (p != NULL);
    *size -= s.len + (p != NULL);

    return s;
}


/* What is a good header and no mask is a pattern that it matches. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t      pattern, header;
    const char   *why;
    im_origin_t   p, o;

    pattern = line(&data, &size);
    header = line(&data, &size);

    (void) im_header_extensions(pattern);
    (void) im_header_lists(pattern, header);

    if (im_origin_decode(header, &o) != IM_OK) {
        return 0;
    }

    if (im_origin_pattern(header, &p, &why) == IM_OK
        && !im_origin_match(&p, &o, im_str_set(data, size)))
    {
        abort();
    }

    if (im_origin_pattern(pattern, &p, &why) == IM_OK) {
        (void) im_origin_match(&p, &o, im_str_set(data, size));
    }

    return 0;
}
