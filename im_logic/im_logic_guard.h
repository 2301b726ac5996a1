/*
 * Copyright (C) The im authors
 *
 * Who may use the paths of operators and backends, /im/ and /api/.
 */

#ifndef IM_LOGIC_GUARD_H
#define IM_LOGIC_GUARD_H


#include "im_logic_request.h"


/* A browser's page of another origin may not.  0, or a status and *why. */
im_uint_t im_logic_guard_page(im_daemon_request_t *r, const char **why);


/*
 * A page of an origin in --allow-origin may read what is answered from now on.
 * 1: the request only asks whether that is so, and is answered.
 */
int im_logic_guard_preflight(im_daemon_request_t *r);


#endif /* IM_LOGIC_GUARD_H */
