/*
 * Copyright (C) The im authors
 *
 * Verdicts on answers of backends.
 */

#include "im_verdict.h"


#define IM_VERDICT_BYTES  60
#define IM_VERDICT_WORD   16


static const struct {
    im_uint_t     first;
    im_uint_t     last;
    im_verdict_e  verdict;
} im_verdicts[] = {
    { 0, 0, IM_VERDICT_AWAY },
    { 200, 200, IM_VERDICT_TAKEN },
    { 401, 401, IM_VERDICT_REFUSED },
    { 403, 403, IM_VERDICT_REFUSED },
    { 408, 408, IM_VERDICT_AWAY },
    { 425, 425, IM_VERDICT_AWAY },
    { 429, 429, IM_VERDICT_AWAY },
    { 500, 599, IM_VERDICT_AWAY }
};


im_verdict_e
im_verdict(im_uint_t status)
{
    size_t  i;

    for (i = 0; i < sizeof(im_verdicts) / sizeof(im_verdicts[0]); i++) {
        if (status >= im_verdicts[i].first && status <= im_verdicts[i].last) {
            return im_verdicts[i].verdict;
        }
    }

    return IM_VERDICT_STRANGE;
}


static int
im_verdict_blank(u_char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/* Tags and spaces end a word. */
static int
im_verdict_word(u_char c)
{
    return c > ' ' && c < 0x7f && c != '<' && c != '>';
}


void
im_verdict_excerpt(im_buf_t *b, im_str_t body)
{
    u_char  c;
    size_t  i, word;

    while (body.len > 0 && im_verdict_blank(*body.data)) {
        body.data++;
        body.len--;
    }

    if (body.len == 0) {
        im_buf_add_z(b, "it is empty");
        return;
    }

    if (strchr("{[\"", *body.data) != NULL) {
        im_buf_add_z(b, "it looks like JSON");
        return;
    }

    im_buf_add_z(b, "it begins with \"");

    word = 0;

    for (i = 0; i < im_min(body.len, IM_VERDICT_BYTES); i++) {
        c = body.data[i];
        word = im_verdict_word(c) ? word + 1 : 0;

        if (word > IM_VERDICT_WORD) {
            im_buf_add_z(b, "..");
            break;
        }

        im_buf_add_u8(b, c < ' ' || c >= 0x7f || c == '"' ? '.' : c);
    }

    im_buf_add_z(b, "\"");
}
