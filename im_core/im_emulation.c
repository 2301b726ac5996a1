/*
 * Copyright (C) The im authors
 *
 * Emulation: requests that carry messages of sessions, and the names of these.
 *
 * The secret of a session is a keyed hash of its id, so that no memory is
 * needed for it.
 */

#include "im_emulation.h"
#include "im_hash.h"
#include "im_json.h"
#include "im_proto_centrifuge.h"
#include "im_push.h"


static const im_json_field_t  im_emulation_fields[] = {
    im_json_row(im_emulation_t, STRING, session),
    im_json_row(im_emulation_t, STRING, node),
    im_json_row(im_emulation_t, STRING, data),
    im_json_end
};


im_int_t
im_emulation_decode(im_str_t type, im_str_t body, im_buf_t *arena,
    im_emulation_t *e, const char **why)
{
    im_int_t  rc;

    memset(e, 0, sizeof(im_emulation_t));

    rc = im_str_eq(type, im_str_z(IM_EMULATION_BINARY))
         ? im_centrifuge_emulation(body, e, why)
         : im_json_decode(body, im_emulation_fields, 0, arena, e, why);

    if (rc != IM_OK) {
        return IM_ERROR;
    }

    if (e->session.len == 0) {
        *why = "no session";
        return IM_ERROR;
    }

    if (e->node.len == 0) {
        *why = "no node";
        return IM_ERROR;
    }

    return IM_OK;
}


void
im_emulation_entry(im_entry_t *entry, const im_emulation_t *e, uint64_t number)
{
    memset(entry, 0, sizeof(im_entry_t));

    entry->kind = IM_PUSH_INPUT;
    entry->topic = e->session;
    entry->seq = number;
    entry->envelope = e->data;
}


static u_char *
im_emulation_hex(u_char *p, const u_char *bytes, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        *p++ = (u_char) "0123456789abcdef"[bytes[i] >> 4];
        *p++ = (u_char) "0123456789abcdef"[bytes[i] & 0x0f];
    }

    return p;
}


void
im_emulation_session(const im_emulation_keys_t *keys, const u_char id[16],
    u_char text[IM_EMULATION_SESSION])
{
    u_char    *p;
    uint64_t   hash;
    im_uint_t  i;

    p = im_emulation_hex(text, id, 16);

    for (i = 0; i < 2; i++) {
        hash = im_siphash(keys->keys[i], id, 16);
        p = im_emulation_hex(p, (u_char *) &hash, sizeof(hash));
    }
}


static int
im_emulation_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


im_int_t
im_emulation_session_decode(const im_emulation_keys_t *keys, im_str_t text,
    u_char id[16])
{
    int        high, low;
    u_char     differs;
    u_char     good[IM_EMULATION_SESSION];
    im_uint_t  i;

    if (text.len != IM_EMULATION_SESSION) {
        return IM_DECLINED;
    }

    for (i = 0; i < 16; i++) {
        high = im_emulation_digit(text.data[2 * i]);
        low = im_emulation_digit(text.data[2 * i + 1]);

        if (high < 0 || low < 0) {
            return IM_DECLINED;
        }

        id[i] = (u_char) (high << 4 | low);
    }

    im_emulation_session(keys, id, good);

    differs = 0;

    for (i = 0; i < IM_EMULATION_SESSION; i++) {
        differs |= good[i] ^ text.data[i];
    }

    return differs == 0 ? IM_OK : IM_DECLINED;
}
