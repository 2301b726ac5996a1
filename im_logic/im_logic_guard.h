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


#endif /* IM_LOGIC_GUARD_H */
