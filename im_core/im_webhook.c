/*
 * Copyright (C) The im authors
 *
 * Questions to a backend, and its answers.
 */

#include "im_webhook.h"
#include "im_json.h"


#define IM_WEBHOOK_ERROR_LEAST       100
#define IM_WEBHOOK_ERROR_MOST        1999
#define IM_WEBHOOK_DISCONNECT_LEAST  3000
#define IM_WEBHOOK_DISCONNECT_MOST   4999


/* A member of a question. */
typedef struct {
    const char      *name;
    size_t           offset;
    im_uint_t        kinds;      /* a bit for each kind that has it */
    im_json_type_e   type;       /* BYTES: as JSON, or "b64NAME" in base64 */
    unsigned         always:1;   /* even if it is empty */
} im_webhook_member_t;


typedef struct {
    int64_t   code;
    im_str_t  message;
    im_str_t  reason;
    int       temporary;
} im_webhook_code_t;


typedef struct {
    im_str_t  user;
    im_str_t  key;
    im_str_t  tags;
    int       expired;
    int       skip_history;
} im_webhook_more_t;


const im_str_t  im_webhook_names[IM_WEBHOOKS] = {
    im_str("connect"),
    im_str("subscribe"),
    im_str("publish"),
    im_str("rpc"),
    im_str("refresh"),
    im_str("sub_refresh")
};


#define im_webhook_bit(kind)  (1u << IM_WEBHOOK_##kind)
#define im_webhook_member(field, type, kinds, always)                         \
    { #field, offsetof(im_webhook_ask_t, field), kinds, IM_JSON_##type, always }


static const im_webhook_member_t  im_webhook_members[] = {
    im_webhook_member(user, STRING, ~im_webhook_bit(CONNECT), 1),
    im_webhook_member(user, STRING, im_webhook_bit(CONNECT), 0),
    im_webhook_member(meta, RAW, ~im_webhook_bit(CONNECT), 0),
    im_webhook_member(name, STRING, im_webhook_bit(CONNECT), 0),
    im_webhook_member(version, STRING, im_webhook_bit(CONNECT), 0),
    im_webhook_member(channel, STRING, im_webhook_bit(SUBSCRIBE)
                      | im_webhook_bit(PUBLISH) | im_webhook_bit(SUB_REFRESH),
                      1),
    im_webhook_member(token, STRING, im_webhook_bit(SUBSCRIBE), 0),
    im_webhook_member(method, STRING, im_webhook_bit(RPC), 1),
    im_webhook_member(data, BYTES, ~(im_webhook_bit(REFRESH)
                                     | im_webhook_bit(SUB_REFRESH)), 0),
    { NULL, 0, 0, 0, 0 }
};


/* By the type of the answer. */
static const im_json_field_t  im_webhook_body_fields[] = {
    { im_str("result"), IM_JSON_RAW, IM_WEBHOOK_RESULT * sizeof(im_str_t) },
    { im_str("error"), IM_JSON_RAW, IM_WEBHOOK_ERROR * sizeof(im_str_t) },
    { im_str("disconnect"), IM_JSON_RAW,
      IM_WEBHOOK_DISCONNECT * sizeof(im_str_t) },
    im_json_end
};


static const im_json_field_t  im_webhook_code_fields[] = {
    im_json_row(im_webhook_code_t, INT, code),
    im_json_row(im_webhook_code_t, STRING, message),
    im_json_row(im_webhook_code_t, STRING, reason),
    im_json_row(im_webhook_code_t, BOOL, temporary),
    im_json_end
};


static const im_json_field_t  im_webhook_more_fields[] = {
    im_json_row(im_webhook_more_t, STRING, user),
    im_json_row_as(im_webhook_more_t, STRING, "idempotency_key", key),
    im_json_row(im_webhook_more_t, RAW, tags),
    im_json_row(im_webhook_more_t, BOOL, expired),
    im_json_row(im_webhook_more_t, BOOL, skip_history),
    im_json_end
};


static void
im_webhook_add_member(im_buf_t *b, const im_webhook_member_t *m, im_str_t value)
{
    im_json_type_e  type;

    type = m->type;

    if (type == IM_JSON_BYTES) {
        type = im_json_embeds(value) ? IM_JSON_RAW : IM_JSON_BASE64;
    }

    im_buf_add_z(b, type == IM_JSON_BASE64 ? ",\"b64" : ",\"");
    im_buf_add_z(b, m->name);
    im_buf_add_z(b, "\":");

    switch (type) {

    case IM_JSON_RAW:
        im_buf_add_str(b, value);
        break;

    case IM_JSON_BASE64:
        im_json_add_base64(b, value);
        break;

    default:
        im_json_add_string(b, value);
    }
}


void
im_webhook_encode(im_buf_t *b, const im_webhook_ask_t *ask)
{
    const im_str_t             *value;
    const im_webhook_member_t  *m;

    im_buf_add_z(b, "{\"client\":");
    im_json_add_string(b, ask->client);
    im_buf_add_z(b, ",\"transport\":");
    im_json_add_string(b, ask->transport);
    im_buf_add_z(b, ",\"protocol\":");
    im_json_add_string(b, ask->protocol);
    im_buf_add_z(b, ",\"encoding\":");
    im_buf_add_z(b, ask->data.len == 0 || im_json_embeds(ask->data)
                    ? "\"json\"" : "\"binary\"");

    for (m = im_webhook_members; m->name != NULL; m++) {
        value = (const void *) ((const u_char *) ask + m->offset);

        if (!(m->kinds & 1u << ask->kind) || (value->len == 0 && !m->always)) {
            continue;
        }

        im_webhook_add_member(b, m, *value);
    }

    im_buf_add_z(b, "}");
}


static im_int_t
im_webhook_fail(const char **why, const char *text)
{
    if (*why != im_json_no_memory) {
        *why = text;
    }

    return IM_ERROR;
}


static int
im_webhook_given(im_str_t json)
{
    return json.len != 0 && !im_str_eq(json, im_str_z("null"));
}


/* Only codes that clients of the protocol understand. */
static im_int_t
im_webhook_code(im_str_t json, im_buf_t *arena, im_webhook_answer_t *answer,
    const char **why)
{
    int                disconnect;
    im_webhook_code_t  code;

    memset(&code, 0, sizeof(im_webhook_code_t));

    if (im_json_decode(json, im_webhook_code_fields, 0, arena, &code, why)
        != IM_OK)
    {
        return im_webhook_fail(why, "the answer's code is not valid");
    }

    disconnect = answer->type == IM_WEBHOOK_DISCONNECT;
    answer->reason = disconnect ? code.reason : code.message;

    if (code.code < (disconnect ? IM_WEBHOOK_DISCONNECT_LEAST
                                : IM_WEBHOOK_ERROR_LEAST)
        || code.code > (disconnect ? IM_WEBHOOK_DISCONNECT_MOST
                                   : IM_WEBHOOK_ERROR_MOST))
    {
        return im_webhook_fail(why, "the answer's code is out of range");
    }

    if (disconnect && answer->reason.len > IM_WEBHOOK_MAX_REASON) {
        return im_webhook_fail(why, "the answer's reason is too long");
    }

    answer->code = (uint32_t) code.code;
    answer->temporary = code.temporary != 0;

    return IM_OK;
}


/* An object of strings. */
static im_int_t
im_webhook_tags(im_str_t tags, im_buf_t *arena, im_webhook_answer_t *answer,
    const char **why)
{
    size_t    at;
    im_int_t  rc;
    im_str_t  name, value;

    if (!im_webhook_given(tags)) {
        return IM_OK;
    }

    if (tags.data[0] != '{') {
        return IM_ERROR;
    }

    at = 0;

    do {
        rc = im_json_next_member(tags, &at, arena, &name, &value);
    } while (rc == IM_OK && value.data[0] == '"');

    if (rc == IM_ERROR) {
        *why = im_json_no_memory;
    }

    answer->tags = tags;

    return rc == IM_DECLINED ? IM_OK : IM_ERROR;
}


/* Most members of a result are claims of a token, too. */
static im_int_t
im_webhook_result(im_str_t json, im_buf_t *arena, im_webhook_answer_t *answer,
    const char **why)
{
    im_jwt_parts_t      parts;
    im_webhook_more_t   more;

    memset(&parts, 0, sizeof(im_jwt_parts_t));
    memset(&more, 0, sizeof(im_webhook_more_t));

    parts.claims = json;

    if (im_jwt_claims(&parts, arena, &answer->result) != IM_OK) {
        *why = answer->result.why;
        return im_webhook_fail(why, "the answer's result is not valid");
    }

    if (im_json_decode(json, im_webhook_more_fields, 0, arena, &more, why)
        != IM_OK
        || im_webhook_tags(more.tags, arena, answer, why) != IM_OK)
    {
        im_webhook_cleanup(answer);
        return im_webhook_fail(why, "the answer's result is not valid");
    }

    answer->result.user = more.user;
    answer->key = more.key;
    answer->expired = more.expired != 0;
    answer->skip_history = more.skip_history != 0;

    return IM_OK;
}


im_int_t
im_webhook_decode(im_str_t body, im_buf_t *arena, im_webhook_answer_t *answer,
    const char **why)
{
    im_str_t             parts[IM_WEBHOOK_DISCONNECT + 1];
    im_webhook_answer_e  type;

    memset(answer, 0, sizeof(im_webhook_answer_t));
    memset(parts, 0, sizeof(parts));
    *why = NULL;

    if (body.len > IM_WEBHOOK_MAX) {
        return im_webhook_fail(why, "the answer is too long");
    }

    if (im_json_decode(body, im_webhook_body_fields, 0, NULL, parts, why)
        != IM_OK)
    {
        return im_webhook_fail(why, "the answer is not a JSON object");
    }

    /* reserve all at once, so that decoded strings do not move */

    if (im_buf_reserve(arena, 5 * body.len) == NULL) {
        *why = im_json_no_memory;
        return IM_ERROR;
    }

    arena->len -= 5 * body.len;

    type = IM_WEBHOOK_DISCONNECT;

    while (type > IM_WEBHOOK_NOTHING && !im_webhook_given(parts[type])) {
        type--;
    }

    answer->type = type;

    if (type >= IM_WEBHOOK_ERROR) {
        return im_webhook_code(parts[type], arena, answer, why);
    }

    return type == IM_WEBHOOK_RESULT
           ? im_webhook_result(parts[type], arena, answer, why) : IM_OK;
}


void
im_webhook_cleanup(im_webhook_answer_t *answer)
{
    im_jwt_cleanup(&answer->result);
}
