/*
 * Copyright (C) The im authors
 *
 * Origins of pages (RFC 6454): what a browser sends, and patterns of them as
 * operators write them.
 */

#ifndef IM_ORIGIN_H
#define IM_ORIGIN_H


#include "im_types.h"


#define IM_ORIGIN_SCHEME    32
#define IM_ORIGIN_HOST      255
#define IM_ORIGIN_ANY_PORT  65536


typedef enum {
    IM_ORIGIN_EXACT = 0,
    IM_ORIGIN_BELOW,        /* "*.example.com": names below it */
    IM_ORIGIN_HOSTS,        /* "https://" and "*": any host */
    IM_ORIGIN_NULL,         /* "null" */
    IM_ORIGIN_SELF,         /* "self": the host of the request */
    IM_ORIGIN_ANY           /* "*" */
} im_origin_e;


/* In lower case; an IPv6 address in its shortest form, in brackets. */
typedef struct {
    im_origin_e  kind;
    uint32_t     port;      /* with the default of http and https; 0: none */
    uint16_t     scheme_len;
    uint16_t     host_len;
    u_char       scheme[IM_ORIGIN_SCHEME];
    u_char       host[IM_ORIGIN_HOST];
} im_origin_t;


/*
 * What an operator wrote.  IM_ERROR: no browser can send an origin that is
 * meant by it; why says what to write.
 */
im_int_t im_origin_pattern(im_str_t s, im_origin_t *o, const char **why);

/* The value of a header: EXACT or NULL.  IM_ERROR: it is no origin. */
im_int_t im_origin_decode(im_str_t s, im_origin_t *o);

/* o is what a browser sent; host is the request's, with or without a port. */
int im_origin_match(const im_origin_t *pattern, const im_origin_t *o,
    im_str_t host);


#endif /* IM_ORIGIN_H */
