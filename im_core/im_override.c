/*
 * Copyright (C) The im authors
 *
 * Overrides of a subscription.
 */

#include "im_override.h"
#include "im_json.h"


#define IM_OVERRIDES  5


/* In the order of im_override_e. */
typedef struct {
    im_str_t  values[IM_OVERRIDES];
} im_override_json_t;


typedef struct {
    int       value;
} im_override_value_t;


#define im_override_row(n, i)                                                 \
    im_json_row_as(im_override_json_t, OBJECT, n, values[i])


static const im_json_field_t  im_override_fields[] = {
    im_override_row("presence", 0),
    im_override_row("join_leave", 1),
    im_override_row("force_push_join_leave", 2),
    im_override_row("force_recovery", 3),
    im_override_row("force_positioning", 4),
    im_json_end
};


static const im_json_field_t  im_override_value_fields[] = {
    im_json_row(im_override_value_t, BOOL, value),
    im_json_end
};


static im_int_t
im_override_fault(const char *why)
{
    return why == im_json_no_memory ? IM_ERROR : IM_DECLINED;
}


/* {} is false, as of a message of Protobuf. */
static im_int_t
im_override_value(im_override_t *o, im_str_t json, uint8_t bit)
{
    const char           *why;
    im_override_value_t   v;

    if (json.len == 0) {
        return IM_OK;
    }

    v.value = 0;

    if (im_json_decode(json, im_override_value_fields, 0, NULL, &v, &why)
        != IM_OK)
    {
        return im_override_fault(why);
    }

    if (v.value) {
        o->on |= bit;

    } else {
        o->off |= bit;
    }

    return IM_OK;
}


im_int_t
im_override_decode(im_str_t json, im_override_t *o)
{
    im_int_t             rc;
    im_uint_t            i;
    const char          *why;
    im_override_json_t   all;

    memset(o, 0, sizeof(im_override_t));
    memset(&all, 0, sizeof(im_override_json_t));

    if (json.len == 0) {
        return IM_OK;
    }

    if (im_json_decode(json, im_override_fields, 0, NULL, &all, &why)
        != IM_OK)
    {
        return im_override_fault(why);
    }

    for (i = 0; i < IM_OVERRIDES; i++) {
        rc = im_override_value(o, all.values[i], (uint8_t) (1 << i));

        if (rc != IM_OK) {
            return rc;
        }
    }

    return IM_OK;
}
