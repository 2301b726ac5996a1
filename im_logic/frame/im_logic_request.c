/*
 * Copyright (C) The im authors
 *
 * From a request to its handler, and the forms of answers.
 */

#include <stdio.h>

#include "im_logic.h"
#include "im_logic_url.h"
#include "im_json.h"
#include "im_key.h"


typedef struct {
    const char       *path;
    const char       *method;
    void            (*handler)(im_logic_t *logic, im_daemon_request_t *r,
                         im_str_t rest);
    unsigned          prefix:1;       /* something follows */
    unsigned          internal:1;     /* by nginx only */
    im_logic_form_e   form;           /* of the answers */
} im_logic_path_t;


static const im_logic_path_t *im_logic_path(const im_daemon_request_t *r,
    const im_logic_path_t *path);
static const char *im_logic_allow(const im_logic_path_t *path);
static void im_logic_refuse(im_logic_t *logic, im_daemon_request_t *r,
    const im_logic_path_t *path, im_uint_t status, const char *msg);


static const im_logic_path_t  im_logic_paths[] = {
    { "/im/push", "POST", im_logic_push, 0, 0, IM_FORM_OWN },
    { "/im_connect", "POST", im_logic_call, 0, 1, IM_FORM_OWN },
    { "/im/online", "GET", im_logic_online, 0, 0, IM_FORM_OWN },
    { "/im/health", "GET", im_logic_health, 0, 0, IM_FORM_OWN },
    { "/im/rooms/", "GET", im_logic_room, 1, 0, IM_FORM_OWN },
    { "/im/users/", "GET", im_logic_user, 1, 0, IM_FORM_OWN },
    { "/im/users/", "DELETE", im_logic_kick_user, 1, 0, IM_FORM_OWN },
    { "/im/sessions/", "DELETE", im_logic_kick_session, 1, 0, IM_FORM_OWN },
    { "/api/v1/push", "POST", im_logic_v1_push, 0, 0, IM_FORM_V1 },
    { "/api/v1/pushRoom", "POST", im_logic_v1_push_room, 0, 0, IM_FORM_V1 },
    { "/api/v1/count", "POST", im_logic_v1_room_info, 0, 0, IM_FORM_V1 },
    { "/api/v1/getRoomInfo", "POST", im_logic_v1_room_info, 0, 0,
      IM_FORM_V1 },
    { "/v1/user/register", "POST", im_logic_register, 0, 0,
      IM_FORM_ACCOUNT },
    { "/v1/user/login", "POST", im_logic_login, 0, 0, IM_FORM_ACCOUNT },
    { "/v1/user/check_auth", "POST", im_logic_check_auth, 0, 0,
      IM_FORM_ACCOUNT },
    { "/v1/user/logout", "GET", im_logic_logout, 0, 0, IM_FORM_ACCOUNT },
    { "/api/v1/", NULL, NULL, 1, 0, IM_FORM_V1 },      /* nothing else there */
    { "/api/", "POST", im_logic_api, 1, 0, IM_FORM_OWN },
    { NULL, NULL, NULL, 0, 0, IM_FORM_OWN }
};


void
im_logic_handler(im_daemon_request_t *r, void *data)
{
    im_str_t                rest = im_null_str, options = im_str("OPTIONS");
    im_logic_t             *logic = data;
    const im_logic_path_t  *path;

    logic->nrequests++;

    for (path = im_logic_paths; path->path != NULL; path++) {
        if ((!path->internal || r->internal)
            && im_logic_url_behind(r->uri, path->path, &rest) == IM_OK
            && (rest.len == 0) == !path->prefix)
        {
            break;
        }
    }

    im_logic_v1_headers(r, path->form);

    if (logic->nrequests > logic->conf.max_requests) {
        im_logic_refuse(logic, r, path, 503, "too many requests under way");
        return;
    }

    if (path->handler == NULL) {
        im_logic_reply_error(logic, r, 404, "no such path");
        return;
    }

    if (path->form != IM_FORM_OWN && im_str_eq(r->method, options)) {
        im_logic_v1_preflight(logic, r, path->form);
        return;
    }

    path = im_logic_path(r, path);

    if (!im_str_eq(r->method, im_str_z(path->method))) {
        r->allow = im_logic_allow(path);
        im_logic_refuse(logic, r, path, 405, "wrong method");
        return;
    }

    if (r->too_large) {
        im_logic_refuse(logic, r, path, 413, "the body is too large");
        return;
    }

    path->handler(logic, r, rest);
}


/* The row of the method, where it has one; they stand together. */
static const im_logic_path_t *
im_logic_path(const im_daemon_request_t *r, const im_logic_path_t *path)
{
    const im_logic_path_t  *p;

    for (p = path; p->path != NULL && strcmp(p->path, path->path) == 0; p++) {
        if (im_str_eq(r->method, im_str_z(p->method))) {
            return p;
        }
    }

    return path;
}


static const char *
im_logic_allow(const im_logic_path_t *path)
{
    if (path[1].path != NULL && strcmp(path[1].path, path->path) == 0) {
        return "GET, DELETE";
    }

    return path->method;
}


static void
im_logic_refuse(im_logic_t *logic, im_daemon_request_t *r,
    const im_logic_path_t *path, im_uint_t status, const char *msg)
{
    if (path->form == IM_FORM_OWN) {
        im_logic_reply_error(logic, r, status, msg);
        return;
    }

    im_logic_v1_refuse(logic, r, path->form, status);
}


void
im_logic_reply_data(im_logic_t *logic, im_daemon_request_t *r,
    const im_buf_t *data)
{
    im_buf_t  b;

    im_buf_init(&b, IM_LOGIC_MAX_REPLY + 64);

    im_buf_add_z(&b, "{\"code\":0,\"msg\":\"success\",\"data\":");
    im_buf_add_str(&b, im_buf_str(data));
    im_buf_add_z(&b, "}\n");

    if (data->failed) {
        b.failed = 1;
    }

    im_logic_reply(logic, r, 200, &b);
    im_buf_cleanup(&b);
}


void
im_logic_reply_error(im_logic_t *logic, im_daemon_request_t *r,
    im_uint_t status, const char *msg)
{
    im_buf_t  b;

    if (status == 503) {
        r->retry = 1;
    }

    im_buf_init(&b, 4096);

    im_buf_add_z(&b, "{\"code\":");
    im_buf_add_uint(&b, status);
    im_buf_add_z(&b, ",\"msg\":");
    im_json_add_string(&b, im_str_z(msg));
    im_buf_add_z(&b, "}\n");

    im_logic_reply(logic, r, status, &b);
    im_buf_cleanup(&b);
}


void
im_logic_reply(im_logic_t *logic, im_daemon_request_t *r, im_uint_t status,
    const im_buf_t *json)
{
    static const im_str_t  failed = im_str("{\"code\":503,"
                                           "\"msg\":\"no memory\"}\n");

    if (json->failed) {
        r->retry = 1;
        r->reply(r, 503, failed);

    } else {
        r->reply(r, status, im_buf_str(json));
    }

    logic->nrequests--;

    if (logic->stopping && logic->nrequests == 0) {
        im_logic_stopped(logic);
    }
}


im_uint_t
im_logic_json_status(const char *why)
{
    if (why == im_json_no_memory) {
        return 503;
    }

    return strcmp(why, "too many elements") == 0 ? 413 : 400;
}


int
im_logic_name_or_none(im_str_t name)
{
    return name.len == 0 || im_name_valid(name);
}


const char *
im_logic_unready(const im_logic_t *logic)
{
    const char  *why;

    why = im_logic_unknown(logic);

    if (why != NULL) {
        return why;
    }

    if (logic->nodes.nworkers == 0) {
        return "no nginx worker lives";
    }

    return NULL;
}


const char *
im_logic_unknown(const im_logic_t *logic)
{
    if (!im_daemon_redis_ready(logic->redis)) {
        return im_daemon_redis_why(logic->redis);
    }

    return logic->nodes.known ? NULL : "the workers are not known yet";
}
