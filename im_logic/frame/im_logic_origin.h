/*
 * Copyright (C) The im authors
 *
 * Which page a browser asks for: Origin (RFC 6454) against Host.
 */

#ifndef IM_LOGIC_ORIGIN_H
#define IM_LOGIC_ORIGIN_H


#include "im_types.h"


/*
 * The origin is that of the host ("NAME", "NAME:PORT", "[V6]:PORT") that was
 * asked.  https: the host is known to be asked by TLS; otherwise the origin's
 * own scheme is believed, since TLS may end in front.
 */
int im_logic_origin_same(im_str_t origin, im_str_t host, int https);

/* The value is in a list with commas or spaces between; any case. */
int im_logic_origin_listed(const char *list, im_str_t value);

/* The same for a host, of which the list may leave the port out. */
int im_logic_host_listed(const char *list, im_str_t host);


#endif /* IM_LOGIC_ORIGIN_H */
