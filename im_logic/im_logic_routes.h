/*
 * Copyright (C) The im authors
 *
 * Where requests arrive.
 */

#ifndef IM_LOGIC_ROUTES_H
#define IM_LOGIC_ROUTES_H


#include "im_logic.h"
#include "im_daemon_request.h"


/* The paths that are counted. */
void im_logic_routes_init(im_logic_t *logic);

/* Takes a request over from its transport. */
void im_logic_handler(im_daemon_request_t *r);


#endif /* IM_LOGIC_ROUTES_H */
