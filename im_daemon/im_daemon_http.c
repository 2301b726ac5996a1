/*
 * Copyright (C) The im authors
 *
 * The HTTP listener.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

#include "im_daemon_http.h"
#include "im_daemon_log.h"


#define IM_HTTP_MAX_HEADERS  8192
#define IM_HTTP_TIMEOUT      15       /* s, of each read and write */
#define IM_HTTP_ADDRESS      64


struct im_daemon_http_s {
    struct evhttp               *http;
    struct evhttp_bound_socket  *sockets[IM_DAEMON_LISTEN_MAX];
    im_uint_t                    nsockets;
    im_daemon_request_pt         handler;
    void                        *data;
};


/* Lives until it is answered; then evhttp frees its own part. */
typedef struct {
    im_daemon_request_t     request;
    struct evhttp_request  *req;
    char                   *uri;
    char                    address[IM_HTTP_ADDRESS];
} im_daemon_http_request_t;


static void
im_daemon_http_free(im_daemon_http_request_t *hr)
{
    im_daemon_end(&hr->request);
    free(hr);
}


static void
im_daemon_http_add_header(void *data, const char *name, const char *value)
{
    (void) evhttp_add_header(data, name, value);
}


static void
im_daemon_http_reply(im_daemon_request_t *r, im_uint_t status, im_str_t json)
{
    struct evbuffer           *out;
    struct evhttp_request     *req;
    im_daemon_http_request_t  *hr;

    hr = (im_daemon_http_request_t *) r;
    req = hr->req;

    /* the peer has gone: what is left of the request is ours to free */
    if (evhttp_request_get_connection(req) == NULL) {
        evhttp_request_free(req);
        im_daemon_http_free(hr);
        return;
    }

    im_daemon_headers(r, im_daemon_http_add_header,
                      evhttp_request_get_output_headers(req));

    out = evbuffer_new();

    if (out != NULL) {
        (void) evbuffer_add(out, json.data, json.len);
    }

    evhttp_send_reply(req, (int) status, im_daemon_status(status), out);

    if (out != NULL) {
        evbuffer_free(out);
    }

    im_daemon_http_free(hr);
}


static const char *
im_daemon_http_method(struct evhttp_request *req)
{
    switch (evhttp_request_get_command(req)) {

    case EVHTTP_REQ_GET:
        return "GET";

    case EVHTTP_REQ_POST:
        return "POST";

    case EVHTTP_REQ_HEAD:
        return "HEAD";

    case EVHTTP_REQ_DELETE:
        return "DELETE";

    case EVHTTP_REQ_OPTIONS:
        return "OPTIONS";

    default:
        return "OTHER";
    }
}


static im_str_t
im_daemon_http_str(const char *z)
{
    return im_str_z(z != NULL ? z : "");
}


static im_int_t
im_daemon_http_fill(im_daemon_http_request_t *hr)
{
    char                      *address;
    uint16_t                   port;
    struct evbuffer           *body;
    struct evkeyvalq          *headers;
    im_daemon_request_t       *r;
    const struct evhttp_uri   *uri;

    r = &hr->request;
    uri = evhttp_request_get_evhttp_uri(hr->req);

    headers = evhttp_request_get_input_headers(hr->req);

    r->method = im_str_z(im_daemon_http_method(hr->req));
    r->path = im_daemon_http_str(evhttp_uri_get_path(uri));
    r->query = im_daemon_http_str(evhttp_uri_get_query(uri));

    r->type = im_daemon_http_str(evhttp_find_header(headers, "Content-Type"));
    r->encoding = im_daemon_http_str(evhttp_find_header(headers,
                                                        "Content-Encoding"));
    r->host = im_daemon_http_str(evhttp_find_header(headers, "Host"));
    r->origin = im_daemon_http_str(evhttp_find_header(headers, "Origin"));
    r->site = im_daemon_http_str(evhttp_find_header(headers,
                                                    "Sec-Fetch-Site"));
    r->api_key = im_daemon_http_str(evhttp_find_header(headers, "X-API-Key"));
    r->authorization = im_daemon_http_str(evhttp_find_header(headers,
                                                             "Authorization"));
    r->error_mode = im_daemon_http_str(evhttp_find_header(headers,
                                                   "X-Centrifugo-Error-Mode"));
    r->forwarded_proto = im_daemon_http_str(evhttp_find_header(headers,
                                                         "X-Forwarded-Proto"));

    /* of the connection, which may be gone when the answer is due */
    evhttp_connection_get_peer(evhttp_request_get_connection(hr->req),
                               &address, &port);
    (void) snprintf(hr->address, sizeof(hr->address), "%s",
                    address != NULL ? address : "");
    r->address = im_str_z(hr->address);

    body = evhttp_request_get_input_buffer(hr->req);
    r->body.len = evbuffer_get_length(body);

    if (r->body.len != 0) {
        r->body.data = evbuffer_pullup(body, -1);

        if (r->body.data == NULL) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


static void
im_daemon_http_handler(struct evhttp_request *req, void *data)
{
    im_daemon_http_t          *http = data;
    im_daemon_http_request_t  *hr;

    hr = calloc(1, sizeof(im_daemon_http_request_t));
    if (hr == NULL) {
        evhttp_send_error(req, 503, NULL);
        return;
    }

    hr->req = req;
    hr->request.reply = im_daemon_http_reply;
    hr->request.data = http->data;

    if (im_daemon_http_fill(hr) != IM_OK) {
        im_daemon_http_free(hr);
        evhttp_send_error(req, 400, NULL);
        return;
    }

    /* evhttp would free an unanswered request with its connection */
    evhttp_request_own(req);

    http->handler(&hr->request);
}


void
im_daemon_http_close(im_daemon_http_t *http)
{
    while (http->nsockets > 0) {
        evhttp_del_accept_socket(http->http, http->sockets[--http->nsockets]);
    }
}


void
im_daemon_http_destroy(im_daemon_http_t *http)
{
    if (http->http != NULL) {
        evhttp_free(http->http);
    }

    free(http);
}


/* Takes the descriptors over. */
static im_int_t
im_daemon_http_listen(im_daemon_http_t *http, const int *fds, int n)
{
    int                          i;
    struct evhttp_bound_socket  *socket;

    for (i = 0; i < n; i++) {
        socket = evhttp_accept_socket_with_handle(http->http, fds[i]);
        if (socket == NULL) {
            break;
        }

        http->sockets[http->nsockets++] = socket;
    }

    if (i == n) {
        return IM_OK;
    }

    while (i < n) {
        (void) close(fds[i++]);
    }

    return IM_ERROR;
}


im_daemon_http_t *
im_daemon_http_create(struct event_base *base, const char *address,
    const im_daemon_listen_t *conf, size_t max_body,
    im_daemon_request_pt handler, void *data)
{
    int                n, fds[IM_DAEMON_LISTEN_MAX];
    im_daemon_http_t  *http;

    http = calloc(1, sizeof(im_daemon_http_t));

    if (http != NULL) {
        http->handler = handler;
        http->data = data;
        http->http = evhttp_new(base);
    }

    if (http == NULL || http->http == NULL) {
        im_daemon_log(IM_LOG_ERROR, "no memory");
        free(http);
        return NULL;
    }

    n = im_daemon_listen(address, conf, fds);

    if (n != -1 && im_daemon_http_listen(http, fds, n) != IM_OK) {
        im_daemon_log(IM_LOG_ERROR, "can't serve HTTP on \"%s\"", address);
        n = -1;
    }

    if (n == -1) {
        im_daemon_http_destroy(http);
        return NULL;
    }

    evhttp_set_max_headers_size(http->http, IM_HTTP_MAX_HEADERS);
    evhttp_set_max_body_size(http->http, (ev_ssize_t) max_body);
    evhttp_set_timeout(http->http, IM_HTTP_TIMEOUT);
    evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_POST
                               | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT
                               | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS);
    evhttp_set_gencb(http->http, im_daemon_http_handler, http);

    return http;
}
