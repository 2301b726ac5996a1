/*
 * Copyright (C) The im authors
 *
 * The im protocol: a first frame in, JSON text frames out.
 */

#include <stdlib.h>

#include "im_proto.h"
#include "im_json.h"
#include "im_ws.h"


#define IM_PROTO_IM_MAX_FIRST  16384
#define IM_PROTO_IM_MAX_TOKEN  255
#define IM_PROTO_IM_NO_ROOM    -1
#define IM_PROTO_IM_ROOM_LEN   11          /* of "-2147483648" */

#define IM_PROTO_IM_OP_USER    2
#define IM_PROTO_IM_OP_ROOM    3
#define IM_PROTO_IM_OP_INFO    4


typedef struct {
    im_str_t  auth;
    int64_t   room;
} im_proto_im_first_t;


typedef struct {
    int64_t   code;
    im_str_t  msg;
} im_proto_im_payload_t;


static void im_proto_im_add_payload(im_buf_t *b, const im_envelope_t *e);
static void im_proto_im_add_json(im_buf_t *b, im_str_t data);
static void im_proto_im_add_msg(im_buf_t *b, int64_t code, im_str_t msg);
static void im_proto_im_add_base64(im_buf_t *b, im_str_t data);
static size_t im_proto_im_frame_start(im_buf_t *b);
static void im_proto_im_frame_end(im_buf_t *b, size_t start);

static void im_proto_im_first(im_str_t message, im_buf_t *arena,
    im_command_t *command);
static void im_proto_im_fault(im_command_t *command, uint16_t code,
    const char *reason);

static void im_proto_im_add_members(im_buf_t *b, const im_member_t **sorted,
    im_uint_t n);
static int im_proto_im_compare(const void *a, const void *b);
static int im_proto_im_compare_users(im_str_t a, im_str_t b);
static int32_t im_proto_im_room_id(im_str_t room);


static const im_json_field_t  im_proto_im_first_fields[] = {
    { im_str("Auth"), IM_JSON_STRING, offsetof(im_proto_im_first_t, auth) },
    { im_str("RoomId"), IM_JSON_INT, offsetof(im_proto_im_first_t, room) },
    im_json_end
};


static const im_json_field_t  im_proto_im_payload_fields[] = {
    { im_str("code"), IM_JSON_INT, offsetof(im_proto_im_payload_t, code) },
    { im_str("msg"), IM_JSON_RAW, offsetof(im_proto_im_payload_t, msg) },
    im_json_end
};


void
im_proto_im_encode(im_buf_t *b, const im_message_t *m)
{
    size_t                start;
    const im_envelope_t  *e;

    e = m->envelope;
    start = im_proto_im_frame_start(b);

    im_proto_im_add_payload(b, e);

    im_buf_add_z(b, ",\"fuid\":");
    im_json_add_string(b, e->user);
    im_buf_add_z(b, ",\"fname\":");
    im_json_add_string(b, e->name);
    im_buf_add_z(b, ",\"op\":");
    im_buf_add_int(b, m->topic.len > 0 && m->topic.data[0] == 'u'
                      ? IM_PROTO_IM_OP_USER : IM_PROTO_IM_OP_ROOM);
    im_buf_add_z(b, "}");

    im_proto_im_frame_end(b, start);
}


/* {"code":..,"msg":.. */
static void
im_proto_im_add_payload(im_buf_t *b, const im_envelope_t *e)
{
    if (e->type == IM_PUSH_JSON) {
        im_proto_im_add_json(b, e->data);
        return;
    }

    im_buf_add_z(b, "{\"code\":0,\"msg\":");

    if (e->type == IM_PUSH_BINARY) {
        im_proto_im_add_base64(b, e->data);

    } else {
        im_json_add_string(b, e->data);
    }
}


/* What claims to be JSON and isn't must not break the frame: it is a string. */
static void
im_proto_im_add_json(im_buf_t *b, im_str_t data)
{
    im_int_t                rc;
    const char             *why;
    im_proto_im_payload_t   payload;

    memset(&payload, 0, sizeof(im_proto_im_payload_t));

    if (im_json_decode(data, im_proto_im_payload_fields, IM_JSON_LAX, NULL,
                       &payload, &why)
        == IM_OK)
    {
        if (payload.msg.data == NULL) {
            im_proto_im_add_msg(b, 0, data);

        } else {
            im_proto_im_add_msg(b, payload.code, payload.msg);
        }

        return;
    }

    rc = why == im_json_no_memory ? IM_ERROR : im_json_check(data);

    if (rc == IM_ERROR) {
        b->failed = 1;
        return;
    }

    if (rc == IM_OK) {
        im_proto_im_add_msg(b, 0, data);
        return;
    }

    im_buf_add_z(b, "{\"code\":0,\"msg\":");
    im_json_add_string(b, data);
}


static void
im_proto_im_add_msg(im_buf_t *b, int64_t code, im_str_t msg)
{
    im_buf_add_z(b, "{\"code\":");
    im_buf_add_int(b, code);
    im_buf_add_z(b, ",\"msg\":");
    im_buf_add_str(b, msg);
}


static void
im_proto_im_add_base64(im_buf_t *b, im_str_t data)
{
    size_t     i, n;
    u_char    *p;
    uint32_t   bits;

    static const char  digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";

    im_buf_add_z(b, "\"");

    p = im_buf_reserve(b, (data.len + 2) / 3 * 4);
    if (p == NULL) {
        return;
    }

    for (i = 0; i < data.len; i += 3) {
        n = im_min(data.len - i, 3);

        bits = (uint32_t) data.data[i] << 16;
        bits |= n > 1 ? (uint32_t) data.data[i + 1] << 8 : 0;
        bits |= n > 2 ? data.data[i + 2] : 0;

        *p++ = (u_char) digits[bits >> 18];
        *p++ = (u_char) digits[bits >> 12 & 0x3f];
        *p++ = (u_char) (n > 1 ? digits[bits >> 6 & 0x3f] : '=');
        *p++ = (u_char) (n > 2 ? digits[bits & 0x3f] : '=');
    }

    im_buf_add_z(b, "\"");
}


/* Leaves room for the longest header: the length is known at the end only. */
static size_t
im_proto_im_frame_start(im_buf_t *b)
{
    size_t  start;

    start = b->len;
    (void) im_buf_reserve(b, IM_WS_MAX_HEADER);

    return start;
}


static void
im_proto_im_frame_end(im_buf_t *b, size_t start)
{
    size_t   len, header;
    u_char  *p;

    if (b->failed) {
        return;
    }

    p = b->data + start;
    len = b->len - start - IM_WS_MAX_HEADER;
    header = im_ws_header(p, IM_WS_TEXT, len);

    memmove(p + header, p + IM_WS_MAX_HEADER, len);
    b->len = start + header + len;
}


void
im_proto_im_decode(im_str_t *rest, uint8_t opcode, int connected,
    im_buf_t *arena, im_command_t *command)
{
    (void) opcode;

    memset(command, 0, sizeof(im_command_t));

    /* only the first frame means something */
    if (!connected) {
        im_proto_im_first(*rest, arena, command);
    }

    rest->len = 0;
}


static void
im_proto_im_first(im_str_t message, im_buf_t *arena, im_command_t *command)
{
    size_t                len;
    const char           *why;
    im_proto_im_first_t   first;

    if (message.len > IM_PROTO_IM_MAX_FIRST) {
        im_proto_im_fault(command, IM_WS_CLOSE_TOO_BIG,
                          "first frame is too long");
        return;
    }

    /* at once, so that the room's digits don't move the token */
    len = message.len + IM_PROTO_IM_ROOM_LEN;

    if (im_buf_reserve(arena, len) == NULL) {
        im_proto_im_fault(command, IM_WS_CLOSE_INTERNAL, im_json_no_memory);
        return;
    }

    arena->len -= len;

    memset(&first, 0, sizeof(im_proto_im_first_t));

    if (im_json_decode(message, im_proto_im_first_fields,
                       IM_JSON_ANY_CASE|IM_JSON_LAX, arena, &first, &why)
        != IM_OK)
    {
        if (why == im_json_no_memory) {
            im_proto_im_fault(command, IM_WS_CLOSE_INTERNAL, why);
            return;
        }

        im_proto_im_fault(command, IM_WS_CLOSE_POLICY,
                          "first frame is not a JSON object");
        return;
    }

    if (first.auth.len > IM_PROTO_IM_MAX_TOKEN) {
        im_proto_im_fault(command, IM_WS_CLOSE_POLICY, "auth is too long");
        return;
    }

    command->type = IM_COMMAND_CONNECT;
    command->token = first.auth;

    /* a number that isn't an int32 counts as a wrong type */
    if (first.room < INT32_MIN || first.room > INT32_MAX) {
        first.room = 0;
    }

    if (first.room != IM_PROTO_IM_NO_ROOM) {
        len = arena->len;
        im_buf_add_int(arena, first.room);
        command->room = im_str_set(arena->data + len, arena->len - len);
    }
}


static void
im_proto_im_fault(im_command_t *command, uint16_t code, const char *reason)
{
    command->type = IM_COMMAND_FAULT;
    command->close_code = code;
    command->reason = reason;
}


void
im_proto_im_room_info(im_buf_t *b, im_str_t room, uint64_t count,
    const im_member_t *members, im_uint_t n)
{
    size_t               start;
    im_uint_t            i;
    const im_member_t  **sorted;

    sorted = NULL;

    if (n > 0) {
        sorted = im_alloc(n * sizeof(im_member_t *));
        if (sorted == NULL) {
            b->failed = 1;
            return;
        }

        for (i = 0; i < n; i++) {
            sorted[i] = &members[i];
        }

        qsort(sorted, n, sizeof(im_member_t *), im_proto_im_compare);
    }

    start = im_proto_im_frame_start(b);

    im_buf_add_z(b, "{\"op\":");
    im_buf_add_int(b, IM_PROTO_IM_OP_INFO);
    im_buf_add_z(b, ",\"roomId\":");
    im_buf_add_int(b, im_proto_im_room_id(room));
    im_buf_add_z(b, ",\"count\":");
    im_buf_add_uint(b, count);
    im_buf_add_z(b, ",\"roomUserInfo\":{");
    im_proto_im_add_members(b, sorted, n);
    im_buf_add_z(b, "}}");

    im_proto_im_frame_end(b, start);

    im_free(sorted);
}


static void
im_proto_im_add_members(im_buf_t *b, const im_member_t **sorted, im_uint_t n)
{
    im_uint_t  i, written;

    written = 0;

    for (i = 0; i < n; i++) {
        if (i + 1 < n && im_str_eq(sorted[i]->user, sorted[i + 1]->user)) {
            continue;
        }

        if (written++ > 0) {
            im_buf_add_z(b, ",");
        }

        im_json_add_string(b, sorted[i]->user);
        im_buf_add_z(b, ":");
        im_json_add_string(b, sorted[i]->name);
    }
}


/* Equal users stay in the order in which they were given. */
static int
im_proto_im_compare(const void *a, const void *b)
{
    int                 rc;
    const im_member_t  *ma, *mb;

    ma = *(const im_member_t *const *) a;
    mb = *(const im_member_t *const *) b;

    rc = im_proto_im_compare_users(ma->user, mb->user);

    return rc != 0 ? rc : (ma > mb) - (ma < mb);
}


static int
im_proto_im_compare_users(im_str_t a, im_str_t b)
{
    int     rc;
    size_t  len;

    len = im_min(a.len, b.len);
    rc = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}


/* Only the name that a client's roomId would give: no "01", no "+1". */
static int32_t
im_proto_im_room_id(im_str_t room)
{
    size_t   i, first;
    int64_t  n;

    first = room.len > 0 && room.data[0] == '-';

    if (room.len == first || room.len > IM_PROTO_IM_ROOM_LEN
        || (room.data[first] == '0' && room.len > 1))
    {
        return IM_PROTO_IM_NO_ROOM;
    }

    n = 0;

    for (i = first; i < room.len; i++) {
        if (room.data[i] < '0' || room.data[i] > '9') {
            return IM_PROTO_IM_NO_ROOM;
        }

        n = n * 10 + (room.data[i] - '0');
    }

    n = first ? -n : n;

    return n < INT32_MIN || n > INT32_MAX ? IM_PROTO_IM_NO_ROOM : (int32_t) n;
}
