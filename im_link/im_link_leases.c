/*
 * Copyright (C) The im authors
 *
 * Leases.
 */

#include "im_link_leases.h"
#include "im_key.h"
#include "im_record.h"


void
im_link_leases_key(im_link_t *link, im_link_call_t *call,
    im_link_leases_e whose)
{
    if (whose == IM_LINK_WORKERS) {
        im_key_nodes(&call->bytes, im_link_keys(link));

    } else {
        im_key_jobs(&call->bytes, im_link_keys(link));
    }

    im_link_call_key(call);
}


void
im_link_leases_seen(im_link_t *link, im_link_call_t *call,
    im_link_leases_e whose)
{
    im_key_seen(&call->bytes, im_link_keys(link),
                whose == IM_LINK_WORKERS ? im_str_z("nodes")
                                         : im_str_z("jobs"));
    im_link_call_key(call);
}


im_link_call_t *
im_link_leases_live(im_link_t *link, im_link_leases_e whose, im_str_t name,
    uint64_t most)
{
    im_link_call_t  *call;

    call = im_link_script(link, &im_script_live);

    im_link_leases_key(link, call, whose);
    im_link_leases_seen(link, call, whose);

    im_link_call_uint(call, whose == IM_LINK_WORKERS ? IM_LEASE_WORKER
                                                     : IM_LEASE_JOB);
    im_link_call_str(call, name);
    im_link_call_uint(call, most);
    im_link_call_generation(call);

    return call;
}


im_link_call_t *
im_link_leases_sure(im_link_t *link, im_link_leases_e whose, uint64_t most)
{
    im_link_call_t  *call;

    call = im_link_leases_live(link, whose, im_str_z(""), most);
    im_link_call_z(call, "1");

    return call;
}
