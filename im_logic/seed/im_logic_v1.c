/*
 * Copyright (C) The im authors
 *
 * The forms of answers that the pages of the seed system read: HTTP 200
 * with a code in the body, for any origin.
 */

#include "im_logic_v1.h"
#include "im_logic_print.h"


/* What each form says of a request that doesn't reach its handler. */
typedef struct {
    const char                *form;
    const im_daemon_header_t  *headers;
    const im_daemon_header_t  *preflight;
    im_uint_t                  status;        /* of the preflight's answer */
    int                        bad;           /* code of a bad request */
    int                        busy;
} im_logic_v1_form_t;


typedef struct {
    int          code;
    const char  *msg;
} im_logic_v1_code_t;


#define IM_V1_HEADERS  "Origin, Authorization, Access-Control-Allow-Origin, " \
                       "Access-Control-Allow-Headers, Content-Type"
#define IM_V1_EXPOSED  "Content-Length, Access-Control-Allow-Origin, "        \
                       "Access-Control-Allow-Headers, Content-Type"


static const im_daemon_header_t  im_logic_v1_api_headers[] = {
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Headers", "Content-Type" },
    { NULL, NULL }
};


static const im_daemon_header_t  im_logic_v1_api_preflight[] = {
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Headers", "Content-Type, Authorization" },
    { "Access-Control-Allow-Methods", "POST, OPTIONS" },
    { "Access-Control-Max-Age", "86400" },
    { NULL, NULL }
};


static const im_daemon_header_t  im_logic_v1_account_headers[] = {
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Credentials", "true" },
    { "Access-Control-Expose-Headers", IM_V1_EXPOSED },
    { NULL, NULL }
};


static const im_daemon_header_t  im_logic_v1_account_preflight[] = {
    { "Access-Control-Allow-Origin", "*" },
    { "Access-Control-Allow-Credentials", "true" },
    { "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS" },
    { "Access-Control-Allow-Headers", IM_V1_HEADERS },
    { "Access-Control-Max-Age", "86400" },
    { NULL, NULL }
};


/* By im_logic_form_e. */
static const im_logic_v1_form_t  im_logic_v1_forms[] = {
    { NULL, NULL, NULL, 0, 0, 0 },
    { NULL, im_logic_v1_api_headers, im_logic_v1_api_preflight, 204,
      IM_V1_NETWORK, IM_V1_AWAY },
    { "application/json; charset=utf-8", im_logic_v1_account_headers,
      im_logic_v1_account_preflight, 200, IM_ACCOUNT_INVALID,
      IM_ACCOUNT_SYSTEM }
};


static const im_logic_v1_code_t  im_logic_v1_codes[] = {
    { IM_V1_OK, "success" },
    { IM_V1_NETWORK, "网络请求出错" },
    { IM_V1_SEND, "发送失败" },
    { 0, NULL }
};


static const im_logic_v1_code_t  im_logic_account_codes[] = {
    { IM_ACCOUNT_OK, "请求成功" },
    { IM_ACCOUNT_INVALID, "参数验证出错" },
    { IM_ACCOUNT_SYSTEM, "系统异常" },
    { IM_ACCOUNT_DATABASE, "数据库操作异常" },
    { IM_ACCOUNT_EXISTS, "用户名已存在" },
    { IM_ACCOUNT_WRONG, "用户名密码有误" },
    { IM_ACCOUNT_NO_USER, "用户不存在" },
    { IM_ACCOUNT_NO_AUTH, "用户AUTH失效" },
    { IM_ACCOUNT_OFTEN, "尝试次数过多，请稍后再试" },
    { IM_ACCOUNT_KEPT_OUT, "用户已被暂时禁止" },
    { 0, NULL }
};

_Static_assert(sizeof(im_logic_account_codes) / sizeof(im_logic_v1_code_t) - 1
               == IM_LOGIC_CODES, "each code has a count and a name");


void
im_logic_v1_headers(im_daemon_request_t *r, im_logic_form_e form)
{
    r->form = im_logic_v1_forms[form].form;
    r->headers = im_logic_v1_forms[form].headers;
}


void
im_logic_v1_preflight(im_daemon_request_t *r, im_logic_form_e form)
{
    im_buf_t  none;

    im_buf_init(&none, 0);

    r->headers = im_logic_v1_forms[form].preflight;

    im_logic_reply(r, im_logic_v1_forms[form].status, &none);
}


void
im_logic_v1_refuse(im_daemon_request_t *r, im_logic_form_e form,
    im_uint_t status)
{
    int                        code;
    const im_logic_v1_form_t  *f;

    f = &im_logic_v1_forms[form];
    code = status == 503 ? f->busy : f->bad;
    status = status == 405 ? 405 : 200;

    if (form == IM_FORM_V1) {
        im_logic_v1_reply(r, status, code);

    } else {
        im_logic_account_reply(r, status, code, NULL, NULL);
    }
}


static const char *
im_logic_v1_msg(const im_logic_v1_code_t *codes, int code)
{
    for ( /* void */ ; codes->msg != NULL; codes++) {
        if (codes->code == code) {
            return codes->msg;
        }
    }

    return "";
}


void
im_logic_v1_reply(im_daemon_request_t *r, im_uint_t status, int code)
{
    im_buf_t  *b;

    if (code == IM_V1_AWAY) {
        r->retry = 1;
        code = IM_V1_NETWORK;
    }

    b = im_daemon_buf(r, 256);

    im_logic_print(b, "{\"code\":%d,\"msg\":%J}\n", (int64_t) code,
                   im_logic_v1_msg(im_logic_v1_codes, code));

    im_logic_reply(r, status, b);
}


/* The row of a code. */
static im_uint_t
im_logic_account_row(int code)
{
    im_uint_t  i;

    for (i = 0; i < IM_LOGIC_CODES - 1; i++) {
        if (im_logic_account_codes[i].code == code) {
            break;
        }
    }

    return i;
}


const char *
im_logic_account_result(im_uint_t i)
{
    static const char *const  names[IM_LOGIC_CODES] = {
        "ok", "invalid", "system", "redis", "exists", "wrong", "no_user",
        "no_auth", "too_often", "kept_out"
    };

    return names[i];
}


void
im_logic_v1_reply_data(im_daemon_request_t *r, const im_buf_t *data)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, 512);

    im_logic_print(b, "{\"code\":0,\"msg\":\"success\",\"data\":%s}\n",
                   im_buf_str(data));

    b->failed |= data->failed;

    im_logic_reply(r, 200, b);
}


void
im_logic_account_reply(im_daemon_request_t *r, im_uint_t status, int code,
    const char *msg, const im_buf_t *data)
{
    im_buf_t    *b;
    im_logic_t  *logic;

    logic = r->data;
    logic->counters.routes[r->route].codes[im_logic_account_row(code)]++;

    if (code == IM_ACCOUNT_SYSTEM || code == IM_ACCOUNT_DATABASE) {
        r->retry = 1;
    }

    if (msg == NULL) {
        msg = im_logic_v1_msg(im_logic_account_codes, code);
    }

    b = im_daemon_buf(r, 4096);

    im_logic_print(b, "{\"code\":%d,\"msg\":%J,\"data\":%s}\n",
                   (int64_t) code, msg,
                   data != NULL ? im_buf_str(data) : im_str_z("{}"));

    if (data != NULL && data->failed) {
        b->failed = 1;
    }

    im_logic_reply(r, status, b);
}


im_int_t
im_logic_v1_room(im_daemon_request_t *r, im_str_t *room)
{
    im_buf_t  *b;
    uint64_t   n;

    switch (im_logic_query(r, "room", IM_NAME_MAX, room)) {

    case IM_OK:
        return im_name_valid(*room) ? IM_OK : IM_ERROR;

    case IM_ERROR:
        return IM_ERROR;
    }

    if (im_logic_query_number(r, "rid", INT32_MAX, &n) != IM_OK) {
        return IM_ERROR;
    }

    b = im_daemon_buf(r, 16);
    im_buf_add_uint(b, n);

    *room = im_buf_str(b);

    return b->failed ? IM_ERROR : IM_OK;
}
