/*
 * Copyright (C) The im authors
 *
 * What the answer of a backend means before it is read: one judgement for all
 * questions.
 */

#ifndef IM_VERDICT_H
#define IM_VERDICT_H


#include "im_types.h"
#include "im_buf.h"


#define IM_VERDICT_EXCERPT  128          /* bytes of im_verdict_excerpt() */


typedef enum {
    IM_VERDICT_TAKEN = 0,        /* 200: its body says more */
    IM_VERDICT_REFUSED,          /* 401, 403: final */
    IM_VERDICT_AWAY,             /* no answer, or not now: ask again later */
    IM_VERDICT_STRANGE           /* nothing that can be understood; later */
} im_verdict_e;


/* By its HTTP status; 0: there was no answer. */
im_verdict_e im_verdict(im_uint_t status);

/*
 * Appends what a log line may say of a body that isn't understood: how it
 * begins if it is no JSON, without long words, which could be secrets.
 */
void im_verdict_excerpt(im_buf_t *b, im_str_t body);


#endif /* IM_VERDICT_H */
