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


const im_json_field_t  im_record_counts[IM_COUNTS] = {
    im_json_row(im_record_t, INT, sessions),
    im_json_row(im_record_t, INT, subs),
    im_json_row(im_record_t, INT, addresses),
    im_json_row(im_record_t, STRING, protocols)
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


static void
im_record_set(im_record_t *record, const im_json_field_t *field,
    im_str_t value)
{
    u_char  *at;

    at = (u_char *) record + field->offset;

    if (field->type == IM_JSON_STRING) {
        *(im_str_t *) at = value;

    } else {
        *(int64_t *) at = im_record_number(value);
    }
}


void
im_record_decode(const im_str_t values[IM_RECORD_FIELDS], im_record_t *record)
{
    im_uint_t  i;

    for (i = 0; i < IM_RECORD_FIELDS; i++) {
        im_record_set(record, &im_record_fields[i], values[i]);
    }
}


void
im_record_count(const im_str_t values[IM_COUNTS], im_record_t *record)
{
    im_uint_t  i;

    for (i = 0; i < IM_COUNTS; i++) {
        im_record_set(record, &im_record_counts[i], values[i]);
    }
}


int
im_record_moves(im_uint_t field)
{
    size_t     offset;
    im_uint_t  i;

    offset = im_record_fields[field].offset;

    for (i = 0; i < IM_COUNTS; i++) {
        if (offset == im_record_counts[i].offset) {
            return 1;
        }
    }

    return offset == offsetof(im_record_t, users)
           || offset == offsetof(im_record_t, rooms);
}
