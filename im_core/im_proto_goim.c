/*
 * Copyright (C) The im authors
 *
 * The goim protocol: packets of a header and a body, both ways.
 *
 *   packet: i32 length of all, i16 length of the header (16), i16 version,
 *           i32 operation, i32 sequence, body
 *
 * Integers are big-endian.  A request is answered by a packet that has its
 * version and sequence.  A push is a packet too; where the transport bounds
 * messages, each of them is a packet of operation 9 with pushes in its body.
 */

#include "im_proto.h"
#include "im_accept.h"
#include "im_json.h"
#include "im_key.h"


#define IM_GOIM_HEADER    16
#define IM_GOIM_MAX       (4096 + IM_GOIM_HEADER)
#define IM_GOIM_VERSION   1          /* of pushes */
#define IM_GOIM_LISTED    2048       /* numbers of the longest list */
#define IM_GOIM_PING      240        /* s */
#define IM_GOIM_PONG      480        /* s */


/* An answer has the next number. */
typedef enum {
    IM_GOIM_HEARTBEAT = 2,
    IM_GOIM_AUTH = 7,
    IM_GOIM_RAW = 9,                 /* pushes */
    IM_GOIM_ROOM = 12,
    IM_GOIM_SUB = 14,
    IM_GOIM_UNSUB = 16
} im_goim_op_e;


typedef struct {
    uint16_t           version;
    int32_t            op;
    uint32_t           seq;
    im_str_t           body;
} im_goim_packet_t;


/* The body of AUTH. */
typedef struct {
    int64_t            mid;
    im_str_t           key;
    im_str_t           room;
    im_str_t           token;
    im_json_strings_t  accepts;
} im_goim_auth_t;


typedef void (*im_goim_pt)(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command);


static const im_json_field_t  im_goim_auth_fields[] = {
    im_json_row(im_goim_auth_t, INT, mid),
    im_json_row(im_goim_auth_t, STRING, key),
    im_json_row_as(im_goim_auth_t, STRING, "room_id", room),
    im_json_row(im_goim_auth_t, STRING, token),
    im_json_row(im_goim_auth_t, RAWS, accepts),
    im_json_end
};


static void
im_goim_fault(im_command_t *command, im_reason_e fault, const char *why)
{
    command->type = IM_COMMAND_FAULT;
    command->fault = fault;
    command->why = why;
}


/* A packet of pushes and answers: the header, and how long its body is. */
static void
im_goim_header(im_buf_t *b, size_t body, uint16_t version, int32_t op,
    uint32_t seq)
{
    im_buf_add_u32(b, IM_GOIM_HEADER + body);
    im_buf_add_u16(b, IM_GOIM_HEADER);
    im_buf_add_u16(b, version);
    im_buf_add_u32(b, (uint32_t) op);
    im_buf_add_u32(b, seq);
}


/* more: bytes of the body that follow when it is sent */
static void
im_goim_answer(const im_goim_packet_t *packet, int32_t op, im_str_t body,
    size_t more, im_buf_t *arena, im_command_t *command)
{
    size_t  start;

    start = arena->len;

    im_goim_header(arena, body.len + more, packet->version, op, packet->seq);
    im_buf_add_str(arena, body);

    command->answer = im_str_set(arena->data + start, arena->len - start);
}


/*
 * One packet and nothing else.  A length below that of the header stands for a
 * packet without a body.
 */
static const char *
im_goim_packet(im_str_t message, im_goim_packet_t *packet)
{
    int32_t      length;
    uint16_t     header;
    im_reader_t  reader;

    if (message.len < IM_GOIM_HEADER) {
        return "packet is shorter than its header";
    }

    if (message.len > IM_GOIM_MAX) {
        return "packet is too long";
    }

    im_reader_init(&reader, message);

    length = (int32_t) im_reader_u32(&reader);
    header = im_reader_u16(&reader);

    packet->version = im_reader_u16(&reader);
    packet->op = (int32_t) im_reader_u32(&reader);
    packet->seq = im_reader_u32(&reader);
    packet->body = im_str_set(message.data + IM_GOIM_HEADER,
                              message.len - IM_GOIM_HEADER);

    if (header != IM_GOIM_HEADER) {
        return "header of the packet is not of 16 bytes";
    }

    if ((size_t) im_max(length, IM_GOIM_HEADER) != message.len) {
        return "packet has another length than its header says";
    }

    return NULL;
}


/* IM_DECLINED: not an integer of 32 bits. */
static im_int_t
im_goim_int(im_str_t s, int32_t *n)
{
    size_t    sign;
    uint64_t  value;

    sign = s.len > 0 && (s.data[0] == '-' || s.data[0] == '+');

    if (im_decimal_decode(im_str_set(s.data + sign, s.len - sign), &value)
        != IM_OK)
    {
        return IM_DECLINED;
    }

    if (sign && s.data[0] == '-') {
        *n = (int32_t) -(int64_t) value;
        return value <= (uint64_t) INT32_MAX + 1 ? IM_OK : IM_DECLINED;
    }

    *n = (int32_t) value;

    return value <= INT32_MAX ? IM_OK : IM_DECLINED;
}


/* Room for n numbers; NULL: no memory. */
static int32_t *
im_goim_ops(im_buf_t *arena, size_t n)
{
    size_t   pad;
    u_char  *p;

    pad = -arena->len & (sizeof(int32_t) - 1);
    p = im_buf_reserve(arena, pad + n * sizeof(int32_t));

    return p == NULL ? NULL : (void *) (p + pad);
}


static im_int_t
im_goim_accepts(const im_json_strings_t *list, im_buf_t *arena,
    im_command_t *command)
{
    int32_t    *ops;
    im_uint_t   i;

    ops = im_goim_ops(arena, list->n);

    if (ops == NULL) {
        im_goim_fault(command, IM_REASON_BUSY, im_json_no_memory);
        return IM_ERROR;
    }

    for (i = 0; i < list->n; i++) {
        if (im_goim_int(list->elts[i], &ops[i]) != IM_OK) {
            im_goim_fault(command, IM_REASON_BAD_REQUEST,
                          "accepts is not a list of 32-bit integers");
            return IM_ERROR;
        }
    }

    command->ops = ops;
    command->nops = list->n;

    return IM_OK;
}


static void
im_goim_connect(const im_goim_packet_t *packet, const im_goim_auth_t *auth,
    im_buf_t *arena, im_command_t *command)
{
    size_t  start;

    if (auth->key.len > 0 && !im_name_valid(auth->key)) {
        im_goim_fault(command, IM_REASON_BAD_REQUEST, "key is not valid");
        return;
    }

    if (im_goim_accepts(&auth->accepts, arena, command) != IM_OK) {
        return;
    }

    command->type = IM_COMMAND_CONNECT;
    command->token = auth->token.len > 0 ? auth->token : packet->body;
    command->room = auth->room;
    command->key = auth->key;

    if (auth->mid > 0) {
        start = arena->len;
        im_buf_add_int(arena, auth->mid);
        command->user = im_str_set(arena->data + start, arena->len - start);
    }

    im_goim_answer(packet, IM_GOIM_AUTH + 1, im_str_set(NULL, 0), 0, arena,
                   command);
}


static void
im_goim_auth(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command)
{
    const char      *why;
    im_goim_auth_t   auth;

    memset(&auth, 0, sizeof(im_goim_auth_t));
    auth.accepts.max = IM_ACCEPT_OPS;

    if (im_json_decode(packet->body, im_goim_auth_fields,
                       IM_JSON_ANY_CASE|IM_JSON_NULLS, arena, &auth, &why)
        != IM_OK)
    {
        im_goim_fault(command, why == im_json_no_memory
                                   ? IM_REASON_BUSY : IM_REASON_BAD_REQUEST,
                      why);
        return;
    }

    im_goim_connect(packet, &auth, arena, command);
    im_json_strings_free(&auth.accepts);
}


static void
im_goim_heartbeat(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command)
{
    command->type = IM_COMMAND_COUNT;

    im_goim_answer(packet, IM_GOIM_HEARTBEAT + 1, im_str_set(NULL, 0),
                   sizeof(uint32_t), arena, command);
}


static void
im_goim_room(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command)
{
    command->type = IM_COMMAND_MOVE;
    command->room = packet->body;

    im_goim_answer(packet, IM_GOIM_ROOM + 1, packet->body, 0, arena, command);
}


/* "1000,1001"; IM_DECLINED: another list, which counts as an empty one. */
static im_int_t
im_goim_list(im_str_t list, im_buf_t *arena, im_command_t *command)
{
    u_char     *comma;
    int32_t    *ops;
    im_str_t    item;
    im_uint_t   n;

    n = 0;
    ops = im_goim_ops(arena, IM_GOIM_LISTED + 1);

    while (ops != NULL && list.len > 0) {
        comma = im_str_chr(list, ',');
        item = list;

        if (comma != NULL) {
            item.len = (size_t) (comma - list.data);
        }

        if (im_goim_int(item, &ops[n++]) != IM_OK) {
            return IM_DECLINED;
        }

        list = im_str_set(item.data + item.len, list.len - item.len);

        if (comma == NULL) {
            break;
        }

        list = im_str_set(comma + 1, list.len - 1);

        if (list.len == 0) {
            return IM_DECLINED;
        }
    }

    command->ops = ops;
    command->nops = n;

    return IM_OK;
}


static void
im_goim_sub(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command)
{
    command->type = packet->op == IM_GOIM_SUB ? IM_COMMAND_ACCEPT
                                              : IM_COMMAND_REJECT;

    if (im_goim_list(packet->body, arena, command) != IM_OK) {
        command->type = IM_COMMAND_ANSWER;
    }

    im_goim_answer(packet, packet->op + 1, packet->body, 0, arena, command);
}


static void
im_goim_other(const im_goim_packet_t *packet, im_buf_t *arena,
    im_command_t *command)
{
    command->type = IM_COMMAND_ANSWER;

    im_goim_answer(packet, packet->op, im_str_set(NULL, 0), 0, arena, command);
}


static im_goim_pt
im_goim_handler(int32_t op)
{
    size_t  i;

    static const struct {
        int32_t     op;
        im_goim_pt  handler;
    } handlers[] = {
        { IM_GOIM_HEARTBEAT, im_goim_heartbeat },
        { IM_GOIM_ROOM, im_goim_room },
        { IM_GOIM_SUB, im_goim_sub },
        { IM_GOIM_UNSUB, im_goim_sub }
    };

    for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++) {
        if (handlers[i].op == op) {
            return handlers[i].handler;
        }
    }

    return im_goim_other;
}


static void
im_goim_decode(im_str_t *rest, int connected, im_buf_t *arena,
    im_command_t *command)
{
    size_t             len;
    const char        *why;
    im_goim_packet_t   packet;

    memset(command, 0, sizeof(im_command_t));

    why = im_goim_packet(*rest, &packet);
    len = rest->len;
    rest->len = 0;

    if (why != NULL) {
        im_goim_fault(command, IM_REASON_BAD_REQUEST, why);
        return;
    }

    /* before it is known, nothing else of a client counts */

    if (!connected && packet.op != IM_GOIM_AUTH) {
        return;
    }

    /* all at once, so that nothing moves */

    len = 3 * len + (IM_GOIM_LISTED + IM_ACCEPT_OPS + 4) * sizeof(int32_t);

    if (im_buf_reserve(arena, len) == NULL) {
        im_goim_fault(command, IM_REASON_BUSY, im_json_no_memory);
        return;
    }

    arena->len -= len;

    if (connected) {
        im_goim_handler(packet.op)(&packet, arena, command);

    } else {
        im_goim_auth(&packet, arena, command);
    }
}


/* An answer was made with its command; the count is known only now. */
static void
im_goim_reply(im_buf_t *b, const im_transport_t *transport,
    const im_reply_t *reply)
{
    size_t            start;
    im_str_t          answer;
    im_goim_packet_t  packet;

    answer = reply->type == IM_REPLY_SUBSCRIBE ? reply->subs->data
                                               : reply->data;

    switch (reply->type) {

    case IM_REPLY_CONNECT:
    case IM_REPLY_SUBSCRIBE:
    case IM_REPLY_ANSWER:
    case IM_REPLY_COUNT:
        break;

    default:
        return;
    }

    /* of a packet with pushes a stream has only these: here there are none */

    if (answer.len == 0
        || (transport->bare && im_goim_packet(answer, &packet) == NULL
            && packet.op == IM_GOIM_RAW))
    {
        return;
    }

    start = im_frame_start(b, transport);
    im_buf_add_str(b, answer);

    if (reply->type == IM_REPLY_COUNT) {
        im_buf_add_u32(b, im_min(reply->nclients, INT32_MAX));
    }

    im_frame_end(b, transport, start, IM_KIND_BINARY);
}


static void
im_goim_message(im_buf_t *b, const im_transport_t *transport,
    const im_message_t *m)
{
    size_t                start;
    const im_envelope_t  *e;

    e = m->envelope;
    start = im_frame_start(b, transport);

    if (!transport->bare) {
        im_goim_header(b, IM_GOIM_HEADER + e->data.len, IM_GOIM_VERSION,
                       IM_GOIM_RAW, 0);
    }

    im_goim_header(b, e->data.len, IM_GOIM_VERSION, e->operation, 0);
    im_buf_add_str(b, e->data);

    im_frame_end(b, transport, start, IM_KIND_BINARY);
}


static const im_form_t  im_goim_form = {
    .message = im_goim_message
};


const im_proto_t  im_proto_goim = {
    .name = "goim",
    .transports = IM_TRANSPORT_WEBSOCKET|IM_TRANSPORT_TCP,
    .usual = IM_TRANSPORT_WEBSOCKET,
    .forms = { [IM_FORM_PLAIN] = &im_goim_form,
               [IM_FORM_POSITIONS] = &im_goim_form,
               [IM_FORM_JOINS] = &im_goim_form },
    .claim = "mid",
    .max_message = IM_GOIM_MAX,
    .ping = IM_GOIM_PING,
    .pong = IM_GOIM_PONG,
    .topics = 1,
    .connects = 1,
    .guests = 1,
    .decode = im_goim_decode,
    .reply = im_goim_reply
};
