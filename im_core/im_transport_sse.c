/*
 * Copyright (C) The im authors
 *
 * Server-sent events as a transport (HTML standard, section 9.2): what an
 * EventSource reads.
 *
 * The body begins with a line feed, so that the headers arrive at once.  A
 * carriage return there makes the npm package eventsource 2 hold the first
 * event back until the next one comes.
 *
 * A message is an event.  Each of its lines goes into a line of "data", and the
 * client joins them again, by a line feed.  Carriage returns end lines too.
 */

#include "im_transport.h"


#define IM_SSE_DATA     "data: "
#define IM_SSE_HEADER   (sizeof(IM_SSE_DATA) - 1)
#define IM_SSE_NEXT     "\n" IM_SSE_DATA
#define IM_SSE_NEXT_LEN (sizeof(IM_SSE_NEXT) - 1)
#define IM_SSE_END      "\n\n"


/* The bytes of the line end that stands before end; 0: there is none. */
static size_t
im_transport_sse_eol(const u_char *start, const u_char *end)
{
    if (end == start || (end[-1] != '\n' && end[-1] != '\r')) {
        return 0;
    }

    return end[-1] == '\n' && end - start > 1 && end[-2] == '\r' ? 2 : 1;
}


/* How much longer the text becomes. */
static size_t
im_transport_sse_more(const u_char *start, const u_char *end)
{
    size_t         more, eol;
    const u_char  *p;

    more = 0;

    for (p = end; p > start; p -= eol > 0 ? eol : 1) {
        eol = im_transport_sse_eol(start, p);

        if (eol > 0) {
            more += IM_SSE_NEXT_LEN - eol;
        }
    }

    return more;
}


/* From the end on, so that no byte is overwritten before it is moved. */
static void
im_transport_sse_lines(u_char *start, u_char *end, u_char *dst)
{
    size_t   eol;
    u_char  *p;

    p = end;

    while (p > start && dst > p) {
        eol = im_transport_sse_eol(start, p);

        if (eol > 0) {
            p -= eol;
            dst -= IM_SSE_NEXT_LEN;
            im_copy(dst, IM_SSE_NEXT, IM_SSE_NEXT_LEN);

        } else {
            *--dst = *--p;
        }
    }
}


static void
im_transport_sse_frame(im_buf_t *b, size_t start, im_kind_e kind)
{
    size_t   len, more;
    u_char  *text;

    len = b->len - start - IM_SSE_HEADER;
    more = im_transport_sse_more(b->data + start + IM_SSE_HEADER,
                                 b->data + b->len);

    if (im_buf_reserve(b, more + 2) == NULL) {
        return;
    }

    im_copy(b->data + start, IM_SSE_DATA, IM_SSE_HEADER);

    text = b->data + start + IM_SSE_HEADER;

    if (more > 0) {
        im_transport_sse_lines(text, text + len, text + len + more);
    }

    im_copy(text + len + more, IM_SSE_END, sizeof(IM_SSE_END) - 1);
}


/* A value with a line end or a NUL would say something else. */
static void
im_transport_sse_field(im_buf_t *b, const char *name, im_str_t value)
{
    if (value.len == 0 || im_str_chr(value, '\n') != NULL
        || im_str_chr(value, '\r') != NULL || im_str_chr(value, '\0') != NULL)
    {
        return;
    }

    im_buf_add_z(b, name);
    im_buf_add_str(b, value);
    im_buf_add_z(b, "\n");
}


static void
im_transport_sse_fields(im_buf_t *b, const im_fields_t *fields)
{
    im_transport_sse_field(b, "id: ", fields->id);
    im_transport_sse_field(b, "event: ", fields->event);

    if (fields->retry > 0) {
        im_buf_add_z(b, "retry: ");
        im_buf_add_uint(b, fields->retry);
        im_buf_add_z(b, "\n");
    }

    if (fields->alone) {
        im_buf_add_z(b, "\n");
    }
}


/* A comment. */
static void
im_transport_sse_ping(im_buf_t *b)
{
    im_buf_add_z(b, ":\n\n");
}


const im_transport_t  im_transport_sse = {
    .name = "sse",
    .kind = IM_TRANSPORT_SSE,
    .codes = im_transport_codes,
    .header = IM_SSE_HEADER,
    .type = "text/event-stream; charset=utf-8",
    .begin = "\n",
    .args = 1,
    .frame = im_transport_sse_frame,
    .fields = im_transport_sse_fields,
    .ping = im_transport_sse_ping
};
