/*
 * Copyright (C) The im authors
 *
 * The record of a session: tables of its members, encoded and decoded by the
 * same rows, and what a record must be beyond the ranges of its members.
 *
 *   u32 length, then number, names of rows, members; each part that "has"
 *   names; u16 subscriptions, u8 positions of a request, u16 operations and
 *   these
 */

#include "im_handover.h"
#include "im_ask.h"
#include "im_wire.h"


#define IM_HANDOVER_SUB_LEAST  (4 + 1 + 8 + 8 + 4 + 1 + 8 + 4)    /* bytes */
#define IM_HANDOVER_DECODER    1024


typedef enum {
    IM_HANDOVER_NUMBER = 0,
    IM_HANDOVER_BYTES,       /* as many as the member has */
    IM_HANDOVER_STRING       /* behind its length */
} im_handover_kind_e;


/* A member. */
typedef struct {
    size_t              offset;
    size_t              size;
    uint64_t            max; /* the highest number, the longest string */
    im_handover_kind_e  kind;
    const char         *why;
} im_handover_field_t;


/* Members that are there if this bit is set in "has"; 0: always. */
typedef struct {
    uint8_t                    has;
    size_t                     n;
    const im_handover_field_t *fields;
} im_handover_part_t;


/* What a record must be; the text says what it isn't. */
typedef struct {
    int         (*valid)(const im_handover_session_t *s);
    const char   *why;
} im_handover_rule_t;


#define im_handover_field(kind, member, max)                                  \
    { offsetof(im_handover_session_t, member),                                \
      sizeof(((im_handover_session_t *) 0)->member), max, kind,               \
      "a wrong " #member }

#define im_handover_number(member, max)                                       \
    im_handover_field(IM_HANDOVER_NUMBER, member, max)

#define im_handover_bytes(member)                                             \
    im_handover_field(IM_HANDOVER_BYTES, member, 0)

#define im_handover_string(member, max)                                       \
    im_handover_field(IM_HANDOVER_STRING, member, max)

#define im_handover_count(a)  (sizeof(a) / sizeof((a)[0]))


static const im_handover_field_t  im_handover_all[] = {
    im_handover_string(place, 255),
    im_handover_bytes(id),
    im_handover_string(addr, 16),
    im_handover_number(phase, IM_HANDOVER_PHASES - 1),
    im_handover_number(pinged, 7),
    im_handover_number(pong_due, 1),
    im_handover_number(positions, 1),
    im_handover_number(failed, 1),
    im_handover_number(prepaid, 1),
    im_handover_number(credit, 1),
    im_handover_number(nbad, UINT8_MAX),
    im_handover_number(mark, 2),
    im_handover_number(nrooms, UINT16_MAX),
    im_handover_number(nnew, UINT16_MAX),
    im_handover_number(new_time, UINT32_MAX),
    im_handover_number(start, UINT32_MAX),
    im_handover_number(bytes_in, ((uint64_t) 1 << 48) - 1),
    im_handover_number(bytes_out, ((uint64_t) 1 << 48) - 1),
    im_handover_number(commands, UINT64_MAX),
    im_handover_number(flow, UINT32_MAX),
    im_handover_number(frames, UINT32_MAX),
    im_handover_number(seen, UINT32_MAX),
    im_handover_number(deadline, UINT32_MAX),
    im_handover_number(stuck, UINT32_MAX),
    im_handover_string(opening, UINT16_MAX),
    im_handover_number(has, IM_HANDOVER_HAS_ALL)
};


static const im_handover_field_t  im_handover_known[] = {
    im_handover_string(known.user, IM_NAME_MAX),
    im_handover_string(known.name, UINT8_MAX),
    im_handover_string(known.login, IM_ASK_LOGIN),
    im_handover_string(known.info, IM_HANDOVER_MAX),
    im_handover_string(known.rooms, IM_HANDOVER_MAX),
    im_handover_string(known.meta, IM_HANDOVER_MAX),
    im_handover_number(known.refresh, UINT32_MAX),
    im_handover_number(known.expires, UINT32_MAX)
};


static const im_handover_field_t  im_handover_held[] = {
    im_handover_number(held.kind, IM_KIND_BINARY),
    im_handover_string(held.message, IM_HANDOVER_MAX),
    im_handover_string(held.rest, IM_HANDOVER_MAX),
    im_handover_string(held.pong, IM_HANDOVER_PONG)
};


static const im_handover_field_t  im_handover_partial[] = {
    im_handover_string(partial.message, IM_HANDOVER_MAX)
};


static const im_handover_field_t  im_handover_output[] = {
    im_handover_string(output.bytes, IM_HANDOVER_MAX),
    im_handover_number(output.urgent, IM_HANDOVER_MAX),
    im_handover_number(output.history, IM_HANDOVER_MAX)
};


static const im_handover_field_t  im_handover_emulation[] = {
    im_handover_bytes(emulation.node),
    im_handover_number(emulation.keys.keys[0][0], UINT64_MAX),
    im_handover_number(emulation.keys.keys[0][1], UINT64_MAX),
    im_handover_number(emulation.keys.keys[1][0], UINT64_MAX),
    im_handover_number(emulation.keys.keys[1][1], UINT64_MAX)
};


#define im_handover_rows(fields)  im_handover_count(fields), fields

static const im_handover_part_t  im_handover_parts[] = {
    { 0, im_handover_rows(im_handover_all) },
    { IM_HANDOVER_HAS_KNOWN, im_handover_rows(im_handover_known) },
    { IM_HANDOVER_HAS_HELD, im_handover_rows(im_handover_held) },
    { IM_HANDOVER_HAS_PARTIAL, im_handover_rows(im_handover_partial) },
    { IM_HANDOVER_HAS_OUTPUT, im_handover_rows(im_handover_output) },
    { IM_HANDOVER_HAS_EMULATION, im_handover_rows(im_handover_emulation) }
};


/* Bytes of the length of a string. */
static size_t
im_handover_length(uint64_t max)
{
    return max <= UINT8_MAX ? 1 : max <= UINT16_MAX ? 2 : 4;
}


static uint64_t
im_handover_get(const void *p, size_t size)
{
    uint16_t  n16;
    uint32_t  n32;
    uint64_t  n64;

    switch (size) {

    case 1:
        return *(const uint8_t *) p;

    case 2:
        memcpy(&n16, p, sizeof(n16));
        return n16;

    case 4:
        memcpy(&n32, p, sizeof(n32));
        return n32;

    default:
        memcpy(&n64, p, sizeof(n64));
        return n64;
    }
}


static void
im_handover_set(void *p, size_t size, uint64_t n64)
{
    uint16_t  n16;
    uint32_t  n32;

    switch (size) {

    case 1:
        *(uint8_t *) p = (uint8_t) n64;
        break;

    case 2:
        n16 = (uint16_t) n64;
        memcpy(p, &n16, sizeof(n16));
        break;

    case 4:
        n32 = (uint32_t) n64;
        memcpy(p, &n32, sizeof(n32));
        break;

    default:
        memcpy(p, &n64, sizeof(n64));
    }
}


static void
im_handover_string_add(im_buf_t *b, im_str_t s, uint64_t max)
{
    if (s.len > max) {
        b->failed = 1;
        return;
    }

    im_buf_add_be(b, s.len, im_handover_length(max));
    im_buf_add_str(b, s);
}


/* "": too long, and the reader fails. */
static im_str_t
im_handover_string_read(im_reader_t *r, uint64_t max)
{
    size_t  len;

    len = im_reader_be(r, im_handover_length(max));

    if (len > max) {
        r->failed = 1;
    }

    return im_reader_bytes(r, len);
}


static void
im_handover_field_add(im_buf_t *b, const im_handover_session_t *s,
    const im_handover_field_t *field)
{
    uint64_t     n;
    const void  *p;

    p = (const u_char *) s + field->offset;

    switch (field->kind) {

    case IM_HANDOVER_STRING:
        im_handover_string_add(b, *(const im_str_t *) p, field->max);
        break;

    case IM_HANDOVER_BYTES:
        im_buf_add(b, p, field->size);
        break;

    default:
        n = im_handover_get(p, field->size);

        if (n > field->max) {
            b->failed = 1;
        }

        im_buf_add_be(b, n, field->size);
    }
}


static im_int_t
im_handover_field_read(im_reader_t *r, im_handover_session_t *s,
    const im_handover_field_t *field)
{
    void      *p;
    uint64_t   n;
    im_str_t   bytes;

    p = (u_char *) s + field->offset;

    switch (field->kind) {

    case IM_HANDOVER_STRING:
        *(im_str_t *) p = im_handover_string_read(r, field->max);
        break;

    case IM_HANDOVER_BYTES:
        bytes = im_reader_bytes(r, field->size);
        im_copy(p, bytes.data, bytes.len);
        break;

    default:
        n = im_reader_be(r, field->size);

        if (n > field->max) {
            return IM_ERROR;
        }

        im_handover_set(p, field->size, n);
    }

    return r->failed ? IM_ERROR : IM_OK;
}


static int
im_handover_place_valid(const im_handover_session_t *s)
{
    return s->place.len > 0;
}


static int
im_handover_addr_valid(const im_handover_session_t *s)
{
    return s->addr.len == 0 || s->addr.len == 4 || s->addr.len == 16;
}


static int
im_handover_rows_valid(const im_handover_session_t *s)
{
    return s->proto == NULL || s->transport == NULL
           || (s->proto->transports & s->transport->kind);
}


static int
im_handover_phase_valid(const im_handover_session_t *s)
{
    return s->phase == IM_HANDOVER_OPEN || s->nsubs == 0;
}


static int
im_handover_known_valid(const im_handover_session_t *s)
{
    return (s->known.user.len == 0 || im_name_valid(s->known.user))
           && (s->known.login.len == 0 || s->known.login.len == IM_ASK_LOGIN);
}


/* Each message behind its length. */
static int
im_handover_messages_valid(im_str_t messages)
{
    im_reader_t  r;

    im_reader_init(&r, messages);

    while (!r.failed && r.p < r.end) {
        (void) im_reader_bytes(&r, im_reader_u32(&r));
    }

    return !r.failed;
}


static int
im_handover_held_valid(const im_handover_session_t *s)
{
    if (s->held.kind == 0 && s->held.message.len > 0) {
        return 0;
    }

    return s->transport == NULL || s->transport->decode != NULL
           || (s->held.pong.len == 0
               && im_handover_messages_valid(s->held.rest));
}


static int
im_handover_partial_valid(const im_handover_session_t *s)
{
    return !(s->has & IM_HANDOVER_HAS_PARTIAL) || s->transport == NULL
           || (s->transport->given != NULL
               && s->transport->given(&s->partial.decoder)
                  == s->partial.message.len);
}


static int
im_handover_output_valid(const im_handover_session_t *s)
{
    return s->output.urgent <= s->output.bytes.len
           && s->output.history <= s->output.bytes.len;
}


static int
im_handover_emulation_valid(const im_handover_session_t *s)
{
    return !(s->has & IM_HANDOVER_HAS_EMULATION) || s->transport == NULL
           || s->transport->decode == NULL;
}


static int
im_handover_ops_valid(const im_handover_session_t *s)
{
    return (s->has & IM_HANDOVER_HAS_ACCEPT) || s->nops == 0;
}


static const im_handover_rule_t  im_handover_rules[] = {
    { im_handover_place_valid, "a wrong place" },
    { im_handover_addr_valid, "a wrong address" },
    { im_handover_rows_valid, "a protocol that its transport doesn't have" },
    { im_handover_phase_valid, "subscriptions before it is open" },
    { im_handover_known_valid, "a wrong user" },
    { im_handover_held_valid, "wrong input that is held" },
    { im_handover_partial_valid, "a wrong part of a message" },
    { im_handover_output_valid, "wrong output" },
    { im_handover_emulation_valid, "a way back that its transport has not" },
    { im_handover_ops_valid, "wrong operations" }
};


/* NULL: it is a record. */
static const char *
im_handover_session_wrong(const im_handover_session_t *s)
{
    size_t  i;

    for (i = 0; i < im_handover_count(im_handover_rules); i++) {
        if (!im_handover_rules[i].valid(s)) {
            return im_handover_rules[i].why;
        }
    }

    return NULL;
}


static void
im_handover_rows_add(im_buf_t *b, const im_handover_session_t *s)
{
    const char  *subprotocol;

    subprotocol = s->proto->subprotocol != NULL ? s->proto->subprotocol : "";

    im_handover_string_add(b, im_str_z(s->proto->name), UINT8_MAX);
    im_handover_string_add(b, im_str_z(subprotocol), UINT8_MAX);
    im_handover_string_add(b, im_str_z(s->transport->name), UINT8_MAX);
    im_buf_add_u8(b, s->transport->window);
}


static void
im_handover_rows_read(im_reader_t *r, im_handover_session_t *s)
{
    im_str_t  name, subprotocol;

    name = im_handover_string_read(r, UINT8_MAX);
    subprotocol = im_handover_string_read(r, UINT8_MAX);
    s->proto = im_proto_row(name, subprotocol);

    name = im_handover_string_read(r, UINT8_MAX);
    s->transport = im_transport_row(name, im_reader_u8(r));
}


/* Behind its length, so that it can be left out. */
static void
im_handover_decoder_add(im_buf_t *b, const im_handover_session_t *s)
{
    u_char    bytes[IM_HANDOVER_DECODER];
    im_buf_t  state;

    if (!(s->has & IM_HANDOVER_HAS_PARTIAL)) {
        return;
    }

    im_buf_fixed(&state, bytes, IM_HANDOVER_DECODER);
    im_input_encode(&state, s->transport, &s->partial.decoder);

    b->failed |= state.failed;

    im_handover_string_add(b, im_buf_str(&state), IM_HANDOVER_DECODER);
}


static im_int_t
im_handover_decoder_read(im_reader_t *r, im_handover_session_t *s)
{
    im_str_t  state;

    if (!(s->has & IM_HANDOVER_HAS_PARTIAL)) {
        return IM_OK;
    }

    state = im_handover_string_read(r, IM_HANDOVER_DECODER);

    return s->transport == NULL ? IM_OK
           : im_input_decode(state, s->transport, &s->partial.decoder);
}


static void
im_handover_sub_add(im_buf_t *b, const im_handover_sub_t *sub)
{
    im_buf_add_u32(b, sub->topic);
    im_handover_string_add(b, im_str_set(sub->epoch.data, sub->epoch.len),
                           IM_EPOCH_MAX);
    im_buf_add_u64(b, sub->seq);
    im_buf_add_u64(b, sub->mark);
    im_buf_add_u32(b, sub->expires);
    im_buf_add_u8(b, sub->flags);
    im_buf_add_u64(b, sub->heard);
    im_handover_string_add(b, sub->info, IM_HANDOVER_MAX);
}


static void
im_handover_sub_read(im_reader_t *r, im_handover_sub_t *sub)
{
    im_str_t  epoch;

    sub->topic = im_reader_u32(r);
    epoch = im_handover_string_read(r, IM_EPOCH_MAX);
    sub->seq = im_reader_u64(r);
    sub->mark = im_reader_u64(r);
    sub->expires = im_reader_u32(r);
    sub->flags = im_reader_u8(r);
    sub->heard = im_reader_u64(r);
    sub->info = im_handover_string_read(r, IM_HANDOVER_MAX);

    sub->epoch.len = (uint8_t) epoch.len;
    im_copy(sub->epoch.data, epoch.data, epoch.len);
}


static void
im_handover_resume_add(im_buf_t *b, const im_resume_t *resume)
{
    im_handover_string_add(b, resume->topic, IM_TOPIC_MAX);
    im_handover_string_add(b, resume->since.epoch, UINT16_MAX);
    im_buf_add_u64(b, resume->since.seq);
    im_buf_add_u16(b, resume->last);
    im_buf_add_u8(b, resume->recover | resume->join << 1);
}


static void
im_handover_resume_read(im_reader_t *r, im_resume_t *resume)
{
    uint8_t  bits;

    resume->topic = im_handover_string_read(r, IM_TOPIC_MAX);
    resume->since.epoch = im_handover_string_read(r, UINT16_MAX);
    resume->since.seq = im_reader_u64(r);
    resume->last = im_reader_u16(r);

    bits = im_reader_u8(r);

    resume->recover = bits & 1;
    resume->join = bits >> 1 & 1;

    if (bits > 3 || resume->topic.len == 0) {
        r->failed = 1;
    }
}


static void
im_handover_lists_add(im_buf_t *b, const im_handover_session_t *s)
{
    size_t  i;

    if (s->nsubs > IM_HANDOVER_SUBS_MAX || s->nresumes > IM_RESUMES_MAX
        || s->nops > IM_HANDOVER_OPS_MAX)
    {
        b->failed = 1;
        return;
    }

    im_buf_add_u16(b, s->nsubs);
    im_buf_add_u8(b, s->nresumes);
    im_buf_add_u16(b, s->nops);

    for (i = 0; i < s->nsubs; i++) {
        im_handover_sub_add(b, &s->subs[i]);
    }

    for (i = 0; i < s->nresumes; i++) {
        im_handover_resume_add(b, &s->resumes[i]);
    }

    for (i = 0; i < s->nops; i++) {
        im_buf_add_u32(b, (uint32_t) s->ops[i]);
    }
}


/* What can't be there takes no memory. */
static im_int_t
im_handover_lists_read(im_reader_t *r, im_handover_session_t *s,
    const char **why)
{
    size_t  i, nsubs, nresumes, nops;

    nsubs = im_reader_u16(r);
    nresumes = im_reader_u8(r);
    nops = im_reader_u16(r);

    if (r->failed
        || nsubs * IM_HANDOVER_SUB_LEAST + nops * sizeof(int32_t)
           > (size_t) (r->end - r->p))
    {
        return IM_ERROR;
    }

    if (im_handover_session_reserve(s, nsubs, nresumes, nops) != IM_OK) {
        *why = "too many of a list, or no memory";
        return IM_ERROR;
    }

    for (i = 0; i < nsubs; i++) {
        im_handover_sub_read(r, &s->subs[i]);
    }

    for (i = 0; i < nresumes; i++) {
        im_handover_resume_read(r, &s->resumes[i]);
    }

    for (i = 0; i < nops; i++) {
        s->ops[i] = (int32_t) im_reader_u32(r);
    }

    return r->failed ? IM_ERROR : IM_OK;
}


void
im_handover_session_encode(im_buf_t *b, const im_handover_session_t *s)
{
    size_t                     i, j, start;
    im_buf_t                   length;
    const im_handover_part_t  *part;

    start = b->len;

    if (s->proto == NULL || s->transport == NULL
        || im_handover_session_wrong(s) != NULL)
    {
        b->failed = 1;
        return;
    }

    im_buf_add_u32(b, 0);
    im_buf_add_u32(b, s->number);

    im_handover_rows_add(b, s);

    for (i = 0; i < im_handover_count(im_handover_parts); i++) {
        part = &im_handover_parts[i];

        for (j = 0; (s->has & part->has) == part->has && j < part->n; j++) {
            im_handover_field_add(b, s, &part->fields[j]);
        }
    }

    im_handover_decoder_add(b, s);
    im_handover_lists_add(b, s);

    if (!b->failed) {
        im_buf_fixed(&length, b->data + start, 4);
        im_buf_add_u32(&length, b->len - start - 4);
    }
}


/* Parts that are not there are zeros. */
static im_int_t
im_handover_parts_read(im_reader_t *r, im_handover_session_t *s,
    const char **why)
{
    size_t                     i, j;
    const im_handover_part_t  *part;

    for (i = 0; i < im_handover_count(im_handover_parts); i++) {
        part = &im_handover_parts[i];

        for (j = 0; (s->has & part->has) == part->has && j < part->n; j++) {
            if (im_handover_field_read(r, s, &part->fields[j]) != IM_OK) {
                *why = part->fields[j].why;
                return IM_ERROR;
            }
        }
    }

    return IM_OK;
}


static im_int_t
im_handover_record_read(im_reader_t *r, im_handover_session_t *s,
    const char **why)
{
    im_handover_rows_read(r, s);

    if (im_handover_parts_read(r, s, why) != IM_OK) {
        return IM_ERROR;
    }

    *why = "a wrong decoder";

    if (im_handover_decoder_read(r, s) != IM_OK) {
        return IM_ERROR;
    }

    *why = "a wrong list";

    if (im_handover_lists_read(r, s, why) != IM_OK) {
        return IM_ERROR;
    }

    *why = r->p != r->end ? "bytes behind its end"
                          : im_handover_session_wrong(s);

    return *why == NULL ? IM_OK : IM_ERROR;
}


im_int_t
im_handover_session_decode(im_reader_t *r, im_handover_session_t *s,
    const char **why)
{
    im_str_t     bytes;
    im_reader_t  record;

    memset(s, 0, sizeof(im_handover_session_t));

    if (r->p == r->end) {
        return IM_DECLINED;
    }

    bytes = im_reader_bytes(r, im_reader_u32(r));

    if (bytes.len < sizeof(uint32_t)) {
        r->failed = 1;
        *why = "not a record";
        return IM_ERROR;
    }

    im_reader_init(&record, bytes);
    s->number = im_reader_u32(&record);

    if (im_handover_record_read(&record, s, why) != IM_OK) {
        im_handover_session_cleanup(s);
        return IM_ERROR;
    }

    return IM_OK;
}


im_int_t
im_handover_session_reserve(im_handover_session_t *s, size_t nsubs,
    size_t nresumes, size_t nops)
{
    size_t   size;
    u_char  *p;

    if (nsubs > IM_HANDOVER_SUBS_MAX || nresumes > IM_RESUMES_MAX
        || nops > IM_HANDOVER_OPS_MAX)
    {
        return IM_ERROR;
    }

    size = nsubs * sizeof(im_handover_sub_t) + nresumes * sizeof(im_resume_t)
           + nops * sizeof(int32_t);

    if (size == 0) {
        return IM_OK;
    }

    p = im_calloc(size);
    if (p == NULL) {
        return IM_ERROR;
    }

    s->memory = p;
    s->subs = (im_handover_sub_t *) p;
    s->resumes = (im_resume_t *) (s->subs + nsubs);
    s->ops = (int32_t *) (s->resumes + nresumes);

    s->nsubs = (uint32_t) nsubs;
    s->nresumes = (uint32_t) nresumes;
    s->nops = (uint32_t) nops;

    return IM_OK;
}


void
im_handover_session_cleanup(im_handover_session_t *s)
{
    im_free(s->memory);

    s->memory = NULL;
    s->subs = NULL;
    s->resumes = NULL;
    s->ops = NULL;
    s->nsubs = 0;
    s->nresumes = 0;
    s->nops = 0;
}
