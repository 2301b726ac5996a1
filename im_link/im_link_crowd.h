/*
 * Copyright (C) The im authors
 *
 * How many processes of this machine run or wait for a CPU.
 */

#ifndef IM_LINK_CROWD_H
#define IM_LINK_CROWD_H


#include "im_types.h"


/* For each CPU, as Linux says now; 0: not known. */
im_uint_t im_link_crowd(void);

/* Of the text of /proc/loadavg: all of them; 0: it isn't there. */
im_uint_t im_link_crowd_parse(im_str_t text);


#endif /* IM_LINK_CROWD_H */
