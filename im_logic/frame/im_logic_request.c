/*
 * Copyright (C) The im authors
 *
 * The parts of a request, the forms of answers, and the end of the last
 * request.
 */

#include <sys/time.h>

#include "im_logic_request.h"
#include "im_near.h"
#include "im_logic_print.h"
#include "im_logic_type.h"
#include "im_logic_url.h"


#define IM_REQUEST_DIGITS  20
#define IM_REQUEST_SHOWN   128        /* bytes of a value in a message */
#define IM_REQUEST_WHY     2048       /* bytes of such a message */


void
im_logic_reply_data(im_daemon_request_t *r, const im_buf_t *data)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, IM_LOGIC_MAX_REPLY + 64);

    im_logic_print(b, "{\"code\":0,\"msg\":\"success\",\"data\":%s}\n",
                   im_buf_str(data));

    if (data->failed) {
        b->failed = 1;
    }

    im_logic_reply(r, 200, b);
}


void
im_logic_reply_error(im_daemon_request_t *r, im_uint_t code, const char *msg)
{
    im_buf_t  *b;

    /* what found no memory may look wrong */

    if (code == 400 && r->failed.failed) {
        code = 503;
        msg = "no memory";
    }

    b = im_daemon_buf(r, 4096);

    im_logic_print(b, "{\"code\":%u,\"msg\":%J}\n", code, msg);
    im_logic_reply(r, im_logic_status(code), b);
}


static void
im_logic_count(im_logic_t *logic, im_uint_t route, im_uint_t status)
{
    im_logic_result_e  result;

    result = status < 400 ? IM_RESULT_OK
             : status < 500 ? IM_RESULT_REFUSED : IM_RESULT_FAILED;

    logic->counters.routes[route].results[result]++;
}


void
im_logic_reply(im_daemon_request_t *r, im_uint_t status, const im_buf_t *json)
{
    im_str_t     body;
    im_logic_t  *logic;

    static const im_str_t  failed = im_str("{\"code\":503,"
                                           "\"msg\":\"no memory\"}\n");

    logic = r->data;
    body = im_buf_str(json);

    if (json->failed) {
        status = 503;
        body = failed;
    }

    if (status == 503) {
        r->retry = 1;
    }

    im_logic_count(logic, r->route, status);
    r->reply(r, status, body);

    logic->nrequests--;
    im_logic_stop(logic);
}


/* Answers that are in buffers still go out. */
void
im_logic_stop(im_logic_t *logic)
{
    struct timeval  tv = { 0, 100000 };

    if (logic->stopping && logic->nrequests == 0) {
        (void) event_base_loopexit(logic->base, &tv);
    }
}


uint64_t
im_logic_time(void)
{
    struct timeval  tv;

    (void) gettimeofday(&tv, NULL);

    return (uint64_t) tv.tv_sec * 1000 + (uint64_t) tv.tv_usec / 1000;
}


/* In the memory of the request; never moves. */
static void
im_logic_buf(im_daemon_request_t *r, im_buf_t *b, size_t max)
{
    im_buf_init(b, max);

    b->size = max;
    b->data = im_daemon_alloc(r, im_max(max, 1));

    if (b->data == NULL) {
        b->failed = 1;
    }
}


im_int_t
im_logic_query(im_daemon_request_t *r, const char *name, size_t max,
    im_str_t *value)
{
    im_buf_t  b;
    im_int_t  rc;

    im_logic_buf(r, &b, max);
    rc = im_logic_url_find(r->query, name, &b);

    *value = im_buf_str(&b);

    return b.failed ? IM_ERROR : rc;
}


im_int_t
im_logic_query_number(im_daemon_request_t *r, const char *name, uint64_t max,
    uint64_t *n)
{
    im_int_t  rc;
    im_str_t  s;

    *n = 0;
    rc = im_logic_query(r, name, IM_REQUEST_DIGITS, &s);

    if (rc == IM_OK && (im_decimal_decode(s, n) != IM_OK || *n > max)) {
        return IM_ERROR;
    }

    return rc;
}


const char *
im_logic_query_strange(im_daemon_request_t *r, im_str_t name,
    const char *const *known)
{
    im_buf_t   *b;
    im_uint_t   i;
    im_near_t   near;

    name.len = im_min(name.len, IM_REQUEST_SHOWN);
    b = im_daemon_buf(r, IM_REQUEST_WHY);

    im_near_init(&near, name);

    for (i = 0; known[i] != NULL; i++) {
        im_near_try(&near, im_str_z(known[i]));
    }

    im_logic_print(b, "the query has no %j", name);

    if (near.found.data != NULL) {
        im_logic_print(b, ": did you mean %j?", near.found);

    } else if (known[0] == NULL) {
        im_buf_add_z(b, ": this path takes no query");
    }

    for (i = 0; near.found.data == NULL && known[i] != NULL; i++) {
        im_logic_print(b, "%z %z", i == 0 ? ", but" : ",", known[i]);
    }

    im_buf_add_u8(b, '\0');

    return b->failed ? "no memory" : (const char *) b->data;
}


static int
im_logic_query_has(const char *const *known, im_str_t name)
{
    while (*known != NULL) {
        if (im_str_eq(name, im_str_z(*known++))) {
            return 1;
        }
    }

    return im_str_eq(name, im_str_z("api_key"));
}


const char *
im_logic_query_known(im_daemon_request_t *r, const char *const *known)
{
    size_t    at;
    im_str_t  name, value;

    if (known == NULL) {
        return NULL;
    }

    at = 0;

    while (im_logic_url_arg(r->query, &at, &name, &value) == IM_OK) {
        if (!im_logic_query_has(known, name)) {
            return im_logic_query_strange(r, name, known);
        }
    }

    return NULL;
}


const char *
im_logic_text(im_daemon_request_t *r, const char *pattern, im_str_t value)
{
    im_buf_t  *b;

    value.len = im_min(value.len, IM_REQUEST_SHOWN);

    b = im_daemon_buf(r, strlen(pattern) + 6 * value.len + 16);
    im_logic_print(b, pattern, value);
    im_buf_add_u8(b, '\0');

    return b->failed ? "no memory" : (const char *) b->data;
}


im_uint_t
im_logic_body(im_daemon_request_t *r, int text, const char **why)
{
    if (r->body.len == 0) {
        return 0;
    }

    if (!im_logic_type_plain(r->encoding)) {
        *why = im_logic_text(r, "the body has the Content-Encoding %j: send "
                             "it as it is", r->encoding);
        return 415;
    }

    switch (im_logic_type(r->type)) {

    case IM_TYPE_JSON:
        break;

    case IM_TYPE_BYTES:

        if (text) {
            return 0;
        }

        *why = im_logic_text(r, "the Content-Type is %j: send "
                             "application/json", r->type);
        return 415;

    case IM_TYPE_TEXT:

        if (text) {
            break;
        }

        /* fall through */

    case IM_TYPE_CHARSET:
        *why = im_logic_text(r, text ? "the Content-Type is %j: this takes "
                             "UTF-8" : "the Content-Type is %j: this takes "
                             "application/json in UTF-8", r->type);
        return 415;

    default:
        *why = im_logic_text(r, text ? "the Content-Type is %j: send "
                             "application/json, text/plain or "
                             "application/octet-stream"
                             : "the Content-Type is %j: send "
                             "application/json", r->type);
        return 415;
    }

    if (im_logic_type_wide(r->body)) {
        *why = "the body is not UTF-8 but UTF-16 or UTF-32";
        return 415;
    }

    return 0;
}


static void
im_logic_hash_cleanup(void *data)
{
    im_hash_cleanup(data);
}


im_int_t
im_logic_hash(im_daemon_request_t *r, im_hash_t *h, im_hash_name_pt name)
{
    im_logic_t  *logic;

    logic = r->data;

    if (im_hash_init(h, name, logic->seed) != IM_OK) {
        return IM_ERROR;
    }

    return im_daemon_cleanup(r, im_logic_hash_cleanup, h);
}


int
im_logic_name_or_none(im_str_t name)
{
    return name.len == 0 || im_name_valid(name);
}


im_str_t
im_logic_topic(im_daemon_request_t *r,
    void (*add)(im_buf_t *b, im_str_t name), im_str_t name)
{
    im_buf_t  b;

    im_logic_buf(r, &b, name.len + 2);
    add(&b, name);

    return im_buf_str(&b);
}
