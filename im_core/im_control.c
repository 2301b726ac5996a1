/*
 * Copyright (C) The im authors
 *
 * Control entries in and out.
 */

#include "im_control.h"
#include "im_key.h"
#include "im_push.h"
#include "im_ws.h"


typedef struct {
    im_str_t  op;          /* "+" or "-" */
    im_str_t  session;
    im_str_t  member;
    int       late;        /* -1: it isn't */
} im_control_row_t;


/* No two kinds give one name to different things. */
static const im_json_field_t  im_control_fields[] = {
    im_json_row(im_control_t, RAWS, changes),
    im_json_row(im_control_t, STRING, from),
    im_json_row(im_control_t, STRING, room),
    im_json_row(im_control_t, INT, code),
    im_json_row(im_control_t, STRING, reason),
    im_json_row(im_control_t, STRINGS, except),
    im_json_row(im_control_t, STRING, login),
    im_json_row_as(im_control_t, INT, "for", seconds),
    im_json_row(im_control_t, STRING, epoch),
    im_json_row(im_control_t, INT, seq),
    im_json_row(im_control_t, BYTES, info),
    im_json_row_as(im_control_t, BASE64, "b64info", info),
    im_json_row(im_control_t, BYTES, data),
    im_json_row_as(im_control_t, BASE64, "b64data", data),
    im_json_row(im_control_t, OBJECT, override),
    im_json_row(im_control_t, BOOL, expired),
    im_json_row(im_control_t, INT, expire_at),
    im_json_end
};


static const im_json_field_t  im_control_change_fields[] = {
    im_json_row(im_control_row_t, STRING, op),
    im_json_row(im_control_row_t, STRING, session),
    im_json_row(im_control_row_t, OBJECT, member),
    im_json_row(im_control_row_t, BOOL, late),
    im_json_end
};


void
im_control_init(im_control_t *c, im_control_e kind)
{
    memset(c, 0, sizeof(im_control_t));

    c->kind = kind;
    c->code = -1;
    c->seconds = -1;
    c->seq = -1;
    c->expire_at = -1;
    c->expired = -1;
    c->changes.max = IM_CONTROL_CHANGES_MAX;
    c->except.max = IM_CONTROL_EXCEPT_MAX;
}


void
im_control_cleanup(im_control_t *c)
{
    im_json_strings_free(&c->changes);
    im_json_strings_free(&c->except);
    im_buf_cleanup(&c->arena);
}


void
im_control_queue(im_buf_t *b, const im_control_t *c)
{
    if (c->topic.len > 0) {
        im_buf_add_str(b, c->topic);

    } else if (c->user.len > 0) {
        im_topic_user(b, c->user);

    } else {
        im_buf_add_z(b, "s:");
        im_buf_add_str(b, c->session);
    }
}


/* Every worker holds the broadcast, which has no routes. */
int
im_control_everywhere(const im_control_t *c)
{
    return c->topic.len == 0 || c->topic.data[0] == 'b';
}


int
im_control_code_valid(int64_t code)
{
    return code == IM_WS_CLOSE_NORMAL || (code >= 3000 && code <= 4999);
}


void
im_control_encode(im_buf_t *b, const im_control_t *c, uint64_t now)
{
    im_buf_t       data;
    im_envelope_t  e;

    im_buf_init(&data, IM_PUSH_MAX_DATA);
    im_json_encode(&data, im_control_fields, c);

    memset(&e, 0, sizeof(im_envelope_t));

    e.kind = IM_PUSH_CONTROL;
    e.type = IM_PUSH_JSON;
    e.operation = (int32_t) c->kind;
    e.time = now;
    e.user = c->user;
    e.session = c->session;
    e.data = im_buf_str(&data);

    if (data.failed) {
        b->failed = 1;
    }

    im_envelope_encode(b, &e);
    im_buf_cleanup(&data);
}


static im_int_t
im_control_data(im_control_t *c, im_str_t json, const char **why)
{
    size_t     len;
    im_buf_t  *arena;

    arena = &c->arena;
    len = json.len + IM_NAME_MAX + 2;

    im_buf_init(arena, len);

    if (json.len == 0) {
        return IM_OK;
    }

    /* all at once, so that no string moves */

    if (im_buf_reserve(arena, len) == NULL) {
        *why = im_json_no_memory;
        return IM_ERROR;
    }

    arena->len = 0;

    if (im_json_decode(json, im_control_fields, 0, arena, c, why) != IM_OK) {
        return IM_ERROR;
    }

    if (c->room.len == 0) {
        return IM_OK;
    }

    if (!im_name_valid(c->room)) {
        *why = "the room is not valid";
        return IM_ERROR;
    }

    c->topic = im_str_set(arena->data + arena->len, c->room.len + 2);
    im_topic_room(arena, c->room);

    return IM_OK;
}


im_int_t
im_control_decode(im_str_t topic, im_str_t envelope, im_control_t *c,
    const char **why)
{
    im_envelope_t  e;

    *why = "not an envelope";
    c->kind = 0;

    if (im_envelope_decode(envelope, &e) != IM_OK
        || e.kind != IM_PUSH_CONTROL)
    {
        return IM_ERROR;
    }

    if (e.operation < IM_CONTROL_CHANGES || e.operation > IM_CONTROL_FORGET) {
        return IM_DECLINED;
    }

    im_control_init(c, (im_control_e) e.operation);

    c->topic = topic;
    c->user = e.user;
    c->session = e.session;

    if (im_control_data(c, e.data, why) == IM_OK) {
        return IM_OK;
    }

    im_control_cleanup(c);

    return IM_ERROR;
}


void
im_control_change_encode(im_buf_t *b, const im_control_change_t *change,
    im_str_t member)
{
    im_control_row_t  row;

    row.op = im_str_z(change->joined ? "+" : "-");
    row.session = change->member.session;
    row.member = member;
    row.late = change->late ? 1 : -1;

    im_json_encode(b, im_control_change_fields, &row);
}


im_int_t
im_control_change_decode(im_str_t json, im_buf_t *arena,
    im_control_change_t *change)
{
    const char        *why;
    im_control_row_t   row;

    memset(&row, 0, sizeof(im_control_row_t));

    if (im_buf_reserve(arena, 2 * json.len) == NULL) {
        return IM_ERROR;
    }

    arena->len -= 2 * json.len;

    if (im_json_decode(json, im_control_change_fields, 0, arena, &row, &why)
        != IM_OK
        || row.op.len != 1
        || im_member_decode(row.member, arena, &change->member) != IM_OK)
    {
        return IM_ERROR;
    }

    change->joined = row.op.data[0] == '+';
    change->late = row.late > 0;
    change->member.session = row.session;

    return IM_OK;
}
