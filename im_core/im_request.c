/*
 * Copyright (C) The im authors
 *
 * Requests that are first messages.
 */

#include "im_request.h"
#include "im_header.h"
#include "im_key.h"
#include "im_query.h"


static const im_str_t  im_request_none = im_str("0:0");


static int
im_request_has(const im_request_t *request, im_str_t room)
{
    im_uint_t  i;

    for (i = 0; i < request->nrooms; i++) {
        if (im_str_eq(request->rooms[i], room)) {
            return 1;
        }
    }

    return 0;
}


static im_int_t
im_request_room(im_request_t *request, im_str_t item, im_uint_t max,
    im_buf_t *arena, const char **why)
{
    size_t    start;
    im_str_t  room;

    start = arena->len;

    if (im_query_percent(item, arena) != IM_OK) {
        *why = "the name of a room has a % without two hexadecimal digits";
        return IM_ERROR;
    }

    if (arena->failed) {
        *why = "no memory";
        return IM_ERROR;
    }

    room = im_str_set(arena->data + start, arena->len - start);

    if (!im_name_valid(room)) {
        *why = "the name of a room is not 1 to 253 bytes of UTF-8 without "
               "control characters";
        return IM_ERROR;
    }

    if (im_request_has(request, room)) {
        return IM_OK;
    }

    if (request->nrooms == im_min(max, IM_REQUEST_ROOMS)) {
        *why = "too many rooms";
        return IM_ERROR;
    }

    request->rooms[request->nrooms++] = room;

    return IM_OK;
}


im_int_t
im_request_rooms(im_request_t *request, im_str_t list, im_uint_t max,
    im_buf_t *arena, const char **why)
{
    im_str_t  item;

    /* at once, so that no name moves */

    if (im_buf_reserve(arena, list.len) == NULL) {
        *why = "no memory";
        return IM_ERROR;
    }

    arena->len -= list.len;

    while (im_header_next(&list, &item)) {
        if (item.len > 0
            && im_request_room(request, item, max, arena, why) != IM_OK)
        {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


im_int_t
im_request_last(im_str_t text, uint16_t *last)
{
    uint64_t  n;

    if (im_decimal_decode(text, &n) != IM_OK || n > IM_HISTORY_MAX) {
        return IM_ERROR;
    }

    *last = (uint16_t) n;

    return IM_OK;
}


void
im_request_encode(im_buf_t *b, const im_request_t *request)
{
    im_uint_t  i;

    if (request->position.len > UINT16_MAX || request->token.len > UINT16_MAX) {
        b->failed = 1;
        return;
    }

    im_buf_add_u8(b, (uint8_t) request->nrooms);

    for (i = 0; i < request->nrooms; i++) {
        im_buf_add_u8(b, (uint8_t) request->rooms[i].len);
        im_buf_add_str(b, request->rooms[i]);
    }

    im_buf_add_u16(b, (uint16_t) request->position.len);
    im_buf_add_str(b, request->position);
    im_buf_add_u16(b, request->last);
    im_buf_add_u16(b, (uint16_t) request->token.len);
    im_buf_add_str(b, request->token);
}


im_int_t
im_request_decode(im_str_t message, im_request_t *request)
{
    im_uint_t    i;
    im_reader_t  r;

    im_reader_init(&r, message);

    request->nrooms = im_reader_u8(&r);

    if (request->nrooms > IM_REQUEST_ROOMS) {
        return IM_ERROR;
    }

    for (i = 0; i < request->nrooms; i++) {
        request->rooms[i] = im_reader_bytes(&r, im_reader_u8(&r));

        if (!im_name_valid(request->rooms[i])) {
            return IM_ERROR;
        }
    }

    request->position = im_reader_bytes(&r, im_reader_u16(&r));
    request->last = im_reader_u16(&r);
    request->token = im_reader_bytes(&r, im_reader_u16(&r));

    return r.failed || r.p != r.end || request->last > IM_HISTORY_MAX
           ? IM_ERROR : IM_OK;
}


/* A topic that never had a message has no epoch: ":0" is before the first. */
static im_int_t
im_request_position(im_str_t item, im_position_t *position)
{
    if (item.data[0] == ':') {
        position->epoch = im_str_set(item.data, 0);

        return im_decimal_decode(im_str_set(item.data + 1, item.len - 1),
                                 &position->seq);
    }

    return im_position_decode(item, &position->epoch, &position->seq);
}


/* A position that can't be read is one that no topic goes on from. */
static void
im_request_since(im_str_t item, im_resume_t *resume)
{
    if (item.len == 0 || im_str_eq(item, im_str_z("-"))
        || im_str_eq(item, im_request_none))
    {
        return;
    }

    resume->recover = 1;

    if (im_request_position(item, &resume->since) != IM_OK) {
        resume->since.epoch = im_str_z("?");
        resume->since.seq = 0;
    }
}


/* "r:NAME", the inbox, the broadcast. */
static im_str_t
im_request_topic(const im_request_t *request, im_uint_t i, im_buf_t *arena)
{
    size_t  start;

    if (i == request->nrooms) {
        return im_str_z("u:");
    }

    if (i > request->nrooms) {
        return im_str_z("b");
    }

    start = arena->len;

    im_topic_room(arena, request->rooms[i]);

    return im_str_set(arena->data + start, arena->len - start);
}


void
im_request_connect(const im_request_t *request, uint32_t id, im_buf_t *arena,
    im_command_t *command)
{
    size_t        pad, len;
    u_char       *p;
    im_str_t      list, item;
    im_uint_t     i, n;
    im_resume_t  *resume;

    n = request->nrooms + 2;
    pad = -arena->len & (sizeof(void *) - 1);
    len = pad + n * sizeof(im_resume_t) + n * (2 + IM_NAME_MAX);

    p = im_buf_reserve(arena, len);

    if (p == NULL) {
        command->type = IM_COMMAND_FAULT;
        command->fault = IM_REASON_INTERNAL;
        command->why = "no memory";
        return;
    }

    arena->len -= n * (2 + IM_NAME_MAX);

    command->type = IM_COMMAND_CONNECT;
    command->id = id;
    command->token = request->token;
    command->resumes = (void *) (p + pad);
    command->nresumes = n;

    memset(command->resumes, 0, n * sizeof(im_resume_t));

    list = request->position;

    for (i = 0; i < n; i++) {
        resume = &command->resumes[i];

        resume->topic = im_request_topic(request, i, arena);
        resume->join = i < request->nrooms;
        resume->last = resume->join ? request->last : 0;

        item = im_str_set(NULL, 0);
        (void) im_header_next(&list, &item);

        im_request_since(item, resume);
    }

    while (n > 0 && !command->resumes[n - 1].join
           && !command->resumes[n - 1].recover)
    {
        command->nresumes = --n;
    }
}


void
im_request_positions(im_buf_t *b, const im_subscribed_t *topics, im_uint_t n)
{
    im_uint_t  i;

    while (n > 0 && !topics[n - 1].positioned) {
        n--;
    }

    if (n == 0) {
        im_buf_add_str(b, im_request_none);
    }

    for (i = 0; i < n; i++) {
        im_buf_add_z(b, i == 0 ? "" : ",");

        if (!topics[i].positioned) {
            im_buf_add_z(b, "-");
            continue;
        }

        im_buf_add_str(b, topics[i].at.epoch);
        im_buf_add_z(b, ":");
        im_buf_add_uint(b, topics[i].at.seq);
    }
}
