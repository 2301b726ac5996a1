/*
 * Copyright (C) The im authors
 *
 * From a request to its handler, by a table.
 */

#include "im_logic_routes.h"
#include "im_logic_api.h"
#include "im_logic_push.h"
#include "im_logic_seed.h"
#include "im_logic_url.h"
#include "im_logic_v1.h"
#include "im_logic_who.h"


typedef struct {
    const char            *path;
    const char            *method;
    im_daemon_request_pt   handler;
    unsigned               prefix:1;      /* something follows */
    unsigned               internal:1;    /* by nginx only */
    im_logic_form_e        form;          /* of the answers */
} im_logic_path_t;


static const im_logic_path_t  im_logic_paths[] = {
    { "/im/push", "POST", im_logic_push_handler, 0, 0, IM_FORM_OWN },
    { "/im_connect", "POST", im_logic_call_handler, 0, 1, IM_FORM_OWN },
    { "/im/online", "GET", im_logic_online_handler, 0, 0, IM_FORM_OWN },
    { "/im/health", "GET", im_logic_health_handler, 0, 0, IM_FORM_OWN },
    { "/im/rooms/", "GET", im_logic_room_handler, 1, 0, IM_FORM_OWN },
    { "/im/users/", "GET", im_logic_user_handler, 1, 0, IM_FORM_OWN },
    { "/im/users/", "DELETE", im_logic_kick_handler, 1, 0, IM_FORM_OWN },
    { "/im/sessions/", "DELETE", im_logic_kick_handler, 1, 0, IM_FORM_OWN },
    { "/api/v1/push", "POST", im_logic_v1_push_handler, 0, 0, IM_FORM_V1 },
    { "/api/v1/pushRoom", "POST", im_logic_v1_room_handler, 0, 0,
      IM_FORM_V1 },
    { "/api/v1/count", "POST", im_logic_v1_info_handler, 0, 0, IM_FORM_V1 },
    { "/api/v1/getRoomInfo", "POST", im_logic_v1_info_handler, 0, 0,
      IM_FORM_V1 },
    { "/v1/user/register", "POST", im_logic_register_handler, 0, 0,
      IM_FORM_ACCOUNT },
    { "/v1/user/login", "POST", im_logic_login_handler, 0, 0,
      IM_FORM_ACCOUNT },
    { "/v1/user/check_auth", "POST", im_logic_check_auth_handler, 0, 0,
      IM_FORM_ACCOUNT },
    { "/v1/user/logout", "GET", im_logic_logout_handler, 0, 0,
      IM_FORM_ACCOUNT },
    { "/api/v1/", NULL, NULL, 1, 0, IM_FORM_V1 },      /* nothing else there */
    { "/api/", "POST", im_logic_api_handler, 1, 0, IM_FORM_OWN },
    { NULL, NULL, NULL, 0, 0, IM_FORM_OWN }
};


/* The first row of the request's path. */
static const im_logic_path_t *
im_logic_path(const im_daemon_request_t *r)
{
    im_str_t                rest = im_null_str;
    const im_logic_path_t  *path;

    for (path = im_logic_paths; path->path != NULL; path++) {
        if ((!path->internal || r->internal)
            && im_logic_url_behind(r->uri, path->path, &rest) == IM_OK
            && (rest.len == 0) == !path->prefix)
        {
            break;
        }
    }

    return path;
}


static void
im_logic_refuse(im_daemon_request_t *r, const im_logic_path_t *path,
    im_uint_t status, const char *msg)
{
    if (path->form == IM_FORM_OWN) {
        im_logic_reply_error(r, status, msg);
        return;
    }

    im_logic_v1_refuse(r, path->form, status);
}


void
im_logic_handler(im_daemon_request_t *r)
{
    int                     two;
    im_logic_t             *logic;
    const im_logic_path_t  *path;

    logic = r->data;
    logic->nrequests++;

    path = im_logic_path(r);

    im_logic_v1_headers(r, path->form);

    if (logic->nrequests > logic->conf.max_requests) {
        im_logic_refuse(r, path, 503, "too many requests under way");
        return;
    }

    if (path->handler == NULL) {
        im_logic_reply_error(r, 404, "no such path");
        return;
    }

    if (path->form != IM_FORM_OWN
        && im_str_eq(r->method, im_str_z("OPTIONS")))
    {
        im_logic_v1_preflight(r, path->form);
        return;
    }

    /* rows of one path stand together */
    two = path[1].path != NULL && strcmp(path[1].path, path->path) == 0;

    if (two && im_str_eq(r->method, im_str_z(path[1].method))) {
        path++;

    } else if (!im_str_eq(r->method, im_str_z(path->method))) {
        r->allow = two ? "GET, DELETE" : path->method;
        im_logic_refuse(r, path, 405, "wrong method");
        return;
    }

    if (r->too_large) {
        im_logic_refuse(r, path, 413, "the body is too large");
        return;
    }

    path->handler(r);
}
