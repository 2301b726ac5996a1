/*
 * Copyright (C) The im authors
 *
 * Bells and ids of queue entries.
 */

#include <stdlib.h>

#include "im_job_entry.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* The strings of a bell are in it, in order, and the last one ends it. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t        n;
    im_str_t        s;
    im_entry_t      push;
    im_job_id_t     id;
    im_job_entry_t  e;

    s = im_str_set(data, size);

    (void) im_job_id_decode(s, &id);

    if (im_job_bell_decode(s, &n, &e) != IM_OK) {
        return 0;
    }

    if (n > UINT32_MAX || e.topic.data < s.data
        || e.topic.data + e.topic.len + 1 != e.position.data
        || e.position.data + e.position.len + 4 != e.workers.data
        || e.workers.data + e.workers.len != e.envelope.data
        || e.envelope.data + e.envelope.len != s.data + s.len)
    {
        abort();
    }

    if (im_job_entry_push(&e, &push) == IM_OK
        && (push.topic.len == 0 || push.envelope.len == 0))
    {
        abort();
    }

    while (im_job_name_next(&e.workers).len != 0) { /* void */ }

    if (e.workers.len != 0) {
        abort();
    }

    return 0;
}
