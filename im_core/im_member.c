/*
 * Copyright (C) The im authors
 *
 * Members of topics as JSON.
 */

#include "im_member.h"
#include "im_json.h"


static const im_json_field_t  im_member_fields[] = {
    im_json_row(im_member_t, STRING, user),
    im_json_row(im_member_t, STRING, name),
    im_json_row(im_member_t, BYTES, info),
    im_json_row_as(im_member_t, BASE64, "b64info", info),
    im_json_row(im_member_t, BYTES, room_info),
    im_json_row_as(im_member_t, BASE64, "b64room_info", room_info),
    im_json_row(im_member_t, STRING, ip),
    im_json_row(im_member_t, STRING, protocol),
    im_json_row(im_member_t, INT, since),
    im_json_end
};


void
im_member_init(im_member_t *m)
{
    memset(m, 0, sizeof(im_member_t));

    m->since = -1;
}


void
im_member_encode(im_buf_t *b, const im_member_t *m)
{
    im_json_encode(b, im_member_fields, m);
}


im_int_t
im_member_decode(im_str_t json, im_buf_t *arena, im_member_t *m)
{
    const char  *why;

    im_member_init(m);

    return im_json_decode(json, im_member_fields, IM_JSON_LAX, arena, m, &why);
}
