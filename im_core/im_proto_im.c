/*
 * Copyright (C) The im authors
 *
 * The im protocol: a first frame in, JSON text frames out.  A client that sends
 * its position, or asks for positions, gets positions with the messages.
 */

#include <stdlib.h>

#include "im_proto.h"
#include "im_json.h"
#include "im_key.h"


#define IM_PROTO_IM_MAX_FIRST  16384
#define IM_PROTO_IM_MAX_TOKEN  8192
#define IM_PROTO_IM_NO_ROOM    -1
#define IM_PROTO_IM_RESUMES    3           /* room, inbox, broadcast */
#define IM_PROTO_IM_NO_NUMBER  INT64_MIN
#define IM_PROTO_IM_JSON       (IM_JSON_ANY_CASE|IM_JSON_NULLS)

#define IM_PROTO_IM_BAD_SEQ    "seq must be an integer from 0 on"
#define IM_PROTO_IM_BAD_LAST   "last must be an integer from 1 to 300"

#define IM_PROTO_IM_OP_USER    2
#define IM_PROTO_IM_OP_ROOM    3
#define IM_PROTO_IM_OP_INFO    4
#define IM_PROTO_IM_OP_AT      7


typedef struct {
    im_str_t  auth;
    int64_t   room;
    im_str_t  name;          /* of the room, instead of a number */
    int64_t   seq;
    im_str_t  epoch;
    int64_t   last;
    im_str_t  inbox;
    im_str_t  broadcast;
} im_proto_im_first_t;


/* How a topic begins; seq and last may be IM_PROTO_IM_NO_NUMBER. */
typedef struct {
    int64_t   seq;
    im_str_t  epoch;
    int64_t   last;
} im_proto_im_position_t;


typedef struct {
    im_str_t  to;            /* JSON */
} im_proto_im_tags_t;


typedef struct {
    int64_t   code;
    im_str_t  msg;
} im_proto_im_payload_t;


static const im_json_field_t  im_proto_im_first_fields[] = {
    im_json_row_as(im_proto_im_first_t, STRING, "Auth", auth),
    im_json_row_as(im_proto_im_first_t, INT, "RoomId", room),
    im_json_row_as(im_proto_im_first_t, STRING, "Room", name),
    im_json_row_as(im_proto_im_first_t, INT, "Seq", seq),
    im_json_row_as(im_proto_im_first_t, STRING, "Epoch", epoch),
    im_json_row_as(im_proto_im_first_t, INT, "Last", last),
    im_json_row_as(im_proto_im_first_t, OBJECT, "Inbox", inbox),
    im_json_row_as(im_proto_im_first_t, OBJECT, "Broadcast", broadcast),
    im_json_end
};


static const im_json_field_t  im_proto_im_position_fields[] = {
    im_json_row_as(im_proto_im_position_t, INT, "Seq", seq),
    im_json_row_as(im_proto_im_position_t, STRING, "Epoch", epoch),
    im_json_row_as(im_proto_im_position_t, INT, "Last", last),
    im_json_end
};


#define im_proto_im_wrong(type, name, cure)                                   \
    { { im_json_row_as(im_proto_im_first_t, type, name, auth), im_json_end }, \
      cure }


/* Each member alone: which one has the wrong type? */
static const struct {
    im_json_field_t  fields[2];
    const char      *why;
} im_proto_im_wrongs[] = {
    im_proto_im_wrong(STRING, "Auth", "auth must be a string"),
    im_proto_im_wrong(INT, "RoomId", "roomId must be a 32-bit integer"),
    im_proto_im_wrong(STRING, "Room", "room must be a string"),
    im_proto_im_wrong(INT, "Seq", IM_PROTO_IM_BAD_SEQ),
    im_proto_im_wrong(STRING, "Epoch", "epoch must be a string"),
    im_proto_im_wrong(INT, "Last", IM_PROTO_IM_BAD_LAST),
    im_proto_im_wrong(OBJECT, "Inbox", "inbox must be an object"),
    im_proto_im_wrong(OBJECT, "Broadcast", "broadcast must be an object")
};

#define IM_PROTO_IM_WRONGS                                                    \
    (sizeof(im_proto_im_wrongs) / sizeof(im_proto_im_wrongs[0]))


static const im_json_field_t  im_proto_im_tags_fields[] = {
    im_json_row(im_proto_im_tags_t, RAW, to),
    im_json_end
};


static const im_json_field_t  im_proto_im_payload_fields[] = {
    im_json_row(im_proto_im_payload_t, INT, code),
    im_json_row(im_proto_im_payload_t, RAW, msg),
    im_json_end
};


/*
 * A message that stands in the inbox of its sender is a copy of what the user
 * "to" of its tags got.
 */
static im_int_t
im_proto_im_copy(const im_message_t *m, im_str_t *to)
{
    im_str_t              owner;
    const char           *why;
    im_proto_im_tags_t    tags;
    const im_envelope_t  *e;

    e = m->envelope;

    if (e->tags.len == 0 || m->topic.len < 2 || m->topic.data[0] != 'u') {
        return IM_DECLINED;
    }

    owner = im_str_set(m->topic.data + 2, m->topic.len - 2);
    memset(&tags, 0, sizeof(im_proto_im_tags_t));
    why = NULL;

    if (!im_str_eq(owner, e->user)
        || im_json_decode(e->tags, im_proto_im_tags_fields, IM_JSON_LAX, NULL,
                          &tags, &why)
           != IM_OK)
    {
        return why == im_json_no_memory ? IM_ERROR : IM_DECLINED;
    }

    if (tags.to.len == 0 || tags.to.data[0] != '"') {
        return IM_DECLINED;
    }

    *to = tags.to;

    return IM_OK;
}


static void
im_proto_im_add_msg(im_buf_t *b, int64_t code, im_str_t msg)
{
    im_buf_add_z(b, "{\"code\":");
    im_buf_add_int(b, code);
    im_buf_add_z(b, ",\"msg\":");
    im_buf_add_str(b, msg);
}


/* Invalid JSON must not break the frame: it is sent as a string. */
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


/* {"code":..,"msg":.. */
static void
im_proto_im_add_payload(im_buf_t *b, const im_envelope_t *e)
{
    if (e->type == IM_PUSH_JSON) {
        im_proto_im_add_json(b, e->data);
        return;
    }

    im_buf_add_z(b, "{\"code\":0,\"msg\":");
    im_push_add_value(b, e->type, e->data);
}


static void
im_proto_im_add_position(im_buf_t *b, uint64_t seq, im_str_t epoch)
{
    im_buf_add_z(b, ",\"seq\":");
    im_buf_add_uint(b, seq);
    im_buf_add_z(b, ",\"epoch\":");
    im_json_add_string(b, epoch);
}


/* What clients that ask for positions get besides; copies are for them. */
static void
im_proto_im_add_more(im_buf_t *b, const im_message_t *m, im_str_t to)
{
    const im_envelope_t  *e;

    e = m->envelope;

    if (to.len > 0) {
        im_buf_add_z(b, ",\"tuid\":");
        im_buf_add_str(b, to);

        if (e->session.len > 0) {
            im_buf_add_z(b, ",\"session\":");
            im_json_add_string(b, e->session);
        }
    }

    if (m->numbered) {
        im_proto_im_add_position(b, m->seq, m->epoch);
    }

    if (m->topic.len > 0 && m->topic.data[0] == 'b') {
        im_buf_add_z(b, ",\"broadcast\":true");
    }

    if (e->time > 0) {
        im_buf_add_z(b, ",\"time\":");
        im_buf_add_uint(b, e->time);
    }
}


static void
im_proto_im_add_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m, im_uint_t positions)
{
    size_t                start;
    im_int_t              rc;
    im_str_t              to;
    const im_envelope_t  *e;

    e = m->envelope;
    to = im_str_set(NULL, 0);
    rc = im_proto_im_copy(m, &to);

    if (rc == IM_ERROR) {
        b->failed = 1;
    }

    if (rc == IM_OK && !positions) {
        return;
    }

    start = im_frame_start(b, transport);

    im_proto_im_add_payload(b, e);

    im_buf_add_z(b, ",\"fuid\":");
    im_json_add_string(b, e->user);
    im_buf_add_z(b, ",\"fname\":");
    im_json_add_string(b, e->name);
    im_buf_add_z(b, ",\"op\":");
    im_buf_add_int(b, m->topic.len > 0 && m->topic.data[0] == 'u'
                      ? IM_PROTO_IM_OP_USER : IM_PROTO_IM_OP_ROOM);

    if (positions) {
        im_proto_im_add_more(b, m, to);
    }

    im_buf_add_z(b, "}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


static void
im_proto_im_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    im_proto_im_add_message(b, transport, m, 0);
}


/* Only a name that a roomId of a client gives: not "01" or "+1". */
static int32_t
im_proto_im_room_id(im_str_t room)
{
    size_t    minus;
    im_str_t  digits;
    uint64_t  n;

    minus = room.len > 0 && room.data[0] == '-';
    digits = im_str_set(room.data + minus, room.len - minus);

    if (im_decimal_decode(digits, &n) != IM_OK || n > INT32_MAX + minus
        || (digits.data[0] == '0' && room.len > 1))
    {
        return IM_PROTO_IM_NO_ROOM;
    }

    return (int32_t) (minus ? -(int64_t) n : (int64_t) n);
}


/* One whose name is not the decimal of an int32 has its name, too. */
static void
im_proto_im_room_info(im_buf_t *b, const im_transport_t *transport,
    const im_room_info_t *info)
{
    size_t     start;
    int32_t    id;
    im_uint_t  i;

    id = im_proto_im_room_id(info->room);
    start = im_frame_start(b, transport);

    im_buf_add_z(b, "{\"op\":");
    im_buf_add_int(b, IM_PROTO_IM_OP_INFO);
    im_buf_add_z(b, ",\"roomId\":");
    im_buf_add_int(b, id);

    if (id == IM_PROTO_IM_NO_ROOM) {
        im_buf_add_z(b, ",\"room\":");
        im_json_add_string(b, info->room);
    }

    im_buf_add_z(b, ",\"count\":");
    im_buf_add_uint(b, info->count);
    im_buf_add_z(b, ",\"roomUserInfo\":{");

    for (i = 0; i < info->n; i++) {
        im_buf_add_z(b, i == 0 ? "" : ",");
        im_json_add_string(b, info->users[i].user);
        im_buf_add_z(b, ":");
        im_json_add_string(b, info->users[i].name);
    }

    im_buf_add_z(b, "}}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


static const im_form_t  im_proto_im_plain = {
    .message = im_proto_im_message,
    .room_info = im_proto_im_room_info
};


static void
im_proto_im_message_at(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    im_proto_im_add_message(b, transport, m, 1);
}


/* session: the client's own, or "". */
static void
im_proto_im_add_at(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub, im_str_t session)
{
    size_t    start;
    im_str_t  room;

    start = im_frame_start(b, transport);

    im_buf_add_z(b, "{\"op\":");
    im_buf_add_int(b, IM_PROTO_IM_OP_AT);

    switch (sub->topic.len > 0 ? sub->topic.data[0] : 'r') {

    case 'u':
        im_buf_add_z(b, ",\"inbox\":true");

        if (session.len > 0) {
            im_buf_add_z(b, ",\"session\":");
            im_json_add_string(b, session);
        }

        break;

    case 'b':
        im_buf_add_z(b, ",\"broadcast\":true");
        break;

    default:
        room = sub->topic.len < 2 ? sub->topic
                                  : im_str_set(sub->topic.data + 2,
                                               sub->topic.len - 2);
        im_buf_add_z(b, ",\"roomId\":");
        im_buf_add_int(b, im_proto_im_room_id(room));
        im_buf_add_z(b, ",\"room\":");
        im_json_add_string(b, room);
        break;
    }

    im_proto_im_add_position(b, sub->at.seq, sub->at.epoch);

    im_buf_add_z(b, ",\"recovered\":");
    im_buf_add_z(b, sub->recovering && !sub->recovered ? "false}" : "true}");

    im_frame_end(b, transport, start, IM_KIND_TEXT);
}


static im_int_t
im_proto_im_moved(im_buf_t *b, const im_transport_t *transport,
    const im_subscribed_t *sub)
{
    im_proto_im_add_at(b, transport, sub, im_str_z(""));

    return IM_OK;
}


static const im_form_t  im_proto_im_positioned = {
    .message = im_proto_im_message_at,
    .moved = im_proto_im_moved,
    .room_info = im_proto_im_room_info
};


static void
im_proto_im_fault(im_command_t *command, im_reason_e fault, const char *why)
{
    command->type = IM_COMMAND_FAULT;
    command->fault = fault;
    command->why = why;
}


/*
 * Without a number and an epoch, the client starts here, or with the last
 * messages.
 */
static im_int_t
im_proto_im_resume(im_str_t topic, const im_proto_im_position_t *position,
    im_command_t *command)
{
    im_resume_t  *resume;

    if (position->seq < 0 && position->seq != IM_PROTO_IM_NO_NUMBER) {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST, IM_PROTO_IM_BAD_SEQ);
        return IM_ERROR;
    }

    if (position->last != IM_PROTO_IM_NO_NUMBER
        && (position->last < 1 || position->last > IM_HISTORY_MAX))
    {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST,
                          IM_PROTO_IM_BAD_LAST);
        return IM_ERROR;
    }

    resume = &command->resumes[command->nresumes];

    memset(resume, 0, sizeof(im_resume_t));

    resume->topic = topic;
    resume->since.seq = (uint64_t) im_max(position->seq, 0);
    resume->since.epoch = position->epoch;
    resume->recover = position->seq > 0 || position->epoch.len > 0;
    resume->last = (uint16_t) im_max(position->last, 0);

    if (topic.len > 0 && (resume->recover || resume->last > 0)) {
        command->nresumes++;
    }

    return IM_OK;
}


static im_int_t
im_proto_im_position(im_str_t text, im_str_t topic, im_buf_t *arena,
    im_command_t *command)
{
    const char              *why;
    im_proto_im_position_t   position;

    if (text.len == 0) {
        return IM_OK;
    }

    memset(&position, 0, sizeof(im_proto_im_position_t));
    position.seq = IM_PROTO_IM_NO_NUMBER;
    position.last = IM_PROTO_IM_NO_NUMBER;
    why = NULL;

    if (im_json_decode(text, im_proto_im_position_fields, IM_PROTO_IM_JSON,
                       arena, &position, &why)
        != IM_OK
        && why == im_json_no_memory)
    {
        im_proto_im_fault(command, IM_REASON_INTERNAL, why);
        return IM_ERROR;
    }

    if (why != NULL) {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST,
                          "inbox and broadcast have seq, an integer from 0 "
                          "on, epoch, a string, and last, an integer from 1 "
                          "to 300");
        return IM_ERROR;
    }

    return im_proto_im_resume(topic, &position, command);
}


/*
 * Our extension: with one of its fields, the client gets positions.  IM_ERROR:
 * the command is a fault.
 */
static im_int_t
im_proto_im_positions(im_proto_im_first_t *first, im_buf_t *arena,
    im_command_t *command)
{
    size_t                   pad;
    u_char                  *p;
    im_str_t                 room;
    im_proto_im_position_t   position;

    if (first->seq == IM_PROTO_IM_NO_NUMBER && first->epoch.data == NULL
        && first->last == IM_PROTO_IM_NO_NUMBER
        && first->inbox.len == 0 && first->broadcast.len == 0)
    {
        return IM_OK;
    }

    command->positions = 1;
    command->begins = 1;

    pad = -arena->len & (sizeof(void *) - 1);

    p = im_buf_reserve(arena, pad + IM_PROTO_IM_RESUMES * sizeof(im_resume_t));
    if (p == NULL) {
        im_proto_im_fault(command, IM_REASON_INTERNAL, im_json_no_memory);
        return IM_ERROR;
    }

    command->resumes = (void *) (p + pad);

    room = im_str_set(NULL, 0);

    if (command->room.len > 0) {
        room = im_str_set(command->room.data - 2, command->room.len + 2);
    }

    position.seq = first->seq;
    position.epoch = first->epoch;
    position.last = first->last;

    if (im_proto_im_resume(room, &position, command) != IM_OK) {
        return IM_ERROR;
    }

    if (im_proto_im_position(first->inbox, im_str_z("u:"), arena, command)
        != IM_OK)
    {
        return IM_ERROR;
    }

    return im_proto_im_position(first->broadcast, im_str_z("b"), arena,
                                command);
}


/* Why a first frame is refused. */
static void
im_proto_im_refuse(im_str_t message, im_buf_t *arena, im_command_t *command,
    const char *why)
{
    im_uint_t            i;
    im_proto_im_first_t  any;

    if (why == im_json_no_memory) {
        im_proto_im_fault(command, IM_REASON_INTERNAL, why);
        return;
    }

    im_proto_im_fault(command, IM_REASON_BAD_REQUEST,
                      "first frame is not a JSON object");

    if (im_json_decode(message, im_proto_im_first_fields,
                       IM_PROTO_IM_JSON|IM_JSON_LAX, arena, &any, &why)
        != IM_OK)
    {
        return;
    }

    for (i = 0; i < IM_PROTO_IM_WRONGS; i++) {
        im_buf_reset(arena, arena->size);

        if (im_json_decode(message, im_proto_im_wrongs[i].fields,
                           IM_PROTO_IM_JSON, arena, &any, &why)
            != IM_OK)
        {
            command->why = im_proto_im_wrongs[i].why;
            return;
        }
    }
}


/* By its name or its number, or none. */
static void
im_proto_im_room(const im_proto_im_first_t *first, im_buf_t *arena,
    im_command_t *command)
{
    size_t  len;

    if (first->name.len == 0 && first->room == IM_PROTO_IM_NO_ROOM) {
        return;
    }

    len = arena->len;
    im_buf_add_z(arena, "r:");

    if (first->name.len > 0) {
        im_buf_add_str(arena, first->name);

    } else {
        im_buf_add_int(arena, first->room);
    }

    command->room = im_str_set(arena->data + len + 2, arena->len - len - 2);
}


static void
im_proto_im_first(im_str_t message, im_buf_t *arena, im_command_t *command)
{
    size_t                len;
    const char           *why;
    im_proto_im_first_t   first;

    if (message.len > IM_PROTO_IM_MAX_FIRST) {
        im_proto_im_fault(command, IM_REASON_TOO_BIG,
                          "first frame is too long");
        return;
    }

    /* reserve all at once, so that nothing of the command moves */
    len = message.len + sizeof("r:") + IM_NAME_MAX
          + (IM_PROTO_IM_RESUMES + 1) * sizeof(im_resume_t);

    if (im_buf_reserve(arena, len) == NULL) {
        im_proto_im_fault(command, IM_REASON_INTERNAL, im_json_no_memory);
        return;
    }

    arena->len -= len;

    memset(&first, 0, sizeof(im_proto_im_first_t));
    first.seq = IM_PROTO_IM_NO_NUMBER;
    first.last = IM_PROTO_IM_NO_NUMBER;

    if (im_json_decode(message, im_proto_im_first_fields, IM_PROTO_IM_JSON,
                       arena, &first, &why)
        != IM_OK)
    {
        im_proto_im_refuse(message, arena, command, why);
        return;
    }

    if (first.auth.len > IM_PROTO_IM_MAX_TOKEN) {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST, "auth is too long");
        return;
    }

    if (first.room < INT32_MIN || first.room > INT32_MAX) {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST,
                          "roomId must be a 32-bit integer");
        return;
    }

    if (first.name.len > IM_NAME_MAX) {
        im_proto_im_fault(command, IM_REASON_BAD_REQUEST, "room is too long");
        return;
    }

    command->type = IM_COMMAND_CONNECT;
    command->token = first.auth;

    im_proto_im_room(&first, arena, command);
    (void) im_proto_im_positions(&first, arena, command);
}


static void
im_proto_im_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    memset(command, 0, sizeof(im_command_t));

    /* later frames have no meaning */
    if (!connected) {
        im_proto_im_first(*rest, arena, command);
    }

    rest->len = 0;
}


/* Sends the position in each topic, and the messages after it. */
static void
im_proto_im_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    im_uint_t               i, k;
    const im_subscribed_t  *sub;

    for (i = 0; i < reply->nsubs; i++) {
        sub = &reply->subs[i];

        im_proto_im_add_at(b, transport, sub, reply->session);

        for (k = 0; k < sub->nmessages; k++) {
            im_proto_im_add_message(b, transport, &sub->messages[k], 1);
        }
    }
}


const im_proto_t  im_proto_im = {
    .name = "im",
    .transports = IM_TRANSPORT_WEBSOCKET,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .forms = { [IM_FORM_PLAIN] = &im_proto_im_plain,
               [IM_FORM_POSITIONS] = &im_proto_im_positioned,
               [IM_FORM_JOINS] = &im_proto_im_plain },
    .topics = 1,
    .connects = 1,
    .guests = 1,
    .decode = im_proto_im_decode,
    .reply = im_proto_im_reply
};
