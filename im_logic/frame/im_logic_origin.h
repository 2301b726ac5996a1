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

/* The origin is in a list of patterns, commas or spaces between; or NULL. */
int im_logic_origin_listed(const char *list, im_str_t value);

/* The same for a host, of which the list may leave the port out. */
int im_logic_host_listed(const char *list, im_str_t host);

/* Checks of options: NULL, or what is wrong with such a list or name. */
const char *im_logic_origin_check(const char *list);
const char *im_logic_host_check(const char *list);
const char *im_logic_header_check(const char *name);


#endif /* IM_LOGIC_ORIGIN_H */
