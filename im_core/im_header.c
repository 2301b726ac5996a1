/*
 * Copyright (C) The im authors
 *
 * Values of HTTP headers.
 */

#include "im_header.h"

#include <strings.h>


im_str_t
im_header_trim(im_str_t s)
{
    while (s.len > 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len > 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


int
im_header_next(im_str_t *list, im_str_t *item)
{
    u_char  *last;

    if (list->len == 0) {
        return 0;
    }

    last = memchr(list->data, ',', list->len);

    if (last == NULL) {
        *item = im_header_trim(*list);
        list->len = 0;
        return 1;
    }

    *item = im_header_trim(im_str_set(list->data, last - list->data));

    list->len -= last + 1 - list->data;
    list->data = last + 1;

    return 1;
}


int
im_header_lists(im_str_t value, im_str_t element)
{
    im_str_t  item;

    while (im_header_next(&value, &item)) {
        if (item.len == element.len
            && strncasecmp((const char *) item.data,
                           (const char *) element.data, item.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
im_header_reader(im_header_reader_t *r, im_str_t value)
{
    r->p = value.data;
    r->end = value.data + value.len;
}


static void
im_header_blanks(im_header_reader_t *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t')) {
        r->p++;
    }
}


/* The next byte, after blanks, is c: it is read. */
static int
im_header_byte(im_header_reader_t *r, u_char c)
{
    im_header_blanks(r);

    if (r->p < r->end && *r->p == c) {
        r->p++;
        return 1;
    }

    return 0;
}


static int
im_header_tchar(u_char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}


static int
im_header_token(im_header_reader_t *r, im_str_t *token)
{
    const u_char  *start;

    im_header_blanks(r);
    start = r->p;

    while (r->p < r->end && im_header_tchar(*r->p)) {
        r->p++;
    }

    *token = im_str_set(start, r->p - start);

    return token->len > 0;
}


/* What stands in quotes must be a token. */
static int
im_header_quoted(im_header_reader_t *r, im_header_param_t *param)
{
    size_t  n;

    for (n = 0; r->p < r->end && *r->p != '"'; n++) {
        if (*r->p == '\\' && r->p + 1 < r->end) {
            r->p++;
        }

        if (!im_header_tchar(*r->p)) {
            return 0;
        }

        if (n < sizeof(param->bytes)) {
            param->bytes[n] = *r->p;
        }

        r->p++;
    }

    param->value = im_str_set(param->bytes, im_min(n, sizeof(param->bytes)));

    return n > 0 && im_header_byte(r, '"');
}


im_int_t
im_header_extension(im_header_reader_t *r, im_str_t *name)
{
    while (im_header_byte(r, ',')) { /* void */ }

    if (r->p == r->end) {
        return IM_DECLINED;
    }

    return im_header_token(r, name) ? IM_OK : IM_ERROR;
}


im_int_t
im_header_param(im_header_reader_t *r, im_header_param_t *param)
{
    param->value = im_str_set(NULL, 0);

    if (!im_header_byte(r, ';')) {
        im_header_blanks(r);

        return r->p == r->end || *r->p == ',' ? IM_DECLINED : IM_ERROR;
    }

    if (!im_header_token(r, &param->name)) {
        return IM_ERROR;
    }

    if (!im_header_byte(r, '=')) {
        return IM_OK;
    }

    return (im_header_byte(r, '"') ? im_header_quoted(r, param)
                                   : im_header_token(r, &param->value))
           ? IM_OK : IM_ERROR;
}


int
im_header_extensions(im_str_t value)
{
    im_int_t            rc;
    im_str_t            name;
    im_header_param_t   param;
    im_header_reader_t  r;

    im_header_reader(&r, value);

    for ( ;; ) {
        rc = im_header_extension(&r, &name);

        if (rc != IM_OK) {
            return rc == IM_DECLINED;
        }

        do {
            rc = im_header_param(&r, &param);
        } while (rc == IM_OK);

        if (rc == IM_ERROR) {
            return 0;
        }
    }
}
