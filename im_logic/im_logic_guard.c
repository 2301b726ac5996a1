/*
 * Copyright (C) The im authors
 *
 * Who may use the paths of operators and backends.
 *
 * A page in a browser that has come through nginx's "allow" sends what it
 * likes there, but it can't hide where it comes from: the browser writes
 * Origin and Sec-Fetch-Site.  Other clients send neither.
 */

#include "im_logic_guard.h"
#include "im_logic_origin.h"


im_uint_t
im_logic_guard_page(im_daemon_request_t *r, const char **why)
{
    int          listed;
    im_logic_t  *logic;

    logic = r->data;

    if (logic->conf.allow_host != NULL
        && !im_logic_host_listed(logic->conf.allow_host, r->host))
    {
        *why = im_logic_text(r, "the host %j isn't in --allow-host", r->host);
        return 421;
    }

    listed = r->origin.len != 0
             && im_logic_origin_listed(logic->conf.allow_origin, r->origin);

    if (r->origin.len != 0 && !listed
        && !im_logic_origin_same(r->origin, r->host,
                                 im_str_eq(r->scheme, im_str_z("https"))))
    {
        *why = im_logic_text(r, "pages of %j may not ask this: the Origin is "
                             "not that of the Host, nor in --allow-origin",
                             r->origin);
        return 403;
    }

    if (r->site.len != 0 && !listed
        && !im_str_eq(r->site, im_str_z("same-origin"))
        && !im_str_eq(r->site, im_str_z("none")))
    {
        *why = im_logic_text(r, "pages of other origins may not ask this: "
                             "Sec-Fetch-Site is %j", r->site);
        return 403;
    }

    return 0;
}
