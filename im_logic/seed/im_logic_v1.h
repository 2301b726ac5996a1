/*
 * Copyright (C) The im authors
 *
 * Codes and answers of /api/v1/ and /v1/user/.
 */

#ifndef IM_LOGIC_V1_H
#define IM_LOGIC_V1_H


#include "im_logic.h"


/* /api/v1/ */
#define IM_V1_OK            0
#define IM_V1_NETWORK      -1
#define IM_V1_SEND         -11
#define IM_V1_AWAY         -1000    /* told as -1, with Retry-After */

/* /v1/user/ */
#define IM_ACCOUNT_OK        0
#define IM_ACCOUNT_INVALID  -1
#define IM_ACCOUNT_SYSTEM   -11
#define IM_ACCOUNT_DATABASE -12
#define IM_ACCOUNT_EXISTS   -1001
#define IM_ACCOUNT_WRONG    -1002
#define IM_ACCOUNT_NO_USER  -1003
#define IM_ACCOUNT_NO_AUTH  -1004
#define IM_ACCOUNT_OFTEN    -1005    /* not the seed's */


void im_logic_v1_reply(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, int code);

/* msg NULL: that of the code; data NULL: {} */
void im_logic_account_reply(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, int code, const char *msg, const im_buf_t *data);


#endif /* IM_LOGIC_V1_H */
