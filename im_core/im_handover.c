/*
 * Copyright (C) The im authors
 *
 * The messages of a handover but for the record of a session, and the packets
 * that they travel in.
 */

#include "im_handover.h"


#define IM_HANDOVER_MORE  0x01           /* the flag of a packet */


const char *const  im_handover_names[IM_HANDOVER_TYPES] = {
    [0] = "none",
    [IM_HANDOVER_HELLO] = "hello",
    [IM_HANDOVER_WELCOME] = "welcome",
    [IM_HANDOVER_TOPICS] = "topics",
    [IM_HANDOVER_READY] = "ready",
    [IM_HANDOVER_SESSIONS] = "sessions",
    [IM_HANDOVER_VERDICTS] = "verdicts",
    [IM_HANDOVER_LATE] = "late",
    [IM_HANDOVER_ENTRIES] = "entries",
    [IM_HANDOVER_END] = "end",
    [IM_HANDOVER_SETTLED] = "settled",
    [IM_HANDOVER_HEARD] = "heard"
};


const char *const  im_handover_verdicts[IM_HANDOVER_VERDICTS_MAX] = {
    [IM_HANDOVER_MOVED] = "moved",
    [IM_HANDOVER_AGAIN] = "again",
    [IM_HANDOVER_ELSEWHERE] = "elsewhere",
    [IM_HANDOVER_PLACE] = "place",
    [IM_HANDOVER_LIMIT] = "limit",
    [IM_HANDOVER_KEPT_OUT] = "kept_out",
    [IM_HANDOVER_RECORD] = "record"
};


/* A string behind its length in so many bytes. */
static void
im_handover_add(im_buf_t *b, im_str_t s, size_t max, size_t len)
{
    if (s.len > max) {
        b->failed = 1;
        return;
    }

    im_buf_add_be(b, s.len, len);
    im_buf_add_str(b, s);
}


/* The whole of it was read. */
static im_int_t
im_handover_end(const im_reader_t *r)
{
    return !r->failed && r->p == r->end ? IM_OK : IM_ERROR;
}


void
im_handover_hello_encode(im_buf_t *b, const im_handover_hello_t *hello)
{
    im_buf_add_u32(b, hello->version);
    im_buf_add_u32(b, hello->pid);
    im_buf_add_u32(b, hello->workers);
    im_buf_add_u64(b, hello->zone);
    im_buf_add_u64(b, hello->fence);
    im_handover_add(b, hello->worker, IM_WORKER_MAX, 2);
}


/* Of another version all but its number may be different. */
im_int_t
im_handover_hello_decode(im_str_t body, im_handover_hello_t *hello)
{
    im_reader_t  r;

    memset(hello, 0, sizeof(im_handover_hello_t));
    im_reader_init(&r, body);

    hello->version = im_reader_u32(&r);

    if (!r.failed && hello->version != IM_HANDOVER_VERSION) {
        return IM_OK;
    }

    hello->pid = im_reader_u32(&r);
    hello->workers = im_reader_u32(&r);
    hello->zone = im_reader_u64(&r);
    hello->fence = im_reader_u64(&r);
    hello->worker = im_reader_bytes(&r, im_reader_u16(&r));

    if (hello->worker.len == 0 || hello->worker.len > IM_WORKER_MAX
        || !im_text_valid(hello->worker))
    {
        return IM_ERROR;
    }

    return im_handover_end(&r);
}


static int
im_handover_topic_valid(im_str_t name)
{
    if (name.len == 1) {
        return name.data[0] == 'b';
    }

    return name.len > 2 && name.len <= IM_TOPIC_MAX && name.data[1] == ':'
           && (name.data[0] == 'r' || name.data[0] == 'u'
               || name.data[0] == 'k')
           && im_text_valid(name);
}


void
im_handover_topic_encode(im_buf_t *b, const im_handover_topic_t *topic)
{
    if (!im_handover_topic_valid(topic->name)) {
        b->failed = 1;
        return;
    }

    im_buf_add_u32(b, topic->number);
    im_handover_add(b, topic->name, IM_TOPIC_MAX, 1);
}


im_int_t
im_handover_topic_decode(im_reader_t *r, im_handover_topic_t *topic)
{
    if (r->p == r->end) {
        return IM_DECLINED;
    }

    topic->number = im_reader_u32(r);
    topic->name = im_reader_bytes(r, im_reader_u8(r));

    return !r->failed && im_handover_topic_valid(topic->name) ? IM_OK
                                                              : IM_ERROR;
}


void
im_handover_ready_encode(im_buf_t *b, const im_handover_ready_t *ready)
{
    im_buf_add_u32(b, ready->number);
    im_handover_add(b, im_str_set(ready->epoch.data, ready->epoch.len),
                    IM_EPOCH_MAX, 1);
    im_buf_add_u64(b, ready->seq);
    im_buf_add_u64(b, ready->mark);
}


im_int_t
im_handover_ready_decode(im_reader_t *r, im_handover_ready_t *ready)
{
    im_str_t  epoch;

    if (r->p == r->end) {
        return IM_DECLINED;
    }

    ready->number = im_reader_u32(r);
    epoch = im_reader_bytes(r, im_reader_u8(r));
    ready->seq = im_reader_u64(r);
    ready->mark = im_reader_u64(r);

    if (r->failed || epoch.len > IM_EPOCH_MAX) {
        return IM_ERROR;
    }

    ready->epoch.len = (uint8_t) epoch.len;
    im_copy(ready->epoch.data, epoch.data, epoch.len);

    return IM_OK;
}


void
im_handover_heard_encode(im_buf_t *b, const im_handover_heard_t *heard)
{
    im_buf_add_be(b, heard->partition, 2);
    im_buf_add_u64(b, heard->time);
}


im_int_t
im_handover_heard_decode(im_reader_t *r, im_handover_heard_t *heard)
{
    if (r->p == r->end) {
        return IM_DECLINED;
    }

    heard->partition = im_reader_u16(r);
    heard->time = im_reader_u64(r);

    return r->failed || heard->partition >= IM_PARTITIONS_MAX
           ? IM_ERROR : IM_OK;
}


void
im_handover_verdict_encode(im_buf_t *b, const im_handover_verdict_t *v)
{
    im_buf_add_u32(b, v->session);
    im_buf_add_u8(b, v->verdict);
}


im_int_t
im_handover_verdict_decode(im_reader_t *r, im_handover_verdict_t *v)
{
    if (r->p == r->end) {
        return IM_DECLINED;
    }

    v->session = im_reader_u32(r);
    v->verdict = im_reader_u8(r);

    return !r->failed && v->verdict < IM_HANDOVER_VERDICTS_MAX ? IM_OK
                                                               : IM_ERROR;
}


void
im_handover_late_encode(im_buf_t *b, const im_handover_late_t *late)
{
    im_buf_add_u32(b, late->session);
    im_buf_add_u8(b, late->closes);

    if (!late->closes) {
        im_buf_add_str(b, late->bytes);
        return;
    }

    im_buf_add_u8(b, late->reason);
    im_buf_add_u16(b, late->code);
    im_handover_add(b, late->text, IM_CONTROL_MAX, 2);
    im_handover_add(b, late->why, 255, 1);
}


im_int_t
im_handover_late_decode(im_str_t body, im_handover_late_t *late)
{
    im_reader_t  r;

    memset(late, 0, sizeof(im_handover_late_t));
    im_reader_init(&r, body);

    late->session = im_reader_u32(&r);
    late->closes = im_reader_u8(&r);

    if (late->closes > 1) {
        return IM_ERROR;
    }

    if (!late->closes) {
        late->bytes = im_reader_bytes(&r, (size_t) (r.end - r.p));
        return late->bytes.len > 0 ? im_handover_end(&r) : IM_ERROR;
    }

    late->reason = im_reader_u8(&r);
    late->code = im_reader_u16(&r);
    late->text = im_reader_bytes(&r, im_reader_u16(&r));
    late->why = im_reader_bytes(&r, im_reader_u8(&r));

    if (late->reason >= IM_REASONS || late->text.len > IM_CONTROL_MAX) {
        return IM_ERROR;
    }

    return im_handover_end(&r);
}


void
im_handover_packet(im_handover_type_e type, im_str_t body, size_t at,
    size_t most, im_handover_packet_t *packet)
{
    size_t  len;

    len = im_min(body.len - at, most - IM_HANDOVER_HEADER);

    packet->more = at + len < body.len;
    packet->piece = im_str_set(body.data, len);
    packet->header[0] = (u_char) type;
    packet->header[1] = packet->more ? IM_HANDOVER_MORE : 0;

    if (len > 0) {
        packet->piece.data += at;
    }
}


/* A part of a message; the whole one is bounded before it is kept. */
static im_int_t
im_handover_input_add(im_handover_input_t *input, im_str_t piece,
    const char **why)
{
    if (piece.len > IM_HANDOVER_MAX - input->body.len) {
        *why = "a message is too long";
        return IM_ERROR;
    }

    im_buf_add_str(&input->body, piece);

    if (input->body.failed) {
        *why = "no memory";
        return IM_ERROR;
    }

    return IM_OK;
}


/* NULL: the header of a packet goes on with what came before it. */
static const char *
im_handover_input_wrong(const im_handover_input_t *input, im_str_t packet)
{
    if (packet.len < IM_HANDOVER_HEADER || packet.len > IM_HANDOVER_PACKET) {
        return "a packet has a wrong length";
    }

    if (packet.data[0] == 0 || packet.data[0] >= IM_HANDOVER_TYPES) {
        return "a packet has an unknown type";
    }

    if (packet.data[1] & ~IM_HANDOVER_MORE) {
        return "a packet has unknown flags";
    }

    if (input->type != 0 && input->type != packet.data[0]) {
        return "a message begins inside another one";
    }

    /* so that the number of packets is bounded by the length of a message */

    if ((packet.data[1] & IM_HANDOVER_MORE)
        && packet.len < IM_HANDOVER_LEAST)
    {
        return "a packet is too short, though others follow";
    }

    return NULL;
}


im_int_t
im_handover_input(im_handover_input_t *input, im_str_t packet,
    im_handover_type_e *type, im_str_t *body, const char **why)
{
    im_str_t  piece;

    /* of the message before */

    if (input->type == 0) {
        im_buf_cleanup(&input->body);
        input->body.max = IM_HANDOVER_MAX;
    }

    *why = im_handover_input_wrong(input, packet);

    if (*why != NULL) {
        return IM_ERROR;
    }

    piece = im_str_set(packet.data + IM_HANDOVER_HEADER,
                       packet.len - IM_HANDOVER_HEADER);

    if ((packet.data[1] & IM_HANDOVER_MORE) || input->type != 0) {

        if (im_handover_input_add(input, piece, why) != IM_OK) {
            return IM_ERROR;
        }

        piece = im_buf_str(&input->body);
    }

    if (packet.data[1] & IM_HANDOVER_MORE) {
        input->type = packet.data[0];
        return IM_AGAIN;
    }

    input->type = 0;
    *type = (im_handover_type_e) packet.data[0];
    *body = piece;

    return IM_OK;
}


void
im_handover_input_cleanup(im_handover_input_t *input)
{
    im_buf_cleanup(&input->body);

    input->type = 0;
}
