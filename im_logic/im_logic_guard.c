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


#define IM_GUARD_METHODS  "GET, HEAD, POST, DELETE"
#define IM_GUARD_HEADERS  "Content-Type, X-API-Key, Authorization, "          \
                          "X-Centrifugo-Error-Mode"


static int
im_logic_guard_listed(im_daemon_request_t *r)
{
    im_logic_t  *logic;

    logic = r->data;

    return r->origin.len != 0
           && im_logic_origin_listed(logic->conf.allow_origin, r->origin);
}


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

    listed = im_logic_guard_listed(r);

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


/* NULL: no memory. */
static im_daemon_header_t *
im_logic_guard_headers(im_daemon_request_t *r)
{
    im_buf_t            *origin;
    im_daemon_header_t  *headers;

    headers = im_daemon_alloc(r, 6 * sizeof(im_daemon_header_t));
    origin = im_daemon_buf(r, r->origin.len + 1);

    im_buf_add_str(origin, r->origin);
    im_buf_add_u8(origin, '\0');

    if (headers == NULL || origin->failed) {
        return NULL;
    }

    headers[0].name = "Access-Control-Allow-Origin";
    headers[0].value = (const char *) origin->data;
    headers[1].name = "Vary";
    headers[1].value = "Origin";

    return headers;
}


int
im_logic_guard_preflight(im_daemon_request_t *r)
{
    im_buf_t             none;
    const char          *why;
    im_daemon_header_t  *headers;

    if (!im_logic_guard_listed(r) || im_logic_guard_page(r, &why) != 0) {
        return 0;
    }

    headers = im_logic_guard_headers(r);

    if (headers == NULL) {
        return 0;
    }

    r->headers = headers;

    if (!im_str_eq(r->method, im_str_z("OPTIONS"))) {
        return 0;
    }

    headers[2].name = "Access-Control-Allow-Methods";
    headers[2].value = IM_GUARD_METHODS;
    headers[3].name = "Access-Control-Allow-Headers";
    headers[3].value = IM_GUARD_HEADERS;
    headers[4].name = "Access-Control-Max-Age";
    headers[4].value = "600";

    im_buf_init(&none, 0);
    im_logic_reply(r, 204, &none);

    return 1;
}
