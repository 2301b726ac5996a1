/*
 * Copyright (C) The im authors
 *
 * What a sentinel says of a master.
 */

#include <stdio.h>

#include "im_link_said.h"


#define IM_LINK_SAID_QUOTE  100      /* bytes of what others wrote */


typedef struct {
    im_str_t     prefix;
    const char  *text;
    im_str_t     quote;      /* which follows the text; NULL: the error */
} im_link_said_error_t;


static uint64_t
im_link_said_number(const im_link_reply_t *reply)
{
    int64_t  n;

    n = im_link_reply_int(reply, 0);

    return n > 0 ? (uint64_t) n : 0;
}


/* Pairs of a name and a value. */
void
im_link_said_master(im_link_said_t *said, const im_link_reply_t *reply)
{
    im_str_t   name;
    uint64_t   value;
    im_uint_t  i;

    memset(said, 0, sizeof(im_link_said_t));

    for (i = 0; i + 1 < im_link_reply_len(reply); i += 2) {
        name = im_link_reply_str_at(reply, i);
        value = im_link_said_number(im_link_reply_at(reply, i + 1));

        if (im_str_eq(name, im_str_z("config-epoch"))) {
            said->epoch = value;

        } else if (im_str_eq(name, im_str_z("num-other-sentinels"))) {
            said->sentinels = value + 1;

        } else if (im_str_eq(name, im_str_z("quorum"))) {
            said->quorum = value;

        } else if (im_str_eq(name, im_str_z("num-slaves"))) {
            said->replicas = value;

        } else if (im_str_eq(name, im_str_z("down-after-milliseconds"))) {
            said->down_after = value;
        }
    }
}


/* A name or an IP, and a port. */
im_int_t
im_link_said_addr(im_link_said_t *said, const im_link_reply_t *reply)
{
    int        n;
    im_str_t   host, port;
    im_addr_t  addr;

    host = im_link_reply_str_at(reply, 0);
    port = im_link_reply_str_at(reply, 1);

    if (host.len == 0 || port.len == 0
        || host.len + port.len + sizeof("[]:") > sizeof(said->addr))
    {
        return IM_ERROR;
    }

    n = snprintf(said->addr, sizeof(said->addr),
                 memchr(host.data, ':', host.len) != NULL ? "[%.*s]:%.*s"
                                                          : "%.*s:%.*s",
                 (int) host.len, (char *) host.data,
                 (int) port.len, (char *) port.data);

    return im_addr_parse(&addr, im_str_set(said->addr, n), IM_ADDR_CONNECT, 0)
               == NULL
           && addr.type != IM_ADDR_UNIX
           ? IM_OK : IM_ERROR;
}


void
im_link_said_error(const im_link_reply_t *reply, im_str_t master, char *why)
{
    im_str_t                     error, quote;
    const im_link_said_error_t  *e;

    const im_link_said_error_t  errors[] = {
        { im_str("ERR No such master"),
          "it watches no master of this name (\"sentinel=\"): ", master },
        { im_str("NOAUTH"), "it wants a password (\"sentinel_password=\")",
          im_str("") },
        { im_str("WRONGPASS"),
          "it refuses \"sentinel_user=\" and \"sentinel_password=\": ",
          im_null_str },
        { im_str("ERR AUTH"), "it refuses \"sentinel_password=\": ",
          im_null_str },
        { im_str("ERR unknown command"), "it is not a sentinel", im_str("") },
        { im_str(""), "it answers: ", im_null_str }
    };

    error = im_link_reply_str(reply);

    for (e = errors; error.len < e->prefix.len
                     || memcmp(error.data, e->prefix.data, e->prefix.len) != 0;
         e++)
    {
        /* void */
    }

    quote = e->quote.data != NULL ? e->quote : error;

    (void) snprintf(why, IM_LINK_SAID_WHY, "%s%.*s", e->text,
                    (int) im_min(quote.len, IM_LINK_SAID_QUOTE),
                    (char *) quote.data);
}
