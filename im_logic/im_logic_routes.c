/*
 * Copyright (C) The im authors
 *
 * From a request to its handler, by a table.
 */

#include "im_logic_routes.h"
#include "im_logic_api.h"
#include "im_logic_api_key.h"
#include "im_logic_goim.h"
#include "im_logic_guard.h"
#include "im_logic_metrics.h"
#include "im_logic_path.h"
#include "im_logic_print.h"
#include "im_logic_push.h"
#include "im_logic_seed.h"
#include "im_logic_v1.h"
#include "im_logic_who.h"


/* Who may ask. */
typedef enum {
    IM_ASKER_PAGE = 0,       /* any page of any origin */
    IM_ASKER_NGINX,          /* nginx for itself, by FastCGI only */
    IM_ASKER_ADMIN,          /* operators and backends, with a key */
    IM_ASKER_MONITOR         /* the same; no key is needed */
} im_logic_asker_e;


typedef struct {
    const char            *path;      /* '*': any name */
    const char            *method;
    im_daemon_request_pt   handler;
    im_logic_asker_e       asker;
    im_logic_form_e        form;      /* of the answers */
    unsigned               json:1;    /* the body is */
    const char *const     *args;      /* of the query; NULL: any */
} im_logic_route_t;


static const char *const  im_logic_args_none[] = { NULL };
static const char *const  im_logic_args_top[] = { "top", NULL };
static const char *const  im_logic_args_history[] = { "limit", "since", NULL };
static const char *const  im_logic_args_kick[] = { "code", "reason", "for",
                                                   NULL };


/* Rows of one path stand together; GET answers HEAD where admins ask. */
static const im_logic_route_t  im_logic_routes[] = {
    { "/im/push", "POST", im_logic_push_handler, IM_ASKER_ADMIN, IM_FORM_OWN,
      0, NULL },
    { "/im_connect", "POST", im_logic_call_handler, IM_ASKER_NGINX,
      IM_FORM_OWN, 0, NULL },
    { "/im/online", "GET", im_logic_online_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/health", "GET", im_logic_health_handler, IM_ASKER_MONITOR,
      IM_FORM_OWN, 0, NULL },
    { "/im/nodes", "GET", im_logic_nodes_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/bans", "GET", im_logic_bans_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/rooms", "GET", im_logic_rooms_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_top },
    { "/health", "GET", im_logic_health_handler, IM_ASKER_MONITOR,
      IM_FORM_OWN, 0, NULL },
    { "/metrics", "GET", im_logic_metrics_handler, IM_ASKER_MONITOR,
      IM_FORM_OWN, 0, NULL },
    { "/im/rooms/*", "GET", im_logic_room_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/rooms/*/history", "GET", im_logic_room_history_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, im_logic_args_history },
    { "/im/users/*", "GET", im_logic_user_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/users/*", "DELETE", im_logic_kick_user_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_kick },
    { "/im/sessions/*", "DELETE", im_logic_kick_session_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, im_logic_args_kick },
    { "/im/accounts/*", "GET", im_logic_admin_show_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, im_logic_args_none },
    { "/im/accounts/*", "POST", im_logic_admin_set_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 1, im_logic_args_none },
    { "/im/accounts/*", "DELETE", im_logic_admin_remove_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, im_logic_args_none },
    { "/goim/push/keys", "POST", im_logic_goim_keys_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/push/mids", "POST", im_logic_goim_mids_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/push/room", "POST", im_logic_goim_room_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/push/all", "POST", im_logic_goim_all_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/online/top", "GET", im_logic_goim_top_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/online/room", "GET", im_logic_goim_rooms_handler, IM_ASKER_ADMIN,
      IM_FORM_OWN, 0, NULL },
    { "/goim/online/total", "GET", im_logic_goim_total_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, NULL },
    { "/goim/nodes/weighted", "GET", im_logic_goim_weighted_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, NULL },
    { "/goim/nodes/instances", "GET", im_logic_goim_instances_handler,
      IM_ASKER_ADMIN, IM_FORM_OWN, 0, NULL },
    { "/api/v1/push", "POST", im_logic_v1_push_handler, IM_ASKER_PAGE,
      IM_FORM_V1, 0, NULL },
    { "/api/v1/pushRoom", "POST", im_logic_v1_room_handler, IM_ASKER_PAGE,
      IM_FORM_V1, 0, NULL },
    { "/api/v1/count", "POST", im_logic_v1_info_handler, IM_ASKER_PAGE,
      IM_FORM_V1, 0, NULL },
    { "/api/v1/getRoomInfo", "POST", im_logic_v1_info_handler, IM_ASKER_PAGE,
      IM_FORM_V1, 0, NULL },
    { "/api/v1/online", "POST", im_logic_v1_online_handler, IM_ASKER_PAGE,
      IM_FORM_V1, 0, NULL },
    { "/v1/user/register", "POST", im_logic_register_handler, IM_ASKER_PAGE,
      IM_FORM_ACCOUNT, 0, NULL },
    { "/v1/user/login", "POST", im_logic_login_handler, IM_ASKER_PAGE,
      IM_FORM_ACCOUNT, 0, NULL },
    { "/v1/user/check_auth", "POST", im_logic_check_auth_handler,
      IM_ASKER_PAGE, IM_FORM_ACCOUNT, 0, NULL },
    { "/v1/user/logout", "GET", im_logic_logout_handler, IM_ASKER_PAGE,
      IM_FORM_ACCOUNT, 0, NULL },
    { "/v1/user/password", "POST", im_logic_password_handler, IM_ASKER_PAGE,
      IM_FORM_ACCOUNT, 0, NULL },
    { "/v1/user/delete", "POST", im_logic_delete_handler, IM_ASKER_PAGE,
      IM_FORM_ACCOUNT, 0, NULL },
    { "/api/v1/*", NULL, NULL, IM_ASKER_PAGE, IM_FORM_V1, 0, NULL },
    { "/api", "POST", im_logic_api_handler, IM_ASKER_ADMIN, IM_FORM_OWN, 1,
      NULL },
    { "/api/*", "POST", im_logic_api_handler, IM_ASKER_ADMIN, IM_FORM_OWN, 1,
      NULL },
    { NULL, NULL, NULL, IM_ASKER_PAGE, IM_FORM_OWN, 0, NULL }
};


#define IM_LOGIC_NROUTES                                                      \
    (sizeof(im_logic_routes) / sizeof(im_logic_route_t))

_Static_assert(IM_LOGIC_NROUTES <= IM_LOGIC_ROUTES, "too many paths");


/* The last row is of all requests that have no path of the table. */
void
im_logic_routes_init(im_logic_t *logic)
{
    im_uint_t             i;
    im_logic_counters_t  *c;

    c = &logic->counters;
    c->nroutes = IM_LOGIC_NROUTES;

    for (i = 0; i < c->nroutes; i++) {
        c->routes[i].path = im_logic_routes[i].path != NULL
                            ? im_logic_routes[i].path : "other";
    }
}


static void
im_logic_route_refuse(im_daemon_request_t *r, const im_logic_route_t *route,
    im_uint_t status, const char *msg)
{
    im_buf_t  nothing;

    if (route->form != IM_FORM_OWN) {
        im_logic_v1_refuse(r, route->form, status);
        return;
    }

    /* what Centrifugo's libraries expect */
    if (status == 401 && route->handler == im_logic_api_handler) {
        im_buf_init(&nothing, 0);
        im_logic_reply(r, 401, &nothing);
        return;
    }

    im_logic_reply_error(r, status, msg);
}


/* The first row of the request's path; its last one is none: 400 or 404. */
static const im_logic_route_t *
im_logic_route_find(im_daemon_request_t *r, im_uint_t *status,
    const char **why)
{
    u_char                  *memory;
    im_int_t                 rc;
    const char              *fault;
    im_logic_path_t         *path;
    const im_logic_route_t  *route;

    *status = 404;
    *why = r->internal && r->uri.len == 0
           ? "no such path: add \"include im_params;\" beside fastcgi_pass"
           : "no such path";

    path = im_daemon_alloc(r, sizeof(im_logic_path_t));
    memory = im_daemon_alloc(r, r->path.len + 1);

    if (path == NULL || memory == NULL) {
        *status = 503;
        *why = "no memory";
        return &im_logic_routes[IM_LOGIC_NROUTES - 1];
    }

    rc = im_logic_path_split(path, r->uri, r->path, memory, &fault);

    for (route = im_logic_routes; route->path != NULL; route++) {
        if ((route->asker != IM_ASKER_NGINX || r->internal)
            && im_logic_path_match(path, route->path, &r->name)
            && (rc == IM_OK || r->name.len == 0))
        {
            return route;
        }
    }

    if (rc == IM_ERROR) {
        *status = 400;
        *why = fault;
    }

    return route;
}


/* The next row of the same path. */
static const im_logic_route_t *
im_logic_route_next(const im_logic_route_t *route)
{
    const im_logic_route_t  *next;

    next = route + 1;

    return next->path != NULL && strcmp(next->path, route->path) == 0
           ? next : NULL;
}


/* NULL: not with this method; r->allow says with which. */
static const im_logic_route_t *
im_logic_route_method(im_daemon_request_t *r, const im_logic_route_t *first)
{
    int                      head;
    im_buf_t                *allow;
    const im_logic_route_t  *route;

    head = 0;
    allow = im_daemon_buf(r, 64);

    for (route = first; route != NULL; route = im_logic_route_next(route)) {

        if (im_str_eq(r->method, im_str_z(route->method))) {
            return route;
        }

        if (route->form == IM_FORM_OWN && strcmp(route->method, "GET") == 0) {
            head = 1;

            if (im_str_eq(r->method, im_str_z("HEAD"))) {
                return route;
            }
        }

        im_logic_print(allow, "%z%z", route == first ? "" : ", ",
                       route->method);
    }

    im_buf_add_z(allow, head ? ", HEAD" : "");
    im_buf_add_u8(allow, '\0');

    r->allow = allow->failed ? first->method : (const char *) allow->data;

    return NULL;
}


/* Whoever asks may.  0, or a status and *why. */
static im_uint_t
im_logic_route_guard(im_daemon_request_t *r, const im_logic_route_t *route,
    const char **why)
{
    im_uint_t  status;

    if (route->asker == IM_ASKER_PAGE || route->asker == IM_ASKER_NGINX) {
        return 0;
    }

    status = im_logic_guard_page(r, why);

    if (status == 0 && route->asker == IM_ASKER_ADMIN
        && !im_logic_api_allowed(r))
    {
        *why = "the request has no valid API key: send one as X-API-Key";
        return 401;
    }

    return status;
}


/* 1: a page of another origin has asked what it may do, and is answered. */
static int
im_logic_route_preflight(im_daemon_request_t *r, const im_logic_route_t *route)
{
    if (route->form != IM_FORM_OWN
        && im_str_eq(r->method, im_str_z("OPTIONS")))
    {
        im_logic_v1_preflight(r, route->form);
        return 1;
    }

    return (route->asker == IM_ASKER_ADMIN || route->asker == IM_ASKER_MONITOR)
           && im_logic_guard_preflight(r);
}


static void
im_logic_route_refuse_method(im_daemon_request_t *r,
    const im_logic_route_t *route)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, 512);
    im_logic_print(b, "%z takes %z, not %s", route->path, r->allow,
                   im_str_set(r->method.data, im_min(r->method.len, 32)));
    im_buf_add_u8(b, '\0');

    im_logic_route_refuse(r, route, 405, b->failed ? "wrong method"
                                         : (const char *) b->data);
}


static void
im_logic_route_run(im_daemon_request_t *r, const im_logic_route_t *route)
{
    im_uint_t    status;
    const char  *why;

    if (r->fault != 0) {
        im_logic_route_refuse(r, route, r->fault, r->why);
        return;
    }

    why = im_logic_query_known(r, route->args);
    status = why != NULL ? 400 : route->json ? im_logic_body(r, 0, &why) : 0;

    if (status != 0) {
        im_logic_route_refuse(r, route, status, why);
        return;
    }

    route->handler(r);
}


void
im_logic_handler(im_daemon_request_t *r)
{
    im_uint_t                status;
    im_logic_t              *logic;
    const char              *why;
    const im_logic_route_t  *route, *first;

    logic = r->data;
    logic->nrequests++;

    first = im_logic_route_find(r, &status, &why);

    r->route = (im_uint_t) (first - im_logic_routes);
    im_logic_v1_headers(r, first->form);

    if (logic->nrequests > logic->conf.max_requests) {
        logic->counters.hits[IM_HIT_REQUESTS]++;
        im_logic_route_refuse(r, first, 503, "too many requests under way");
        return;
    }

    if (first->handler == NULL) {
        im_logic_reply_error(r, r->fault != 0 ? r->fault : status,
                             r->fault != 0 ? r->why : why);
        return;
    }

    if (im_logic_route_preflight(r, first)) {
        return;
    }

    status = im_logic_route_guard(r, first, &why);

    if (status != 0) {
        im_logic_route_refuse(r, first, status, why);
        return;
    }

    route = im_logic_route_method(r, first);

    if (route == NULL) {
        im_logic_route_refuse_method(r, first);
        return;
    }

    im_logic_route_run(r, route);
}
