/*
 * Copyright (C) The im authors
 *
 * What clients offer of permessage-deflate (RFC 7692, section 7.1).
 */

#ifndef IM_OFFER_H
#define IM_OFFER_H


#include "im_types.h"


#define IM_OFFER_WINDOW_MAX  15


/*
 * Looks for the first offer that can be accepted by a server that never uses a
 * larger window than 2^least bytes if the client asks for that.  *window is the
 * largest one that the client takes, and *asked that it has asked for one: the
 * answer must then name one.  An offer with a parameter that is unknown, twice
 * there or invalid is passed over, as RFC 7692 wants.
 */
int im_offer_deflate(im_str_t value, unsigned least, unsigned *window,
    int *asked);


#endif /* IM_OFFER_H */
