/*
 * Copyright (C) The im authors
 *
 * Addresses as people write them: HOST[:PORT], [IPV6][:PORT], unix:/PATH, and
 * *[:PORT] to listen on.  The module and the daemons have this one parser.
 */

#ifndef IM_ADDR_H
#define IM_ADDR_H


#include "im_types.h"


#define IM_ADDR_MAX_PATH  107     /* of a unix socket */
#define IM_ADDR_MAX_NAME  253     /* without a dot at the end */
#define IM_ADDR_MAX_IP    45      /* as text */


typedef enum {
    IM_ADDR_UNIX = 0,
    IM_ADDR_IPV4,
    IM_ADDR_IPV6,
    IM_ADDR_NAME,                 /* to be looked up */
    IM_ADDR_ANY                   /* "*": IPv4 and IPv6 of this machine */
} im_addr_e;


typedef enum {
    IM_ADDR_CONNECT = 0,
    IM_ADDR_LISTEN
} im_addr_use_e;


/* host is borrowed: the path, the name, or the address without brackets. */
typedef struct {
    im_addr_e   type;
    im_str_t    host;
    uint16_t    port;
    u_char      ip[16];           /* of IPV4 the first four */
} im_addr_t;


/*
 * port is for a text without one; 0: there must be one.  NULL: parsed; else
 * what is wrong with it and what to write, to follow the text in a message.
 */
const char *im_addr_parse(im_addr_t *addr, im_str_t text, im_addr_use_e use,
    im_uint_t port);

/*
 * Only this machine can connect there.  A name counts as another machine's,
 * but "localhost" and "*.localhost" (RFC 6761).
 */
int im_addr_loopback(const im_addr_t *addr);


#endif /* IM_ADDR_H */
