/*
 * Copyright (C) The im authors
 *
 * Where requests arrive.
 */

#ifndef IM_LOGIC_ROUTES_H
#define IM_LOGIC_ROUTES_H


#include "im_daemon_request.h"


/* Takes a request over from its transport; data is im_logic_t. */
void im_logic_handler(im_daemon_request_t *r, void *data);


#endif /* IM_LOGIC_ROUTES_H */
