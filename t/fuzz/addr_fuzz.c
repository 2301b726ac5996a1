/*
 * Copyright (C) The im authors
 *
 * Addresses, to connect to and to listen on.
 */

#include <stdlib.h>

#include "im_addr.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Whatever can be connected to can be listened on, and a port is no zero. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t     text;
    im_addr_t    to, on;
    const char  *refused;

    text = im_str_set(data, size);
    refused = im_addr_parse(&to, text, IM_ADDR_CONNECT, 6379);

    if (im_addr_parse(&on, text, IM_ADDR_LISTEN, 6379) != NULL) {
        if (refused == NULL) {
            abort();
        }

        return 0;
    }

    (void) im_addr_loopback(&on);

    if ((refused != NULL) != (on.type == IM_ADDR_ANY)
        || (on.port == 0) != (on.type == IM_ADDR_UNIX)
        || on.host.len == 0 || on.host.len > size
        || (refused == NULL && memcmp(&to, &on, sizeof(im_addr_t)) != 0))
    {
        abort();
    }

    return 0;
}
