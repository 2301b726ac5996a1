/*
 * Copyright (C) The im authors
 *
 * One caller that pushes to very many users at once.
 */

#include "load_bulk.h"
#include "load_publish.h"


#define LOAD_BULK_MAX  (4 * 1024 * 1024)


static void
load_bulk_call(load_bulk_t *bulk)
{
    im_str_t  none;

    if (load_http_send(&bulk->http, im_buf_str(&bulk->request)) != 0) {
        none.len = 0;
        none.data = NULL;
        bulk->running = 0;
        bulk->refused++;
        load_publish_error(bulk->error, &bulk->http, 0, none);
    }
}


static void
load_bulk_answered(load_http_t *h, unsigned status, im_str_t body)
{
    load_bulk_t  *bulk;

    bulk = h->data;
    bulk->calls++;

    if (status < 200 || status > 299) {
        bulk->refused++;
        load_publish_error(bulk->error, h, status, body);
        bulk->running = bulk->running && status != 0;

    } else {
        load_hist_add(&bulk->us, load_now() - h->sent);
    }

    if (bulk->running) {
        load_bulk_call(bulk);
    }
}


void
load_bulk_init(load_bulk_t *bulk, load_loop_t *loop,
    const load_options_t *options)
{
    unsigned  i;
    im_buf_t  body;

    static const im_str_t  path = im_str("/im/push");

    memset(bulk, 0, sizeof(load_bulk_t));
    load_http_init(&bulk->http, loop, &options->push_server);
    bulk->http.answered = load_bulk_answered;
    bulk->http.data = bulk;

    im_buf_init(&body, LOAD_BULK_MAX);
    im_buf_init(&bulk->request, LOAD_BULK_MAX);
    im_buf_add_z(&body, "{\"users\":[");

    for (i = 0; i < options->bulk; i++) {
        im_buf_add_z(&body, i == 0 ? "\"bulk" : ",\"bulk");
        im_buf_add_uint(&body, i);
        im_buf_add_z(&body, "\"");
    }

    im_buf_add_z(&body, "],\"data\":{\"t\":\"one call, many users\"}}");
    load_http_head(&bulk->request, path, options->api->key, options->api_key,
                   body.len);
    im_buf_add_str(&bulk->request, im_buf_str(&body));
    im_buf_cleanup(&body);
}


void
load_bulk_start(load_bulk_t *bulk)
{
    bulk->running = 1;
    load_bulk_call(bulk);
}


void
load_bulk_stop(load_bulk_t *bulk)
{
    bulk->running = 0;
}
