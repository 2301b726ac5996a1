/*
 * Copyright (C) The im authors
 *
 * The handover: messages and records out and in, packets, and what is no
 * message, no record and no packet.
 */

#include <stdio.h>

#include "test.h"
#include "copy.h"
#include "im_handover.h"
#include "im_wire.h"


static random_t     rnd;
static im_reader_t  reader;
static const char  *why;

static const struct {
    const im_proto_t      *proto;
    const im_transport_t  *transport;
} rows[] = {
    { &im_proto_im, &im_transport_ws },
    { &im_proto_centrifuge, &im_transport_ws_deflate },
    { &im_proto_centrifuge_pb, &im_transport_ws_deflate_small },
    { &im_proto_centrifuge_pb, &im_transport_stream },
    { &im_proto_uni, &im_transport_sse },
    { &im_proto_goim, &im_transport_tcp },
    { &im_proto_plain_meta, &im_transport_ws },
    { &im_proto_plain, &im_transport_sse },
    { &im_proto_echo, &im_transport_ws }
};

static u_char  junk[4096];       /* lower-case letters */


static im_str_t
letters(size_t most)
{
    return im_str_set(junk + random_below(&rnd, sizeof(junk) / 2),
                      random_below(&rnd, (uint32_t) im_min(most, 2000) + 1));
}


static void
letters_init(uint64_t seed)
{
    size_t  i;

    random_init(&rnd, seed);

    for (i = 0; i < sizeof(junk); i++) {
        junk[i] = (u_char) ('a' + random_below(&rnd, 26));
    }
}


static uint32_t
any(void)
{
    return random_below(&rnd, 0x7fffffff) << random_below(&rnd, 2);
}


static void
epoch(im_epoch_t *e)
{
    im_str_t  s;

    s = letters(IM_EPOCH_MAX);
    e->len = (uint8_t) s.len;
    im_copy(e->data, s.data, s.len);
}


/* Input of a client up to somewhere within a message. */
static void
partial(im_handover_session_t *s, im_buf_t *message)
{
    u_char             bytes[16], *p, *end;
    im_input_event_t   ev;

    static const u_char  ws[] = {
        0x01, 0x84, 'm', 'a', 's', 'k', 'm' ^ 'x', 'a' ^ 'x', 's' ^ 'x',
        'k' ^ 'x', 0x89, 0x82, 'm', 'a', 's', 'k'
    };
    static const u_char  tcp[] = {
        0, 0, 0, 32, 0, 16, 0, 1, 0, 0, 0, 7, 0, 0, 0, 1
    };

    im_copy(bytes, s->transport == &im_transport_tcp ? tcp : ws, 16);
    p = bytes;
    end = bytes + 1 + random_below(&rnd, 16);

    while (s->transport->decode(&s->partial.decoder, &p, end, 1000, &ev)
           == IM_OK)
    {
        im_buf_add_str(message, ev.data);
    }

    s->partial.decoder.frames = 0;
    s->partial.message = im_buf_str(message);
    s->has |= IM_HANDOVER_HAS_PARTIAL;
}


static void
lists(im_handover_session_t *s, size_t nsubs)
{
    size_t  i;

    if (s->phase == IM_HANDOVER_CONNECTING) {
        nsubs = 0;
    }

    assert_int_equal(im_handover_session_reserve(s, nsubs,
                                                 random_below(&rnd, 4),
                                                 random_below(&rnd, 5)),
                     IM_OK);

    for (i = 0; i < s->nsubs; i++) {
        s->subs[i].topic = any();
        epoch(&s->subs[i].epoch);
        s->subs[i].seq = (uint64_t) any() << 20;
        s->subs[i].mark = (uint64_t) any() << 20;
        s->subs[i].expires = any();
        s->subs[i].flags = (uint8_t) any();
        s->subs[i].heard = i ? UINT64_MAX - i : 0;
        s->subs[i].info = letters(30);
    }

    for (i = 0; i < s->nresumes; i++) {
        s->resumes[i].topic = im_str_z("r:room");
        s->resumes[i].since.epoch = letters(40);
        s->resumes[i].since.seq = any();
        s->resumes[i].last = (uint16_t) any();
        s->resumes[i].recover = any() & 1;
        s->resumes[i].join = any() & 1;
    }

    for (i = 0; i < s->nops; i++) {
        s->ops[i] = (int32_t) any() - 1000;
    }

    if (s->nops > 0) {
        s->has |= IM_HANDOVER_HAS_ACCEPT;
    }
}


static void
parts(im_handover_session_t *s, im_buf_t *message)
{
    if (random_below(&rnd, 2)) {
        s->has |= IM_HANDOVER_HAS_KNOWN;
        s->known.user = random_below(&rnd, 2) ? im_str_z("anna")
                                              : im_str_z("");
        s->known.name = letters(255);
        s->known.login = random_below(&rnd, 2) ? im_str_z("loginlog")
                                               : im_str_z("");
        s->known.info = letters(100);
        s->known.rooms = letters(10);
        s->known.meta = letters(10);
        s->known.refresh = any();
        s->known.expires = any();
    }

    if (random_below(&rnd, 3) == 0) {
        s->has |= IM_HANDOVER_HAS_HELD;
        s->held.kind = (uint8_t) random_below(&rnd, 3);
        s->held.message = s->held.kind ? letters(50) : im_str_z("");

        if (s->transport->decode != NULL) {
            s->held.rest = letters(50);
            s->held.pong = letters(IM_HANDOVER_PONG);

        } else if (random_below(&rnd, 2)) {
            s->held.rest = im_str_set("\0\0\0\2hi\0\0\0\0", 10);
        }
    }

    if (s->transport->decode != NULL && random_below(&rnd, 2)) {
        partial(s, message);
    }

    if (random_below(&rnd, 3) == 0) {
        s->has |= IM_HANDOVER_HAS_OUTPUT;
        s->output.bytes = letters(200);
        s->output.urgent = random_below(&rnd, s->output.bytes.len + 1);
        s->output.history = random_below(&rnd, s->output.bytes.len + 1);
    }

    if (s->transport->decode == NULL) {
        s->has |= IM_HANDOVER_HAS_EMULATION;
        memset(s->emulation.node, (int) any(), 16);
        s->emulation.keys.keys[1][0] = (uint64_t) any() << 30;
    }
}


static void
session(im_handover_session_t *s, im_buf_t *message)
{
    size_t  i;

    memset(s, 0, sizeof(im_handover_session_t));

    i = random_below(&rnd, test_count(rows));

    s->number = any();
    s->place = im_str_z("place");
    s->proto = rows[i].proto;
    s->transport = rows[i].transport;
    memset(s->id, (int) any(), 16);
    s->addr = im_str_set(junk, (size_t []) { 0, 4, 16 }[random_below(&rnd, 3)]);
    s->phase = random_below(&rnd, 4) == 0;
    s->pinged = (uint8_t) random_below(&rnd, 8);
    s->pong_due = any() & 1;
    s->positions = any() & 1;
    s->failed = any() & 1;
    s->prepaid = any() & 1;
    s->credit = any() & 1;
    s->nbad = (uint8_t) any();
    s->mark = (uint8_t) random_below(&rnd, 3);
    s->nrooms = (uint16_t) any();
    s->nnew = (uint16_t) any();
    s->new_time = any();
    s->start = any();
    s->bytes_in = (uint64_t) any() << 15;
    s->bytes_out = (uint64_t) any() << 15;
    s->commands = (uint64_t) any() << 31;
    s->flow = any();
    s->frames = (int32_t) any();
    s->seen = any();
    s->deadline = any();
    s->stuck = any();

    s->opening = letters(100);

    parts(s, message);
    lists(s, random_below(&rnd, 6));
}


static void
same_lists(const im_handover_session_t *a, const im_handover_session_t *b)
{
    size_t  i;

    assert_int_equal(a->nsubs, b->nsubs);
    assert_int_equal(a->nresumes, b->nresumes);
    assert_int_equal(a->nops, b->nops);

    for (i = 0; i < a->nsubs; i++) {
        assert_int_equal(a->subs[i].topic, b->subs[i].topic);
        assert_int_equal(a->subs[i].epoch.len, b->subs[i].epoch.len);
        assert_memory_equal(a->subs[i].epoch.data, b->subs[i].epoch.data,
                            a->subs[i].epoch.len);
        assert_int_equal(a->subs[i].seq, b->subs[i].seq);
        assert_int_equal(a->subs[i].mark, b->subs[i].mark);
        assert_int_equal(a->subs[i].expires, b->subs[i].expires);
        assert_int_equal(a->subs[i].flags, b->subs[i].flags);
        assert_true(a->subs[i].heard == b->subs[i].heard);
        assert_true(im_str_eq(a->subs[i].info, b->subs[i].info));
    }

    for (i = 0; i < a->nresumes; i++) {
        assert_true(im_str_eq(a->resumes[i].topic, b->resumes[i].topic));
        assert_true(im_str_eq(a->resumes[i].since.epoch,
                              b->resumes[i].since.epoch));
        assert_int_equal(a->resumes[i].since.seq, b->resumes[i].since.seq);
        assert_int_equal(a->resumes[i].last, b->resumes[i].last);
        assert_int_equal(a->resumes[i].recover, b->resumes[i].recover);
        assert_int_equal(a->resumes[i].join, b->resumes[i].join);
    }

    for (i = 0; i < a->nops; i++) {
        assert_int_equal(a->ops[i], b->ops[i]);
    }
}


#define same_number(member)  assert_int_equal(a->member, b->member)
#define same_string(member)  assert_true(im_str_eq(a->member, b->member))

static void
same(const im_handover_session_t *a, const im_handover_session_t *b)
{
    same_number(number);
    same_string(place);
    assert_ptr_equal(a->proto, b->proto);
    assert_ptr_equal(a->transport, b->transport);
    assert_memory_equal(a->id, b->id, 16);
    same_string(addr);
    same_number(phase);
    same_number(pinged);
    same_number(pong_due);
    same_number(positions);
    same_number(failed);
    same_number(prepaid);
    same_number(credit);
    same_number(nbad);
    same_number(mark);
    same_number(nrooms);
    same_number(nnew);
    same_number(new_time);
    same_number(start);
    same_number(bytes_in);
    same_number(bytes_out);
    same_number(commands);
    same_number(flow);
    same_number(frames);
    same_number(seen);
    same_number(deadline);
    same_number(stuck);
    same_string(opening);
    same_number(has);
    same_string(known.user);
    same_string(known.name);
    same_string(known.login);
    same_string(known.info);
    same_string(known.rooms);
    same_string(known.meta);
    same_number(known.refresh);
    same_number(known.expires);
    same_number(held.kind);
    same_string(held.message);
    same_string(held.rest);
    same_string(held.pong);
    same_string(partial.message);
    same_number(partial.decoder.ncontrol);
    same_string(output.bytes);
    same_number(output.urgent);
    same_number(output.history);
    assert_memory_equal(&a->emulation, &b->emulation, sizeof(a->emulation));
    same_lists(a, b);
}


/* What was read is written as the same bytes. */
static void
again(const im_handover_session_t *s, const u_char *bytes, size_t len)
{
    im_buf_t  b;

    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_session_encode(&b, s);

    assert_false(b.failed);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, bytes, len);

    im_buf_cleanup(&b);
}


/* Each one alone, in memory of its size. */
static void
test_sessions(void **state)
{
    size_t                 i;
    im_buf_t               b, message;
    im_str_t               copy;
    im_handover_session_t  s, back;

    (void) state;

    letters_init(3);

    for (i = 0; i < 2000; i++) {
        im_buf_init(&b, IM_HANDOVER_MAX);
        im_buf_init(&message, 100);

        session(&s, &message);
        im_handover_session_encode(&b, &s);
        assert_false(b.failed);

        copy = copy_of(im_buf_str(&b));
        im_reader_init(&reader, copy);

        assert_int_equal(im_handover_session_decode(&reader, &back, &why),
                         IM_OK);
        same(&s, &back);
        again(&back, copy.data, copy.len);
        im_handover_session_cleanup(&back);

        assert_int_equal(im_handover_session_decode(&reader, &back, &why),
                         IM_DECLINED);

        im_handover_session_cleanup(&s);
        im_input_cleanup(&s.partial.decoder);
        im_buf_cleanup(&message);
        im_buf_cleanup(&b);
        free(copy.data);
    }
}


/*
 * Every truncation is refused.  With a flipped bit it is refused, or it is
 * another record.
 */
static void
test_damaged(void **state)
{
    size_t                 i, at, bit, damaged;
    im_buf_t               b, message;
    im_str_t               copy;
    im_handover_session_t  s;

    (void) state;

    letters_init(5);
    damaged = 0;

    for (i = 0; i < 30; i++) {
        im_buf_init(&b, IM_HANDOVER_MAX);
        im_buf_init(&message, 100);

        session(&s, &message);
        im_handover_session_encode(&b, &s);
        assert_false(b.failed);
        im_handover_session_cleanup(&s);
        im_input_cleanup(&s.partial.decoder);
        im_buf_cleanup(&message);

        for (at = 1; at < b.len; at++) {
            copy = copy_of(im_str_set(b.data, at));

            im_reader_init(&reader, copy);
            assert_int_equal(im_handover_session_decode(&reader, &s, &why),
                             IM_ERROR);
            assert_true(reader.failed);

            if (at < 8) {
                free(copy.data);
                continue;
            }

            /* the same as a record that says its length */

            copy.data[2] = (u_char) ((at - 4) >> 8);
            copy.data[3] = (u_char) (at - 4);

            im_reader_init(&reader, copy);
            assert_int_equal(im_handover_session_decode(&reader, &s, &why),
                             IM_ERROR);
            assert_false(reader.failed);
            assert_non_null(why);
            free(copy.data);
        }

        for (at = 0; at < b.len; at++) {
            for (bit = 0; bit < 8; bit++) {
                copy = copy_of(im_buf_str(&b));
                copy.data[at] ^= 1 << bit;

                im_reader_init(&reader, copy);

                if (im_handover_session_decode(&reader, &s, &why) == IM_OK) {
                    if (s.proto != NULL && s.transport != NULL) {
                        again(&s, copy.data, copy.len);
                    }

                    im_handover_session_cleanup(&s);

                } else {
                    damaged++;
                    assert_non_null(why);
                }

                free(copy.data);
            }
        }

        im_buf_cleanup(&b);
    }

    assert_true(damaged > 1000);
}


typedef void (*change_pt)(im_handover_session_t *s);

static void no_place(im_handover_session_t *s) { s->place.len = 0; }
static void long_place(im_handover_session_t *s)
    { s->place = im_str_set(junk, 256); }
static void addr(im_handover_session_t *s) { s->addr = im_str_set(junk, 5); }
static void phase(im_handover_session_t *s) { s->phase = 2; }
static void subs(im_handover_session_t *s) { s->phase = 1; }
static void pinged(im_handover_session_t *s) { s->pinged = 8; }
static void bytes_in(im_handover_session_t *s)
    { s->bytes_in = (uint64_t) 1 << 48; }
static void has(im_handover_session_t *s) { s->has = 0x80; }
static void proto(im_handover_session_t *s) { s->proto = &im_proto_goim; }
static void no_proto(im_handover_session_t *s) { s->proto = NULL; }
static void user(im_handover_session_t *s)
    { s->has |= 1; s->known.user = im_str_z("a\n"); }
static void name(im_handover_session_t *s)
    { s->has |= 1; s->known.name = im_str_set(junk, 256); }
static void login(im_handover_session_t *s)
    { s->has |= 1; s->known.login = im_str_z("seven.."); }
static void held_kind(im_handover_session_t *s)
    { s->has |= 4; s->held.kind = 3; }
static void held_none(im_handover_session_t *s)
    { s->has |= 4; s->held.message = im_str_z("x"); }
static void held_pong(im_handover_session_t *s)
    { s->has |= 4; s->held.pong = im_str_z("x"); }
static void held_rest(im_handover_session_t *s)
    { s->has |= 4; s->held.rest = im_str_set("\0\0\0\2x", 5); }
static void held_long(im_handover_session_t *s)
{
    s->transport = &im_transport_ws;
    s->has |= 4;
    s->held.pong = im_str_set(junk, IM_HANDOVER_PONG + 1);
}
static void decoder(im_handover_session_t *s) { s->has |= 8; }
static void message(im_handover_session_t *s)
{
    s->transport = &im_transport_ws;
    s->has |= 8;
    s->partial.message = im_str_z("x");
}
static void broken(im_handover_session_t *s)
{
    s->transport = &im_transport_ws;
    s->has |= 8;
    s->partial.decoder.failed = 1;
}
static void urgent(im_handover_session_t *s)
{
    s->has |= 16;
    s->output.bytes = im_str_z("x");
    s->output.urgent = 2;
}
static void history(im_handover_session_t *s)
{
    s->has |= 16;
    s->output.history = 1;
}
static void way(im_handover_session_t *s)
{
    s->transport = &im_transport_ws;
    s->has |= 32;
}
static void operations(im_handover_session_t *s) { s->has &= 0xfd; }
static void epoch_len(im_handover_session_t *s) { s->subs[0].epoch.len = 24; }
static void many(im_handover_session_t *s) { s->nops = 257; }


/* No such record is written, and none is read. */
static void
test_limits(void **state)
{
    size_t                 i;
    im_buf_t               b;
    im_handover_session_t  s;

    static const change_pt  changes[] = {
        no_place, long_place, addr, phase, subs, pinged, bytes_in, has, proto,
        no_proto, user, name, login, held_kind, held_none, held_pong,
        held_rest, held_long, decoder, message, broken, urgent, history, way,
        operations, epoch_len, many
    };

    (void) state;

    letters_init(9);

    for (i = 0; i <= test_count(changes); i++) {
        memset(&s, 0, sizeof(im_handover_session_t));
        s.place = im_str_z("place");
        s.proto = &im_proto_plain;
        s.transport = &im_transport_sse;
        s.has = IM_HANDOVER_HAS_ACCEPT;
        assert_int_equal(im_handover_session_reserve(&s, 1, 0, 2), IM_OK);

        if (i < test_count(changes)) {
            changes[i](&s);
        }

        im_buf_init(&b, IM_HANDOVER_MAX);
        im_handover_session_encode(&b, &s);

        if (b.failed != (i < test_count(changes))) {
            fail_msg("change %zu", i);
        }

        im_buf_cleanup(&b);
        im_handover_session_cleanup(&s);
    }

    assert_int_equal(im_handover_session_reserve(&s, IM_HANDOVER_SUBS_MAX + 1,
                                                 0, 0),
                     IM_ERROR);
    assert_int_equal(im_handover_session_reserve(&s, 0, IM_RESUMES_MAX + 1, 0),
                     IM_ERROR);
    assert_int_equal(im_handover_session_reserve(&s, 0, 0, 257), IM_ERROR);
}


/* A row that this binary hasn't: the record is read, but for the decoder. */
static void
test_rows(void **state)
{
    u_char                *p;
    im_buf_t               b;
    im_handover_session_t  s;

    (void) state;

    letters_init(13);
    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&s, 0, sizeof(im_handover_session_t));

    s.number = 77;
    s.place = im_str_z("place");
    s.proto = &im_proto_im;
    s.transport = &im_transport_ws_deflate;
    s.has = IM_HANDOVER_HAS_PARTIAL;
    im_handover_session_encode(&b, &s);
    assert_false(b.failed);

    /* length, number, "im", no subprotocol, "websocket", window */

    p = b.data + 4 + 4 + 3 + 1 + 10;
    assert_int_equal(*p, IM_DEFLATE_WINDOW);
    *p = 15;

    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_OK);
    assert_int_equal(s.number, 77);
    assert_ptr_equal(s.proto, &im_proto_im);
    assert_null(s.transport);
    test_str(s.place, "place");

    b.data[4 + 4 + 1] = 'x';
    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_OK);
    assert_null(s.proto);

    im_buf_cleanup(&b);
}


/* One that can't be read has a number, and the next ones can be read. */
static void
test_items(void **state)
{
    size_t                 i, second;
    im_buf_t               b;
    im_handover_session_t  s;

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&s, 0, sizeof(im_handover_session_t));
    s.place = im_str_z("place");
    s.proto = &im_proto_im;
    s.transport = &im_transport_ws;
    second = 0;

    for (i = 1; i <= 3; i++) {
        s.number = i;
        im_handover_session_encode(&b, &s);
        second = i == 1 ? b.len : second;
    }

    b.data[b.len - 1] = 1;
    b.data[second + 4 + 4 + 3 + 1 + 10 + 1] = 0;

    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_OK);
    assert_int_equal(s.number, 1);
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_ERROR);
    assert_int_equal(s.number, 2);
    assert_false(reader.failed);
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_ERROR);
    assert_int_equal(s.number, 3);
    assert_string_equal(why, "a wrong list");
    assert_int_equal(im_handover_session_decode(&reader, &s, &why),
                     IM_DECLINED);

    im_buf_cleanup(&b);
}


static void
test_no_memory(void **state)
{
    im_buf_t               b;
    im_str_t               packet;
    im_str_t               body;
    im_handover_type_e     type;
    im_handover_input_t    input;
    im_handover_session_t  s;

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&s, 0, sizeof(im_handover_session_t));
    s.place = im_str_z("place");
    s.proto = &im_proto_im;
    s.transport = &im_transport_ws;

    alloc_fail_at(1);
    assert_int_equal(im_handover_session_reserve(&s, 1, 0, 0), IM_ERROR);
    alloc_fail_at(0);

    assert_int_equal(im_handover_session_reserve(&s, 1, 0, 0), IM_OK);
    im_handover_session_encode(&b, &s);
    im_handover_session_cleanup(&s);

    alloc_fail_at(1);
    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_ERROR);
    alloc_fail_at(0);
    assert_false(reader.failed);
    im_buf_cleanup(&b);

    alloc_fail_at(1);
    im_buf_init(&b, IM_HANDOVER_MAX);
    im_handover_session_encode(&b, &s);
    assert_true(b.failed);
    alloc_fail_at(0);
    im_buf_cleanup(&b);

    packet.len = IM_HANDOVER_PACKET;
    packet.data = calloc(1, packet.len);
    assert_non_null(packet.data);
    packet.data[0] = IM_HANDOVER_LATE;
    packet.data[1] = 1;

    memset(&input, 0, sizeof(im_handover_input_t));
    alloc_fail_at(1);
    assert_int_equal(im_handover_input(&input, packet, &type, &body, &why),
                     IM_ERROR);
    assert_string_equal(why, "no memory");
    alloc_fail_at(0);

    im_handover_input_cleanup(&input);
    free(packet.data);
}


static void
test_hello(void **state)
{
    size_t               i;
    im_buf_t             b;
    im_handover_hello_t  hello, back;

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&hello, 0, sizeof(im_handover_hello_t));
    hello.version = IM_HANDOVER_VERSION;
    hello.pid = 4711;
    hello.workers = 3;
    hello.zone = 0x123456789abcdef0;
    hello.fence = 0x1234500000000;
    hello.worker = im_str_z("node.0.k3j2");

    im_handover_hello_encode(&b, &hello);
    assert_int_equal(im_handover_hello_decode(im_buf_str(&b), &back), IM_OK);
    assert_int_equal(back.version, IM_HANDOVER_VERSION);
    assert_int_equal(back.pid, 4711);
    assert_int_equal(back.workers, 3);
    assert_true(back.zone == hello.zone);
    assert_true(back.fence == hello.fence);
    test_str(back.worker, "node.0.k3j2");

    for (i = 0; i < b.len; i++) {
        assert_int_equal(im_handover_hello_decode(im_str_set(b.data, i),
                                                  &back),
                         IM_ERROR);
    }

    im_buf_add_u8(&b, 0);
    assert_int_equal(im_handover_hello_decode(im_buf_str(&b), &back),
                     IM_ERROR);

    /* another version: whatever follows */

    b.data[3]++;
    assert_int_equal(im_handover_hello_decode(im_buf_str(&b), &back), IM_OK);
    assert_int_equal(back.version, IM_HANDOVER_VERSION + 1);
    assert_int_equal(im_handover_hello_decode(im_str_set(b.data, 4), &back),
                     IM_OK);

    im_buf_reset(&b, 0);
    hello.worker = im_str_set(junk, IM_WORKER_MAX + 1);
    im_handover_hello_encode(&b, &hello);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


static void
test_topics(void **state)
{
    size_t               i;
    u_char               longest[IM_TOPIC_MAX + 1];
    im_buf_t             b;
    im_handover_topic_t  topic;

    static const char *const  good[] = { "r:a", "u:anna", "k:\xc3\xa9", "b" };
    static const char *const  bad[] = {
        "", "r", "r:", "x:a", "b:a", "a", "r:\n", "ra", "r:\xff"
    };

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "r:", 2);

    for (i = 0; i < test_count(good); i++) {
        topic.number = i;
        topic.name = im_str_z(good[i]);
        im_handover_topic_encode(&b, &topic);
    }

    topic.name = im_str_set(longest, IM_TOPIC_MAX);
    im_handover_topic_encode(&b, &topic);
    assert_false(b.failed);

    im_reader_init(&reader, im_buf_str(&b));

    for (i = 0; i < test_count(good); i++) {
        assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_OK);
        assert_int_equal(topic.number, i);
        test_str(topic.name, good[i]);
    }

    assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_OK);
    assert_int_equal(topic.name.len, IM_TOPIC_MAX);
    assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_DECLINED);

    im_reader_init(&reader, im_str_set(b.data, 7));
    assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_ERROR);

    for (i = 0; i <= test_count(bad); i++) {
        topic.name = i < test_count(bad) ? im_str_z(bad[i])
                                         : im_str_set(longest,
                                                      IM_TOPIC_MAX + 1);
        im_buf_reset(&b, 0);
        im_handover_topic_encode(&b, &topic);
        assert_true(b.failed);

        im_buf_reset(&b, 0);
        im_buf_add_u32(&b, 1);
        im_buf_add_u64(&b, 0);
        im_buf_add_u8(&b, topic.name.len);
        im_buf_add_str(&b, topic.name);
        im_reader_init(&reader, im_buf_str(&b));
        assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_ERROR);
    }

    im_buf_cleanup(&b);
}


static void
test_answers(void **state)
{
    im_buf_t               b;
    im_handover_heard_t    heard;
    im_handover_ready_t    ready;
    im_handover_verdict_t  v;

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&ready, 0, sizeof(im_handover_ready_t));
    ready.number = 9;
    ready.seq = UINT64_MAX;
    ready.mark = UINT64_MAX - 1;
    ready.epoch.len = IM_EPOCH_MAX;
    im_handover_ready_encode(&b, &ready);
    ready.epoch.len = 0;
    im_handover_ready_encode(&b, &ready);

    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_OK);
    assert_int_equal(ready.number, 9);
    assert_int_equal(ready.epoch.len, IM_EPOCH_MAX);
    assert_true(ready.seq == UINT64_MAX);
    assert_true(ready.mark == UINT64_MAX - 1);
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_OK);
    assert_int_equal(ready.epoch.len, 0);
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_DECLINED);

    b.data[4] = IM_EPOCH_MAX + 1;
    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_ERROR);
    im_reader_init(&reader, im_str_set(b.data, 4));
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_ERROR);

    im_buf_reset(&b, 0);
    heard.partition = IM_PARTITIONS_MAX - 1;
    heard.time = UINT64_MAX;
    im_handover_heard_encode(&b, &heard);
    heard.partition++;
    im_handover_heard_encode(&b, &heard);

    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_heard_decode(&reader, &heard), IM_OK);
    assert_int_equal(heard.partition, IM_PARTITIONS_MAX - 1);
    assert_true(heard.time == UINT64_MAX);
    assert_int_equal(im_handover_heard_decode(&reader, &heard), IM_ERROR);
    im_reader_init(&reader, im_str_set(b.data, 9));
    assert_int_equal(im_handover_heard_decode(&reader, &heard), IM_ERROR);
    im_reader_init(&reader, im_str_set("", 0));
    assert_int_equal(im_handover_heard_decode(&reader, &heard), IM_DECLINED);

    im_buf_reset(&b, 0);
    v.session = 5;
    v.verdict = IM_HANDOVER_RECORD;
    im_handover_verdict_encode(&b, &v);
    v.verdict = IM_HANDOVER_VERDICTS_MAX;
    im_handover_verdict_encode(&b, &v);

    im_reader_init(&reader, im_buf_str(&b));
    assert_int_equal(im_handover_verdict_decode(&reader, &v), IM_OK);
    assert_int_equal(v.session, 5);
    assert_int_equal(v.verdict, IM_HANDOVER_RECORD);
    assert_int_equal(im_handover_verdict_decode(&reader, &v), IM_ERROR);
    im_reader_init(&reader, im_str_set(b.data, 4));
    assert_int_equal(im_handover_verdict_decode(&reader, &v), IM_ERROR);
    im_reader_init(&reader, im_str_set("", 0));
    assert_int_equal(im_handover_verdict_decode(&reader, &v), IM_DECLINED);

    im_buf_cleanup(&b);
}


static void
test_late(void **state)
{
    size_t              i;
    im_buf_t            b;
    im_handover_late_t  late, back;

    (void) state;

    im_buf_init(&b, IM_HANDOVER_MAX);
    memset(&late, 0, sizeof(im_handover_late_t));
    late.session = 3;
    late.bytes = im_str_z("frame");
    im_handover_late_encode(&b, &late);

    assert_int_equal(im_handover_late_decode(im_buf_str(&b), &back), IM_OK);
    assert_int_equal(back.session, 3);
    assert_int_equal(back.closes, 0);
    test_str(back.bytes, "frame");

    /* a send of no bytes is an alert of nginx */

    assert_int_equal(im_handover_late_decode(im_str_set(b.data, 5), &back),
                     IM_ERROR);

    im_buf_reset(&b, 0);
    late.closes = 1;
    late.reason = IM_REASON_KICKED;
    late.code = 1008;
    late.text = im_str_z("kicked by an admin");
    late.why = im_str_z("kicked");
    im_handover_late_encode(&b, &late);

    assert_int_equal(im_handover_late_decode(im_buf_str(&b), &back), IM_OK);
    assert_int_equal(back.closes, 1);
    assert_int_equal(back.bytes.len, 0);
    assert_int_equal(back.reason, IM_REASON_KICKED);
    assert_int_equal(back.code, 1008);
    test_str(back.text, "kicked by an admin");
    test_str(back.why, "kicked");

    for (i = 0; i < b.len; i++) {
        assert_int_equal(im_handover_late_decode(im_str_set(b.data, i), &back),
                         IM_ERROR);
    }

    b.data[5] = IM_REASONS;
    assert_int_equal(im_handover_late_decode(im_buf_str(&b), &back), IM_ERROR);
    b.data[4] = 2;
    assert_int_equal(im_handover_late_decode(im_buf_str(&b), &back), IM_ERROR);

    im_buf_reset(&b, 0);
    late.text = im_str_set(junk, IM_CONTROL_MAX + 1);
    im_handover_late_encode(&b, &late);
    assert_true(b.failed);
    im_buf_cleanup(&b);
}


/* Out in packets of so many bytes and in again; the number of packets. */
static size_t
carry_in(im_handover_input_t *input, im_handover_type_e type, im_str_t body,
    size_t most)
{
    size_t                n, at;
    u_char               *p;
    im_str_t              whole, bytes;
    im_int_t              rc;
    im_handover_type_e    got;
    im_handover_packet_t  packet;

    n = 0;
    at = 0;
    whole = im_str_set(NULL, 0);

    do {
        im_handover_packet(type, body, at, most, &packet);
        at += packet.piece.len;
        n++;

        bytes.len = IM_HANDOVER_HEADER + packet.piece.len;
        assert_true(bytes.len <= most);
        bytes.data = malloc(bytes.len);
        assert_non_null(bytes.data);

        p = im_copy(bytes.data, packet.header, IM_HANDOVER_HEADER);
        im_copy(p, packet.piece.data, packet.piece.len);

        rc = im_handover_input(input, bytes, &got, &whole, &why);
        assert_int_equal(rc, packet.more ? IM_AGAIN : IM_OK);

        if (rc == IM_OK) {
            assert_int_equal(got, type);
            assert_true(im_str_eq(whole, body));
        }

        free(bytes.data);

    } while (packet.more);

    assert_int_equal(at, body.len);

    return n;
}


static size_t
carry(im_handover_input_t *input, im_handover_type_e type, im_str_t body)
{
    return carry_in(input, type, body, IM_HANDOVER_PACKET);
}


static void
test_packets(void **state)
{
    size_t               i, most;
    im_str_t             body;
    im_handover_input_t  input;

    (void) state;

    memset(&input, 0, sizeof(im_handover_input_t));

    body.data = malloc(IM_HANDOVER_MAX);
    assert_non_null(body.data);

    for (i = 0; i < IM_HANDOVER_MAX; i++) {
        body.data[i] = (u_char) (i ^ i >> 8 ^ i >> 16);
    }

    most = IM_HANDOVER_PACKET - IM_HANDOVER_HEADER;

    assert_int_equal(carry(&input, IM_HANDOVER_END, im_str_set(NULL, 0)), 1);

    body.len = 1;
    assert_int_equal(carry(&input, IM_HANDOVER_TOPICS, body), 1);
    body.len = most;
    assert_int_equal(carry(&input, IM_HANDOVER_TOPICS, body), 1);
    assert_null(input.body.data);
    body.len = most + 1;
    assert_int_equal(carry(&input, IM_HANDOVER_SESSIONS, body), 2);
    body.len = 2 * most;
    assert_int_equal(carry(&input, IM_HANDOVER_SESSIONS, body), 2);

    body.len = 5000;
    assert_int_equal(carry_in(&input, IM_HANDOVER_LATE, body,
                              IM_HANDOVER_LEAST), 5);

    body.len = IM_HANDOVER_MAX;
    assert_int_equal(carry(&input, IM_HANDOVER_SESSIONS, body),
                     (IM_HANDOVER_MAX + most - 1) / most);
    assert_int_equal(input.body.len, IM_HANDOVER_MAX);

    /* the memory of a long message goes with the next one */

    body.len = 10;
    assert_int_equal(carry(&input, IM_HANDOVER_LATE, body), 1);
    assert_null(input.body.data);

    im_handover_input_cleanup(&input);
    free(body.data);
}


/* NULL: the packet is taken. */
static const char *
wrong(im_handover_input_t *input, u_char type, u_char flags, size_t len)
{
    u_char              *p;
    im_str_t             body;
    im_int_t             rc;
    im_handover_type_e   got;

    p = calloc(1, len > 0 ? len : 1);
    assert_non_null(p);

    if (len > 0) {
        p[0] = type;
    }

    if (len > 1) {
        p[1] = flags;
    }

    rc = im_handover_input(input, im_str_set(p, len), &got, &body, &why);
    free(p);

    return rc == IM_ERROR ? why : NULL;
}


static void
test_wrong_packets(void **state)
{
    size_t               i;
    im_handover_input_t  input;

    (void) state;

    memset(&input, 0, sizeof(im_handover_input_t));

    assert_non_null(wrong(&input, 1, 0, 0));
    assert_non_null(wrong(&input, 1, 0, 1));
    assert_non_null(wrong(&input, 0, 0, 2));
    assert_non_null(wrong(&input, IM_HANDOVER_TYPES, 0, 2));
    assert_non_null(wrong(&input, 1, 2, 2));
    assert_non_null(wrong(&input, 1, 0, IM_HANDOVER_PACKET + 1));
    assert_non_null(wrong(&input, 1, 1, IM_HANDOVER_LEAST - 1));
    assert_null(wrong(&input, 1, 0, 2));

    /* inside another message */

    assert_null(wrong(&input, IM_HANDOVER_LATE, 1, IM_HANDOVER_PACKET));
    assert_non_null(wrong(&input, IM_HANDOVER_END, 0, 2));
    assert_null(wrong(&input, IM_HANDOVER_LATE, 0, 100));
    assert_null(wrong(&input, IM_HANDOVER_END, 0, 2));

    /* too long: refused before it is kept */

    for (i = 0; i < IM_HANDOVER_MAX / IM_HANDOVER_PACKET; i++) {
        assert_null(wrong(&input, IM_HANDOVER_LATE, 1, IM_HANDOVER_PACKET));
    }

    assert_string_equal(wrong(&input, IM_HANDOVER_LATE, 0, IM_HANDOVER_PACKET),
                        "a message is too long");
    assert_true(input.body.len <= IM_HANDOVER_MAX);

    im_handover_input_cleanup(&input);
}


/* A seed of the fuzz target, behind its type. */
static im_str_t
seed(const char *name, u_char type)
{
    FILE           *file;
    char            path[128];
    size_t          n;
    static u_char   bytes[65536];

    (void) snprintf(path, sizeof(path), "t/fuzz/corpus/handover/%s", name);

    file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("no %s", path);
    }

    n = fread(bytes, 1, sizeof(bytes), file);
    (void) fclose(file);

    assert_in_range(n, 2, sizeof(bytes) - 1);
    assert_int_equal(bytes[0], type);

    return im_str_set(bytes + 1, n - 1);
}


/* The record has all that one of its row can have. */
static void
whole(const im_handover_session_t *s)
{
    size_t  i;

    assert_int_equal(s->has, IM_HANDOVER_HAS_ALL
                             & ~(s->transport->decode != NULL
                                 ? IM_HANDOVER_HAS_EMULATION
                                 : IM_HANDOVER_HAS_PARTIAL));
    assert_true(s->nsubs > 1 && s->nresumes > 0 && s->nops > 0);

    for (i = 0; i < s->nsubs; i++) {
        assert_true(s->subs[i].mark > 0 && s->subs[i].heard > 0);
    }
}


/*
 * The fuzz target begins with what this version says: records of each row with
 * all that they can have, and one of each message.
 */
static void
test_corpus(void **state)
{
    size_t                 i;
    im_handover_late_t     late;
    im_handover_heard_t    heard;
    im_handover_hello_t    hello;
    im_handover_ready_t    ready;
    im_handover_topic_t    topic;
    im_handover_session_t  s;
    im_handover_verdict_t  v;

    static const char *const  records[] = {
        "session_im", "session_deflate", "session_pb_deflate",
        "session_pb_stream", "session_uni_sse", "session_goim", "session_meta",
        "session_plain_sse", "session_echo"
    };

    (void) state;

    for (i = 0; i < test_count(rows); i++) {
        im_reader_init(&reader, seed(records[i], IM_HANDOVER_SESSIONS));
        assert_int_equal(im_handover_session_decode(&reader, &s, &why), IM_OK);
        assert_ptr_equal(s.proto, rows[i].proto);
        assert_ptr_equal(s.transport, rows[i].transport);
        whole(&s);
        im_handover_session_cleanup(&s);
    }

    assert_int_equal(im_handover_hello_decode(seed("hello", IM_HANDOVER_HELLO),
                                              &hello), IM_OK);
    assert_int_equal(hello.version, IM_HANDOVER_VERSION);
    assert_true(hello.zone > 0 && hello.fence > 0);

    im_reader_init(&reader, seed("topics", IM_HANDOVER_TOPICS));
    assert_int_equal(im_handover_topic_decode(&reader, &topic), IM_OK);

    im_reader_init(&reader, seed("ready", IM_HANDOVER_READY));
    assert_int_equal(im_handover_ready_decode(&reader, &ready), IM_OK);
    assert_true(ready.seq > 0 && ready.mark > 0);

    im_reader_init(&reader, seed("heard", IM_HANDOVER_HEARD));
    assert_int_equal(im_handover_heard_decode(&reader, &heard), IM_OK);
    assert_true(heard.partition > 0 && heard.time > 0);

    im_reader_init(&reader, seed("verdicts", IM_HANDOVER_VERDICTS));
    assert_int_equal(im_handover_verdict_decode(&reader, &v), IM_OK);

    assert_int_equal(im_handover_late_decode(seed("late_close",
                                                  IM_HANDOVER_LATE), &late),
                     IM_OK);
}


static void
test_names(void **state)
{
    size_t  i;

    (void) state;

    for (i = 0; i < IM_HANDOVER_TYPES; i++) {
        assert_non_null(im_handover_names[i]);
    }

    for (i = 0; i < IM_HANDOVER_VERDICTS_MAX; i++) {
        assert_non_null(im_handover_verdicts[i]);
    }
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_sessions),
    alloc_test(test_damaged),
    alloc_test(test_limits),
    alloc_test(test_rows),
    alloc_test(test_items),
    alloc_test(test_no_memory),
    alloc_test(test_hello),
    alloc_test(test_topics),
    alloc_test(test_answers),
    alloc_test(test_late),
    alloc_test(test_packets),
    alloc_test(test_wrong_packets),
    alloc_test(test_corpus),
    alloc_test(test_names)
};

test_main(tests)
