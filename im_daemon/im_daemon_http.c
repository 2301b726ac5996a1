/*
 * Copyright (C) The im authors
 *
 * HTTP/1.1 (RFC 9112), the server's side of one connection.
 */

#include <strings.h>

#include "im_daemon_http.h"


#define IM_HTTP_KEPT         4096
#define IM_HTTP_MAX_LINE     256       /* of a chunk */
#define IM_HTTP_MAX_TRAILER  4096


/* What headers say of the body. */
typedef struct {
    im_uint_t  n;             /* headers */
    im_uint_t  hosts;
    im_uint_t  codings;
    im_uint_t  lengths;
    im_str_t   coding;
    im_str_t   length;
} im_daemon_http_head_t;


void
im_daemon_http_init(im_daemon_http_t *h, size_t max_body)
{
    memset(h, 0, sizeof(im_daemon_http_t));

    h->max_body = max_body;

    im_buf_init(&h->head, IM_HTTP_MAX_HEAD);
    im_buf_init(&h->line, IM_HTTP_MAX_TRAILER);
    im_buf_init(&h->body, max_body);
}


void
im_daemon_http_cleanup(im_daemon_http_t *h)
{
    im_buf_cleanup(&h->head);
    im_buf_cleanup(&h->line);
    im_buf_cleanup(&h->body);
}


void
im_daemon_http_next(im_daemon_http_t *h)
{
    im_buf_reset(&h->head, IM_HTTP_KEPT);
    im_buf_reset(&h->line, IM_HTTP_MAX_LINE);
    im_buf_reset(&h->body, IM_HTTP_KEPT);

    h->at = 0;
    h->trailer = 0;
    h->left = 0;
    h->state = IM_HTTP_HEAD;
    h->fault = 0;
    h->parsed = 0;
    h->keep = 0;
    h->expects = 0;
}


int
im_daemon_http_idle(const im_daemon_http_t *h)
{
    return h->state == IM_HTTP_HEAD && h->head.len == 0;
}


static void
im_daemon_http_fail(im_daemon_http_t *h, im_uint_t fault, const char *why)
{
    h->fault = fault;
    h->why = why;
    h->keep = 0;
    h->expects = 0;
    h->state = IM_HTTP_DONE;
}


static int
im_daemon_http_token(im_str_t s)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];

        if (c <= 0x20 || c >= 0x7f
            || strchr("\"(),/:;<=>?@[\\]{}", c) != NULL)
        {
            return 0;
        }
    }

    return s.len != 0;
}


static int
im_daemon_http_is(im_str_t s, const char *z)
{
    size_t  len;

    len = strlen(z);

    return s.len == len && strncasecmp((char *) s.data, z, len) == 0;
}


static im_str_t
im_daemon_http_trim(im_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


/* A list with commas between has the word. */
static int
im_daemon_http_has(im_str_t list, const char *word)
{
    size_t  len;
    u_char  *p;

    while (list.len != 0) {
        p = im_str_chr(list, ',');
        len = p != NULL ? (size_t) (p - list.data) : list.len;

        if (im_daemon_http_is(im_daemon_http_trim(im_str_set(list.data, len)),
                              word))
        {
            return 1;
        }

        len += p != NULL;
        list.data += len;
        list.len -= len;
    }

    return 0;
}


/* NULL, or why a complete line of the head can't be one. */
static const char *
im_daemon_http_line(im_str_t line)
{
    size_t  i;

    if (line.len < 2 || line.data[line.len - 2] != '\r') {
        return "a line of the request doesn't end in CRLF";
    }

    for (i = 0; i < line.len - 2; i++) {
        if ((line.data[i] < 0x20 && line.data[i] != '\t')
            || line.data[i] == 0x7f)
        {
            return "a line of the request has a control character";
        }
    }

    return NULL;
}


/* "http://HOST/PATH" as well as "/PATH". */
static im_int_t
im_daemon_http_target(im_daemon_http_t *h)
{
    size_t    n;
    im_str_t  target;

    target = h->target;
    h->host = im_str_set(NULL, 0);

    if (target.len != 0 && target.data[0] == '/') {
        return IM_OK;
    }

    n = target.len > 7 && strncasecmp((char *) target.data, "http://", 7) == 0
        ? 7 : target.len > 8
              && strncasecmp((char *) target.data, "https://", 8) == 0 ? 8 : 0;

    if (n == 0) {
        return IM_ERROR;
    }

    target.data += n;
    target.len -= n;

    for (n = 0; n < target.len; n++) {
        if (target.data[n] == '/' || target.data[n] == '?') {
            break;
        }
    }

    h->host = im_str_set(target.data, n);
    h->target = im_str_set(target.data + n, target.len - n);

    return n != 0 && h->target.len != 0 && h->target.data[0] == '/'
           ? IM_OK : IM_ERROR;
}


static im_int_t
im_daemon_http_request_line(im_daemon_http_t *h, im_str_t line)
{
    u_char    *space, *last;
    im_str_t   version;

    line.len -= 2;
    space = im_str_chr(line, ' ');
    last = space != NULL ? memrchr(line.data, ' ', line.len) : NULL;

    if (last == NULL || last == space) {
        im_daemon_http_fail(h, 400, "the request line isn't METHOD TARGET "
                            "HTTP/1.1");
        return IM_ERROR;
    }

    h->method = im_str_set(line.data, (size_t) (space - line.data));
    h->target = im_str_set(space + 1, (size_t) (last - space - 1));
    version = im_str_set(last + 1, (size_t) (line.data + line.len - last - 1));

    if (version.len != 8 || memcmp(version.data, "HTTP/", 5) != 0
        || version.data[5] < '0' || version.data[5] > '9'
        || version.data[6] != '.'
        || version.data[7] < '0' || version.data[7] > '9')
    {
        im_daemon_http_fail(h, 400, "the request line isn't METHOD TARGET "
                            "HTTP/1.1");
        return IM_ERROR;
    }

    if (version.data[5] != '1') {
        im_daemon_http_fail(h, 505, "this is HTTP/1.1");
        return IM_ERROR;
    }

    h->minor = version.data[7] != '0';

    if (!im_daemon_http_token(h->method)
        || im_str_chr(h->target, ' ') != NULL
        || im_str_chr(h->target, '\t') != NULL
        || im_daemon_http_target(h) != IM_OK)
    {
        im_daemon_http_fail(h, 400, "method or target are malformed");
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_daemon_http_header(const im_daemon_http_t *h, size_t *at, im_str_t *name,
    im_str_t *value)
{
    u_char    *end, *colon;
    im_str_t   line;

    *at = im_max(*at, h->headers);

    if (*at + 2 >= h->head.len) {
        return IM_DECLINED;
    }

    line = im_str_set(h->head.data + *at, h->head.len - *at);
    end = im_str_chr(line, '\n');
    line.len = (size_t) (end - line.data) - 1;
    *at += line.len + 2;

    colon = im_str_chr(line, ':');

    if (colon == NULL) {
        *name = line;
        *value = im_str_set(NULL, 0);
        return IM_OK;
    }

    *name = im_str_set(line.data, (size_t) (colon - line.data));
    *value = im_daemon_http_trim(im_str_set(colon + 1, line.len - name->len
                                            - 1));

    return IM_OK;
}


/* NULL, or why the header can't be one. */
static const char *
im_daemon_http_head_add(im_daemon_http_t *h, im_daemon_http_head_t *head,
    im_str_t name, im_str_t value)
{
    head->n++;

    if (value.data == NULL || !im_daemon_http_token(name)) {
        return name.len != 0 && (name.data[0] == ' ' || name.data[0] == '\t')
               ? "a header is folded" : "the name of a header is malformed";
    }

    if (im_daemon_http_is(name, "Host")) {
        head->hosts++;

    } else if (im_daemon_http_is(name, "Content-Length")) {
        head->lengths++;
        head->length = value;

    } else if (im_daemon_http_is(name, "Transfer-Encoding")) {
        head->codings++;
        head->coding = value;

    } else if (im_daemon_http_is(name, "Connection")) {
        h->keep = h->keep && !im_daemon_http_has(value, "close");

    } else if (im_daemon_http_is(name, "Expect")) {
        if (!im_daemon_http_is(value, "100-continue")) {
            return "an Expect that is not 100-continue";
        }

        h->expects = h->minor;
    }

    return NULL;
}


/* How long the body is.  The status of a fault, or 0. */
static im_uint_t
im_daemon_http_framing(im_daemon_http_t *h, const im_daemon_http_head_t *head,
    const char **why)
{
    size_t    i;
    uint64_t  n;

    if (head->codings != 0) {
        *why = "Transfer-Encoding beside Content-Length, twice, or in HTTP/1.0";

        if (head->lengths != 0 || head->codings != 1 || !h->minor) {
            return 400;
        }

        *why = "the Transfer-Encoding is not chunked";

        if (!im_daemon_http_is(head->coding, "chunked")) {
            return 501;
        }

        h->state = IM_HTTP_CHUNK;

        return 0;
    }

    if (head->lengths == 0) {
        h->state = IM_HTTP_DONE;
        return 0;
    }

    *why = "Content-Length is not one number";

    if (head->lengths != 1 || head->length.len == 0) {
        return 400;
    }

    for (i = 0, n = 0; i < head->length.len; i++) {
        if (head->length.data[i] < '0' || head->length.data[i] > '9') {
            return 400;
        }

        if (n <= h->max_body) {
            n = n * 10 + head->length.data[i] - '0';
        }
    }

    h->left = n;
    h->state = n != 0 ? IM_HTTP_BODY : IM_HTTP_DONE;

    return 0;
}


/* The head is complete. */
static void
im_daemon_http_parse(im_daemon_http_t *h)
{
    size_t                 at;
    im_str_t               name, value;
    im_uint_t              status, fault;
    const char            *why;
    im_daemon_http_head_t  head;

    memset(&head, 0, sizeof(im_daemon_http_head_t));

    at = 0;
    h->keep = h->minor;

    while (im_daemon_http_header(h, &at, &name, &value) == IM_OK) {
        why = im_daemon_http_head_add(h, &head, name, value);

        if (why != NULL) {
            status = im_daemon_http_is(name, "Expect") ? 417 : 400;
            im_daemon_http_fail(h, status, why);
            return;
        }
    }

    if (head.n > IM_HTTP_MAX_HEADERS) {
        im_daemon_http_fail(h, 431, "the request has too many headers");
        return;
    }

    if (head.hosts > 1 || (head.hosts == 0 && h->minor)) {
        im_daemon_http_fail(h, 400, "a request has one Host header");
        return;
    }

    fault = im_daemon_http_framing(h, &head, &why);

    if (fault != 0) {
        im_daemon_http_fail(h, fault, why);
        return;
    }

    h->parsed = 1;

    if (h->state == IM_HTTP_DONE) {
        h->expects = 0;

    } else if (h->state == IM_HTTP_BODY && h->left > h->max_body) {
        im_daemon_http_fail(h, 413, "the body is too large");
    }
}


/* Takes bytes up to a line's end into b.  IM_OK: the line is complete. */
static im_int_t
im_daemon_http_take(im_buf_t *b, const u_char **p, const u_char *end)
{
    size_t         len;
    const u_char  *nl;

    nl = memchr(*p, '\n', (size_t) (end - *p));
    len = (size_t) ((nl != NULL ? nl + 1 : end) - *p);

    im_buf_add(b, *p, len);
    *p += len;

    return nl != NULL ? IM_OK : IM_AGAIN;
}


static void
im_daemon_http_head(im_daemon_http_t *h, const u_char **p, const u_char *end)
{
    im_int_t     rc;
    im_str_t     line;
    const char  *why;

    rc = im_daemon_http_take(&h->head, p, end);

    if (h->head.failed) {
        im_daemon_http_fail(h, 431, "the head of the request is too large");
        return;
    }

    if (rc != IM_OK) {
        return;
    }

    line = im_str_set(h->head.data + h->at, h->head.len - h->at);
    why = im_daemon_http_line(line);

    if (why != NULL) {
        im_daemon_http_fail(h, 400, why);
        return;
    }

    if (h->at == 0) {

        /* an empty line behind the last request is no fault */
        if (line.len == 2) {
            im_buf_reset(&h->head, IM_HTTP_KEPT);
            return;
        }

        if (im_daemon_http_request_line(h, line) != IM_OK) {
            return;
        }

        h->headers = line.len;
    }

    h->at = h->head.len;

    if (line.len == 2) {
        /* the buffer doesn't move any more */
        (void) im_daemon_http_request_line(h, im_str_set(h->head.data,
                                                         h->headers));
        im_daemon_http_parse(h);
    }
}


static void
im_daemon_http_body(im_daemon_http_t *h, const u_char **p, const u_char *end)
{
    size_t  n;

    n = (size_t) im_min((uint64_t) (end - *p), h->left);

    im_buf_add(&h->body, *p, n);
    *p += n;
    h->left -= n;

    if (h->body.failed) {
        im_daemon_http_fail(h, 503, "no memory");

    } else if (h->left == 0) {
        h->state = h->state == IM_HTTP_BODY ? IM_HTTP_DONE : IM_HTTP_CHUNK_END;
    }
}


/* "SIZE[;EXTENSION]" */
static void
im_daemon_http_chunk(im_daemon_http_t *h, im_str_t line)
{
    int       hex;
    size_t    i;
    u_char    c;
    uint64_t  n;

    n = 0;

    for (i = 0; i < line.len - 2; i++) {
        c = line.data[i];
        hex = c >= '0' && c <= '9' ? c - '0'
              : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
              : -1;

        if (hex == -1) {
            break;
        }

        if (n <= h->max_body) {
            n = n << 4 | (uint64_t) hex;
        }
    }

    if (i == 0 || (i < line.len - 2 && line.data[i] != ';')) {
        im_daemon_http_fail(h, 400, "the size of a chunk is malformed");

    } else if (n > h->max_body - h->body.len) {
        im_daemon_http_fail(h, 413, "the body is too large");

    } else {
        h->left = n;
        h->state = n != 0 ? IM_HTTP_CHUNK_DATA : IM_HTTP_TRAILER;
    }
}


/* A line of the body's framing. */
static void
im_daemon_http_frame(im_daemon_http_t *h, const u_char **p, const u_char *end)
{
    im_int_t     rc;
    im_str_t     line;
    const char  *why;

    rc = im_daemon_http_take(&h->line, p, end);
    line = im_buf_str(&h->line);

    if (h->line.failed
        || (h->state != IM_HTTP_TRAILER && line.len > IM_HTTP_MAX_LINE)
        || h->trailer + line.len > IM_HTTP_MAX_TRAILER)
    {
        im_daemon_http_fail(h, 400, "a chunk's line or the trailer is too "
                            "long");
        return;
    }

    if (rc != IM_OK) {
        return;
    }

    why = im_daemon_http_line(line);

    if (why == NULL && h->state == IM_HTTP_CHUNK_END && line.len != 2) {
        why = "a chunk is longer than its size";
    }

    if (why != NULL) {
        im_daemon_http_fail(h, 400, why);

    } else if (h->state == IM_HTTP_CHUNK) {
        im_daemon_http_chunk(h, line);

    } else if (h->state == IM_HTTP_CHUNK_END) {
        h->state = IM_HTTP_CHUNK;

    } else if (line.len == 2) {
        h->state = IM_HTTP_DONE;

    } else {
        h->trailer += line.len;
    }

    im_buf_reset(&h->line, IM_HTTP_MAX_LINE);
}


im_int_t
im_daemon_http_decode(im_daemon_http_t *h, const u_char **p, const u_char *end)
{
    while (h->state != IM_HTTP_DONE) {

        if (*p == end) {
            return IM_AGAIN;
        }

        switch (h->state) {

        case IM_HTTP_HEAD:
            im_daemon_http_head(h, p, end);
            break;

        case IM_HTTP_BODY:
        case IM_HTTP_CHUNK_DATA:
            im_daemon_http_body(h, p, end);
            break;

        default:
            im_daemon_http_frame(h, p, end);
        }
    }

    return IM_OK;
}
