/*
 * Copyright (C) The im authors
 *
 * Questions to logic and its answers.
 */

#include "im_ask.h"
#include "im_json.h"


typedef struct {
    int64_t   code;
    im_str_t  data;
} im_ask_answer_t;


static const im_str_t  im_ask_calls[] = {
    im_str("connect"),
    im_str("publish")
};


static const im_json_field_t  im_ask_fields[] = {
    im_json_row(im_ask_t, STRING, call),
    im_json_row(im_ask_t, STRING, protocol),
    im_json_row(im_ask_t, STRING, token),
    im_json_row(im_ask_t, STRING, room),
    im_json_row(im_ask_t, STRING, ip),
    im_json_row(im_ask_t, STRING, node),
    im_json_row(im_ask_t, STRING, mid),
    im_json_row(im_ask_t, STRING, key),
    im_json_row(im_ask_t, STRING, id),
    im_json_row(im_ask_t, OBJECT, tags),
    im_json_row(im_ask_t, STRING, session),
    im_json_row(im_ask_t, STRING, user),
    im_json_row(im_ask_t, STRING, name),
    im_json_row(im_ask_t, BYTES, info),
    im_json_row_as(im_ask_t, BASE64, "b64info", info),
    im_json_row(im_ask_t, BYTES, data),
    im_json_row_as(im_ask_t, BASE64, "b64data", data),
    im_json_row(im_ask_t, BOOL, skip_history),
    im_json_end
};


static const im_json_field_t  im_ask_identity_fields[] = {
    im_json_row(im_ask_identity_t, STRING, user),
    im_json_row(im_ask_identity_t, STRING, name),
    im_json_row(im_ask_identity_t, OBJECT, info),
    im_json_row(im_ask_identity_t, RAW, rooms),
    im_json_row(im_ask_identity_t, STRING, login),
    im_json_end
};


static const im_json_field_t  im_ask_answer_fields[] = {
    im_json_row(im_ask_answer_t, INT, code),
    im_json_row(im_ask_answer_t, OBJECT, data),
    im_json_end
};


/* A question without a call is the first kind, as it always was. */
void
im_ask_encode(im_buf_t *b, const im_ask_t *ask)
{
    im_ask_t  copy;

    copy = *ask;
    copy.call = im_str_set(NULL, 0);
    copy.skip_history = ask->skip_history ? 1 : -1;

    if (ask->kind != IM_ASK_CONNECT) {
        copy.call = im_ask_calls[ask->kind];
    }

    if (copy.room.data == NULL) {
        copy.room = im_str_z("");
    }

    im_json_encode(b, im_ask_fields, &copy);
}


im_int_t
im_ask_decode(im_str_t json, im_buf_t *arena, im_ask_t *ask, const char **why)
{
    memset(ask, 0, sizeof(im_ask_t));

    if (im_json_decode(json, im_ask_fields, 0, arena, ask, why) != IM_OK) {
        return IM_ERROR;
    }

    if (ask->call.len == 0) {
        ask->call = im_ask_calls[IM_ASK_CONNECT];
    }

    if (im_str_eq(ask->info, im_str_z("null"))) {
        ask->info.len = 0;
    }

    while (!im_str_eq(ask->call, im_ask_calls[ask->kind])) {
        if (ask->kind++ == IM_ASK_PUBLISH) {
            return IM_DECLINED;
        }
    }

    return IM_OK;
}


void
im_ask_identity_encode(im_buf_t *b, const im_ask_identity_t *identity)
{
    im_ask_identity_t  copy;

    copy = *identity;

    if (copy.user.data == NULL) {
        copy.user = im_str_z("");
    }

    if (copy.name.data == NULL) {
        copy.name = im_str_z("");
    }

    im_json_encode(b, im_ask_identity_fields, &copy);
}


/* IM_OK: a pattern matches; IM_DECLINED: none; IM_ERROR: not such a list. */
static im_int_t
im_ask_rooms(im_str_t rooms, const im_str_t *room)
{
    size_t     at;
    im_buf_t   arena;
    im_int_t   rc;
    im_str_t   pattern;
    im_uint_t  n;

    at = 0;
    n = 0;

    im_buf_init(&arena, rooms.len);

    while ((rc = im_json_next_string(rooms, &at, &arena, &pattern)) == IM_OK) {

        if (n++ == IM_ASK_ROOMS_MAX) {
            rc = IM_ERROR;
            break;
        }

        /* an exact name, or a prefix with '*' behind it */

        if (room != NULL
            && (im_str_eq(pattern, *room)
                || (pattern.len > 0 && pattern.data[pattern.len - 1] == '*'
                    && im_str_begins(*room, im_str_set(pattern.data,
                                                       pattern.len - 1)))))
        {
            break;
        }

        im_buf_reset(&arena, rooms.len);
    }

    im_buf_cleanup(&arena);

    return rc;
}


im_int_t
im_ask_identity_decode(im_str_t json, im_buf_t *arena,
    im_ask_identity_t *identity, const char **why)
{
    im_str_t  *rooms;

    rooms = &identity->rooms;

    memset(identity, 0, sizeof(im_ask_identity_t));

    if (im_json_decode(json, im_ask_identity_fields, 0, arena, identity, why)
        != IM_OK)
    {
        return IM_ERROR;
    }

    if (im_str_eq(*rooms, im_str_z("null"))) {
        rooms->len = 0;
    }

    if (rooms->len > 0
        && (rooms->data[0] != '[' || im_ask_rooms(*rooms, NULL) == IM_ERROR))
    {
        *why = "rooms is not a list of patterns";
        return IM_ERROR;
    }

    return IM_OK;
}


int
im_ask_room_allowed(im_str_t rooms, im_str_t room)
{
    return rooms.len == 0 || im_ask_rooms(rooms, &room) == IM_OK;
}


int64_t
im_ask_answer_decode(im_str_t json, im_str_t *data)
{
    const char       *why;
    im_ask_answer_t   answer;

    memset(&answer, 0, sizeof(im_ask_answer_t));

    if (im_json_decode(json, im_ask_answer_fields, 0, NULL, &answer, &why)
        != IM_OK)
    {
        answer.code = -1;
    }

    *data = answer.data;

    return answer.code;
}
