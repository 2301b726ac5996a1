/*
 * Copyright (C) The im authors
 *
 * The forms of answers that pages of the seed system read, and their codes.
 */

#ifndef IM_LOGIC_V1_H
#define IM_LOGIC_V1_H


#include "im_logic_request.h"


/* /api/v1/ */
#define IM_V1_OK            0
#define IM_V1_NETWORK      -1
#define IM_V1_SEND         -11
#define IM_V1_AWAY         -1000    /* goes out as -1, with Retry-After */

/* /v1/user/ */
#define IM_ACCOUNT_OK        0
#define IM_ACCOUNT_INVALID  -1
#define IM_ACCOUNT_SYSTEM   -11
#define IM_ACCOUNT_DATABASE -12
#define IM_ACCOUNT_EXISTS   -1001
#define IM_ACCOUNT_WRONG    -1002
#define IM_ACCOUNT_NO_USER  -1003
#define IM_ACCOUNT_NO_AUTH  -1004
#define IM_ACCOUNT_OFTEN    -1005    /* not the seed's, as those below */
#define IM_ACCOUNT_KEPT_OUT -1006


typedef enum {
    IM_FORM_OWN = 0,
    IM_FORM_V1,              /* /api/v1/ */
    IM_FORM_ACCOUNT          /* /v1/user/ */
} im_logic_form_e;


/* Headers of all answers of this form. */
void im_logic_v1_headers(im_daemon_request_t *r, im_logic_form_e form);
void im_logic_v1_preflight(im_daemon_request_t *r, im_logic_form_e form);
/* Refuses what doesn't reach its handler. */
void im_logic_v1_refuse(im_daemon_request_t *r, im_logic_form_e form,
    im_uint_t status);

/* A room by "room", its name, or "rid", its number, as the name of that. */
im_int_t im_logic_v1_room(im_daemon_request_t *r, im_str_t *room);

void im_logic_v1_reply(im_daemon_request_t *r, im_uint_t status, int code);
/* Success, with what pages of the seed system don't ask for. */
void im_logic_v1_reply_data(im_daemon_request_t *r, const im_buf_t *data);

/* What the answers of a path are counted by: 0 to IM_LOGIC_CODES - 1. */
const char *im_logic_account_result(im_uint_t i);

/* msg NULL: that of the code; data NULL: {} */
void im_logic_account_reply(im_daemon_request_t *r, im_uint_t status, int code,
    const char *msg, const im_buf_t *data);


#endif /* IM_LOGIC_V1_H */
