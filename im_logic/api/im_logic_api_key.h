/*
 * Copyright (C) The im authors
 *
 * The keys of the server API.
 */

#ifndef IM_LOGIC_API_KEY_H
#define IM_LOGIC_API_KEY_H


#include "im_logic_request.h"


/* IM_ERROR: logged. */
im_int_t im_logic_api_keys_load(im_logic_t *logic);
int im_logic_api_allowed(im_daemon_request_t *r);


#endif /* IM_LOGIC_API_KEY_H */
