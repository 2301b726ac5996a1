/*
 * Copyright (C) The im authors
 *
 * The im protocol: any first frame, and any payload framed.
 */

#include <stdlib.h>

#include "im_proto.h"
#include "im_json.h"
#include "im_ws.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_first(im_str_t message);
static void fuzz_push(im_str_t data, im_push_data_e type);
static void fuzz_copy(im_str_t tags);
static void fuzz_room_info(im_str_t s);
static void fuzz_frame(im_buf_t *b);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_str_t  s;

    s = im_str_set(data, size);

    fuzz_first(s);
    fuzz_push(s, IM_PUSH_JSON);
    fuzz_push(s, IM_PUSH_TEXT);
    fuzz_push(s, IM_PUSH_BINARY);
    fuzz_copy(s);
    fuzz_room_info(s);

    return 0;
}


static void
fuzz_first(im_str_t message)
{
    im_buf_t      arena;
    im_command_t  c;

    im_buf_init(&arena, 1 << 20);
    im_proto_im.decode(&message, 0, &arena, &c);

    if (c.type == IM_COMMAND_CONNECT) {
        if (c.token.len > 255 || c.room.len > 253
            || c.nresumes > 3) {
            abort();
        }

    } else if (c.type != IM_COMMAND_FAULT || c.why == NULL) {
        abort();
    }

    im_buf_cleanup(&arena);
}


static void
fuzz_push(im_str_t data, im_push_data_e type)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = (uint8_t) type;
    e.data = data;
    e.user = data;
    e.name = data;

    memset(&m, 0, sizeof(im_message_t));
    m.topic = data;
    m.envelope = &e;

    im_buf_init(&b, 1 << 24);
    im_proto_im.forms[IM_FORM_PLAIN]->message(&b, &im_transport_ws, &m);
    fuzz_frame(&b);
}


/* A message that its sender has in the inbox, whatever its tags are. */
static void
fuzz_copy(im_str_t tags)
{
    im_buf_t       b;
    im_message_t   m;
    im_envelope_t  e;

    memset(&e, 0, sizeof(im_envelope_t));
    e.type = IM_PUSH_TEXT;
    e.user = im_str_z("u1");
    e.session = tags;
    e.tags = tags;
    e.time = tags.len;

    memset(&m, 0, sizeof(im_message_t));
    m.topic = im_str_z("u:u1");
    m.epoch = tags;
    m.numbered = 1;
    m.envelope = &e;

    im_buf_init(&b, 1 << 24);
    im_proto_im.forms[IM_FORM_POSITIONS]->message(&b, &im_transport_ws, &m);
    fuzz_frame(&b);
}


static void
fuzz_room_info(im_str_t s)
{
    size_t          i;
    im_buf_t        b;
    im_room_info_t  info;
    im_member_t  members[8];

    for (i = 0; i < 8; i++) {
        members[i].user = im_str_set(s.data, im_min(i % 5, s.len));
        members[i].name = s;
    }

    im_buf_init(&b, 1 << 24);

    info.room = s;
    info.count = s.len;
    info.users = members;
    info.n = 8;

    im_proto_im.forms[IM_FORM_PLAIN]->room_info(&b, &im_transport_ws, &info);
    fuzz_frame(&b);
}


/* One frame of valid JSON, whatever was put in. */
static void
fuzz_frame(im_buf_t *b)
{
    size_t  header;

    if (b->failed || b->len < 2) {
        abort();
    }

    header = b->data[1] < 126 ? 2 : b->data[1] == 126 ? 4 : 10;

    if (!im_json_valid(im_str_set(b->data + header, b->len - header))) {
        abort();
    }

    im_buf_cleanup(b);
}
