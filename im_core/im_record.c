/*
 * Copyright (C) The im authors
 *
 * Lease records: names, values, and back.
 */

#include "im_record.h"


const im_json_field_t  im_record_fields[IM_RECORD_FIELDS] = {
    im_json_row(im_record_t, STRING, node),
    im_json_row(im_record_t, STRING, rules),
    im_json_row(im_record_t, STRING, users),
    im_json_row(im_record_t, STRING, rooms),
    im_json_row(im_record_t, STRING, version),
    im_json_row(im_record_t, STRING, protocols),
    im_json_row(im_record_t, INT, sessions),
    im_json_row(im_record_t, INT, topics),
    im_json_row(im_record_t, INT, subs),
    im_json_row(im_record_t, INT, draining),
    im_json_row(im_record_t, INT, addresses),
    im_json_row(im_record_t, INT, time),
    im_json_row(im_record_t, INT, away),
    im_json_row(im_record_t, INT, accepted),
    im_json_row(im_record_t, INT, refused),
    im_json_row(im_record_t, INT, messages_in),
    im_json_row(im_record_t, INT, messages_out),
    im_json_row(im_record_t, INT, bytes_out)
};


void
im_record_encode(im_buf_t *b, const im_record_t *record,
    im_str_t values[IM_RECORD_FIELDS])
{
    size_t         at[IM_RECORD_FIELDS];
    im_uint_t      i;
    const u_char  *field;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        at[i] = b->len;
        field = (const u_char *) record + im_record_fields[i].offset;

        if (im_record_fields[i].type == IM_JSON_STRING) {
            values[i] = *(const im_str_t *) field;

        } else {
            im_buf_add_int(b, *(const int64_t *) field);
            values[i].len = b->len - at[i];
        }
    }

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        if (im_record_fields[i].type == IM_JSON_INT) {
            values[i].data = b->data + at[i];
        }
    }
}


/* What is no number, or too large a one, is 0. */
static int64_t
im_record_number(im_str_t value)
{
    size_t   i;
    int64_t  n;

    if (value.len > 18) {
        return 0;
    }

    for (i = 0, n = 0; i < value.len; i++) {

        if (value.data[i] < '0' || value.data[i] > '9') {
            return 0;
        }

        n = n * 10 + value.data[i] - '0';
    }

    return n;
}


void
im_record_decode(const im_str_t values[IM_RECORD_FIELDS], im_record_t *record)
{
    u_char     *field;
    im_uint_t   i;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        field = (u_char *) record + im_record_fields[i].offset;

        if (im_record_fields[i].type == IM_JSON_STRING) {
            *(im_str_t *) field = values[i];

        } else {
            *(int64_t *) field = im_record_number(values[i]);
        }
    }
}
