/*
 * Copyright (C) The im authors
 *
 * Answers of a backend: codes are in range, what is cut out is valid.
 */

#include <stdlib.h>

#include "im_json.h"
#include "im_utf8.h"
#include "im_webhook.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_answer(const im_webhook_answer_t *answer);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    im_buf_t              arena;
    const char           *why;
    im_webhook_answer_t   answer;

    im_buf_init(&arena, IM_WEBHOOK_ARENA);

    if (im_webhook_decode(im_str_set(data, size), &arena, &answer, &why)
        == IM_OK)
    {
        fuzz_answer(&answer);
        im_webhook_cleanup(&answer);

    } else if (why == NULL || answer.result.subs != NULL) {
        abort();
    }

    im_buf_cleanup(&arena);

    return 0;
}


static void
fuzz_answer(const im_webhook_answer_t *answer)
{
    im_str_t  json[4];
    size_t    i;

    if (answer->type == IM_WEBHOOK_DISCONNECT
        && (answer->code < 3000 || answer->code > 4999
            || answer->reason.len > IM_WEBHOOK_MAX_REASON))
    {
        abort();
    }

    if (answer->type == IM_WEBHOOK_ERROR
        && (answer->code < 100 || answer->code > 1999))
    {
        abort();
    }

    json[0] = answer->result.data;
    json[1] = answer->result.info;
    json[2] = answer->result.meta;
    json[3] = answer->tags;

    for (i = 0; i < 4; i++) {
        if (json[i].len != 0 && !im_json_valid(json[i])) {
            abort();
        }
    }

    if (!im_utf8_valid(answer->reason) || !im_utf8_valid(answer->result.user)
        || !im_utf8_valid(answer->key))
    {
        abort();
    }
}
