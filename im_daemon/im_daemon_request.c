/*
 * Copyright (C) The im authors
 *
 * The memory of a request, and what all transports share.
 */

#include <arpa/inet.h>
#include <stdalign.h>
#include <stdio.h>

#include "im_daemon_request.h"


#define IM_REQUEST_BLOCK  4096
#define IM_REQUEST_ALIGN  alignof(max_align_t)


/* The newest one, from which memory is taken, is the first of its list. */
struct im_daemon_block_s {
    im_daemon_block_t             *next;
    size_t                         used;
    size_t                         size;
    _Alignas(max_align_t) u_char   data[];
};


struct im_daemon_cleanup_s {
    im_daemon_cleanup_t   *next;
    im_daemon_cleanup_pt   fn;
    void                  *data;
};


static const struct {
    im_uint_t    status;
    const char  *reason;
} im_daemon_statuses[] = {
    { 200, "OK" },
    { 204, "No Content" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 409, "Conflict" },
    { 413, "Payload Too Large" },
    { 415, "Unsupported Media Type" },
    { 416, "Range Not Satisfiable" },
    { 417, "Expectation Failed" },
    { 421, "Misdirected Request" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
    { 505, "HTTP Version Not Supported" },
    { 0, "Unknown" }
};


void *
im_daemon_alloc(im_daemon_request_t *r, size_t size)
{
    void               *p;
    size_t              room;
    im_daemon_block_t  *block;

    size = im_min(size, IM_REQUEST_MEMORY + 1);
    size = (size + IM_REQUEST_ALIGN - 1) & ~(IM_REQUEST_ALIGN - 1);

    if (r->blocks == NULL || r->blocks->size - r->blocks->used < size) {
        room = im_max(size, IM_REQUEST_BLOCK - sizeof(im_daemon_block_t));

        block = r->allocated + room <= IM_REQUEST_MEMORY
                ? im_calloc(sizeof(im_daemon_block_t) + room) : NULL;

        if (block == NULL) {
            return NULL;
        }

        block->size = room;
        block->next = r->blocks;

        r->blocks = block;
        r->allocated += room;
    }

    p = r->blocks->data + r->blocks->used;
    r->blocks->used += size;

    return p;
}


im_str_t
im_daemon_copy(im_daemon_request_t *r, im_str_t s)
{
    u_char  *p;

    p = im_daemon_alloc(r, im_max(s.len, 1));
    if (p == NULL) {
        return im_str_set(NULL, 0);
    }

    if (s.len != 0) {
        im_copy(p, s.data, s.len);
    }

    return im_str_set(p, s.len);
}


static void
im_daemon_buf_cleanup(void *data)
{
    im_buf_cleanup(data);
}


im_buf_t *
im_daemon_buf(im_daemon_request_t *r, size_t max)
{
    im_buf_t  *b;

    b = im_daemon_alloc(r, sizeof(im_buf_t));

    if (b == NULL || im_daemon_cleanup(r, im_daemon_buf_cleanup, b) != IM_OK) {
        return &r->failed;
    }

    im_buf_init(b, max);

    return b;
}


im_int_t
im_daemon_cleanup(im_daemon_request_t *r, im_daemon_cleanup_pt fn, void *data)
{
    im_daemon_cleanup_t  *cleanup;

    cleanup = im_daemon_alloc(r, sizeof(im_daemon_cleanup_t));
    if (cleanup == NULL) {
        fn(data);
        return IM_ERROR;
    }

    cleanup->fn = fn;
    cleanup->data = data;
    cleanup->next = r->cleanups;

    r->cleanups = cleanup;

    return IM_OK;
}


void
im_daemon_end(im_daemon_request_t *r)
{
    im_daemon_block_t  *block;

    while (r->cleanups != NULL) {
        r->cleanups->fn(r->cleanups->data);
        r->cleanups = r->cleanups->next;
    }

    while (r->blocks != NULL) {
        block = r->blocks;
        r->blocks = block->next;
        im_free(block);
    }

    r->allocated = 0;
    r->failed.failed = 0;
}


void
im_daemon_headers(const im_daemon_request_t *r,
    void (*fn)(void *data, const char *name, const char *value), void *data)
{
    char                       retry[24];
    const im_daemon_header_t  *h;

    fn(data, "Content-Type", r->form != NULL ? r->form : "application/json");

    if (r->allow != NULL) {
        fn(data, "Allow", r->allow);
    }

    if (r->cookie != NULL) {
        fn(data, "Set-Cookie", r->cookie);
    }

    if (r->retry != 0) {
        (void) snprintf(retry, sizeof(retry), "%u", (unsigned) r->retry);
        fn(data, "Retry-After", retry);
    }

    for (h = r->headers; h != NULL && h->name != NULL; h++) {
        fn(data, h->name, h->value);
    }
}


const char *
im_daemon_status(im_uint_t status)
{
    im_uint_t  i;

    for (i = 0; im_daemon_statuses[i].status != 0; i++) {
        if (im_daemon_statuses[i].status == status) {
            break;
        }
    }

    return im_daemon_statuses[i].reason;
}


int
im_daemon_near(const im_daemon_request_t *r)
{
    char             text[INET6_ADDRSTRLEN];
    struct in_addr   in;
    struct in6_addr  in6;

    if (r->internal || r->address.len == 0) {
        return 1;
    }

    if (r->address.len >= sizeof(text)) {
        return 0;
    }

    im_copy(text, r->address.data, r->address.len);
    text[r->address.len] = '\0';

    if (inet_pton(AF_INET, text, &in) == 1) {
        return ntohl(in.s_addr) >> 24 == 127;
    }

    return inet_pton(AF_INET6, text, &in6) == 1
           && (IN6_IS_ADDR_LOOPBACK(&in6)
               || (IN6_IS_ADDR_V4MAPPED(&in6) && in6.s6_addr[12] == 127));
}
