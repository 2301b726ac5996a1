/*
 * Copyright (C) The im authors
 *
 * The leases of workers and of im_job processes, which the registry has.
 *
 * Where they could not be renewed for a while, since Redis was away or is
 * another one, those that held before hold for one length more: seen.lua.
 */

#ifndef IM_LINK_LEASES_H
#define IM_LINK_LEASES_H


#include "im_link.h"


typedef enum {
    IM_LINK_WORKERS = 0,
    IM_LINK_JOBS
} im_link_leases_e;


/* Appends the key of the leases; and that of what was seen of them. */
void im_link_leases_key(im_link_t *link, im_link_call_t *call,
    im_link_leases_e whose);
void im_link_leases_seen(im_link_t *link, im_link_call_t *call,
    im_link_leases_e whose);

/*
 * Starts a call that asks which of them hold a lease, at most so many; or with
 * a name, whether that one does.  In doubt, one that is asked for does.
 */
im_link_call_t *im_link_leases_live(im_link_t *link, im_link_leases_e whose,
    im_str_t name, uint64_t most);

/* The same of all; nil in doubt. */
im_link_call_t *im_link_leases_sure(im_link_t *link, im_link_leases_e whose,
    uint64_t most);


#endif /* IM_LINK_LEASES_H */
