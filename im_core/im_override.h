/*
 * Copyright (C) The im authors
 *
 * What one subscription has other than its room's rule says: "override" of
 * tokens, of webhooks and of the server API.
 */

#ifndef IM_OVERRIDE_H
#define IM_OVERRIDE_H


#include "im_types.h"


/* Bits. */
typedef enum {
    IM_OVERRIDE_PRESENCE = 0x01,     /* it is listed */
    IM_OVERRIDE_JOIN_LEAVE = 0x02,   /* others hear that it joins and leaves */
    IM_OVERRIDE_PUSH_JOINS = 0x04,   /* it hears that of others */
    IM_OVERRIDE_RECOVERY = 0x08,
    IM_OVERRIDE_POSITIONING = 0x10
} im_override_e;


typedef struct {
    uint8_t  on;
    uint8_t  off;                    /* neither: it is as the rule says */
} im_override_t;


/*
 * An object like {"presence":{"value":false}}, or "": nothing.  IM_DECLINED:
 * not valid; IM_ERROR: no memory.
 */
im_int_t im_override_decode(im_str_t json, im_override_t *o);


#endif /* IM_OVERRIDE_H */
