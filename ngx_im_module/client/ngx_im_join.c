/*
 * Copyright (C) The im authors
 *
 * Requests that say all.  What can be refused before the answer begins is
 * refused here; what only a token can tell ends the session.
 */

#include "ngx_im_join.h"
#include "ngx_im_session.h"
#include "im_header.h"
#include "im_query.h"
#include "im_request.h"


#define NGX_IM_JOIN_POSITION  8192   /* bytes */


static const ngx_im_refused_t  ngx_im_join_no_memory = {
    NGX_IM_REFUSED_MEMORY,
    NGX_HTTP_INTERNAL_SERVER_ERROR, NULL, NULL, "no memory"
};

static const ngx_im_refused_t  ngx_im_join_no_room = {
    NGX_IM_REFUSED_ROOM,
    NGX_HTTP_BAD_REQUEST, NULL, NULL, "no room is named (im_join)"
};

static const ngx_im_refused_t  ngx_im_join_unknown = {
    NGX_IM_REFUSED_ROOM,
    NGX_HTTP_NOT_FOUND, NULL, NULL, "no such room (im_room)"
};

static const ngx_im_refused_t  ngx_im_join_private = {
    NGX_IM_REFUSED_ROOM,
    NGX_HTTP_FORBIDDEN, NULL, NULL,
    "the room is for clients with a token for it"
};

static const ngx_im_refused_t  ngx_im_join_users = {
    NGX_IM_REFUSED_TOKEN,
    NGX_HTTP_FORBIDDEN, NULL, NULL, "the room is for signed-in users"
};

static const ngx_im_refused_t  ngx_im_join_no_token = {
    NGX_IM_REFUSED_TOKEN,
    NGX_HTTP_UNAUTHORIZED, NULL, NULL, "no token (im_auth)"
};

static const ngx_im_refused_t  ngx_im_join_kept_out = {
    NGX_IM_REFUSED_KEPT_OUT,
    NGX_HTTP_FORBIDDEN, NULL, NULL, "the user is kept out"
};

/* to an EventSource it says that it needs not come back */
static const ngx_im_refused_t  ngx_im_join_never = {
    NGX_IM_REFUSED_KEPT_OUT,
    NGX_HTTP_NO_CONTENT, NULL, NULL, "the user is kept out"
};

static const ngx_im_refused_t  ngx_im_join_bad_last = {
    NGX_IM_REFUSED_REQUEST,
    NGX_HTTP_BAD_REQUEST, NULL, NULL,
    "the argument \"last\" must be a number of messages from 0 to 300"
};

static const ngx_im_refused_t  ngx_im_join_bad_position = {
    NGX_IM_REFUSED_REQUEST,
    NGX_HTTP_BAD_REQUEST, NULL, NULL,
    "Last-Event-ID or the argument \"last_event_id\" is malformed or too long"
};


static const ngx_im_refused_t *
ngx_im_join_bad(ngx_http_request_t *r, const char *why)
{
    ngx_im_refused_t  *no;

    no = ngx_pcalloc(r->pool, sizeof(ngx_im_refused_t));
    if (no == NULL) {
        return &ngx_im_join_no_memory;
    }

    no->reason = NGX_IM_REFUSED_REQUEST;
    no->status = NGX_HTTP_BAD_REQUEST;
    no->why = why;

    return no;
}


static const ngx_im_refused_t *
ngx_im_join_rooms(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_uint_t max, im_request_t *request)
{
    u_char                    *p;
    im_buf_t                   names;
    ngx_str_t                  list;
    ngx_uint_t                 i;
    const char                *why;
    ngx_http_complex_value_t  *value;

    value = ilcf->joins->elts;

    for (i = 0; i < ilcf->joins->nelts; i++) {

        if (ngx_http_complex_value(r, &value[i], &list) != NGX_OK) {
            return &ngx_im_join_no_memory;
        }

        p = ngx_pnalloc(r->pool, list.len + 1);
        if (p == NULL) {
            return &ngx_im_join_no_memory;
        }

        im_buf_fixed(&names, p, list.len + 1);

        if (im_request_rooms(request, ngx_im_str(list), max, &names, &why)
            != IM_OK)
        {
            return ngx_im_join_bad(r, why);
        }
    }

    return request->nrooms == 0 ? &ngx_im_join_no_room : NULL;
}


/* What is sure by the rules.  guest: no token or answer makes a user of it. */
static const ngx_im_refused_t *
ngx_im_join_allowed(ngx_im_loc_conf_t *ilcf, const im_request_t *request,
    ngx_uint_t guest)
{
    ngx_uint_t        i;
    const im_rule_t  *rule;

    for (i = 0; i < request->nrooms; i++) {
        rule = im_rules_room(&ilcf->main->rules, request->rooms[i]);

        if (rule == NULL) {
            return &ngx_im_join_unknown;
        }

        if (request->rooms[i].data[0] == '$'
            || rule->join == IM_RULE_JOIN_TOKEN)
        {
            return &ngx_im_join_private;
        }

        if (rule->join == IM_RULE_JOIN_USER && guest) {
            return &ngx_im_join_users;
        }
    }

    return NULL;
}


/* NGX_DECLINED: there is no such argument, or it is empty. */
static ngx_int_t
ngx_im_join_arg(ngx_http_request_t *r, const char *name, im_str_t *value)
{
    u_char    *p;
    im_buf_t   b;
    im_int_t   rc;

    *value = im_str_set("", 0);

    if (r->args.len == 0) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, r->args.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    im_buf_fixed(&b, p, r->args.len);

    rc = im_query_arg(ngx_im_str(r->args), im_str_z(name), &b);

    if (rc == IM_OK) {
        *value = im_buf_str(&b);
    }

    return rc == IM_OK && b.len == 0 ? NGX_DECLINED : (ngx_int_t) rc;
}


/* An EventSource sends the header when it comes back. */
static im_str_t
ngx_im_join_header(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const ngx_str_t  name = ngx_string("last-event-id");

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == name.len
                && ngx_strncasecmp(h[i].key.data, name.data, name.len) == 0)
            {
                return im_header_trim(ngx_im_str(h[i].value));
            }
        }
    }

    return im_str_set("", 0);
}


static const ngx_im_refused_t *
ngx_im_join_begin(ngx_http_request_t *r, im_request_t *request)
{
    im_str_t   last;
    ngx_int_t  rc;

    request->last = 0;
    request->position = ngx_im_join_header(r);

    if (request->position.len == 0
        && ngx_im_join_arg(r, "last_event_id", &request->position)
           == NGX_ERROR)
    {
        return &ngx_im_join_bad_position;
    }

    if (request->position.len > NGX_IM_JOIN_POSITION) {
        return &ngx_im_join_bad_position;
    }

    rc = ngx_im_join_arg(r, "last", &last);

    return rc == NGX_ERROR
           || (rc == NGX_OK && im_request_last(last, &request->last) != IM_OK)
           ? &ngx_im_join_bad_last : NULL;
}


/* guest: as above. */
static const ngx_im_refused_t *
ngx_im_join_token(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    im_str_t user, im_request_t *request, ngx_uint_t *guest)
{
    ngx_str_t   token;
    ngx_uint_t  asks;

    *guest = user.len == 0;
    request->token = im_str_set("", 0);

    asks = ilcf->webhooks[IM_WEBHOOK_CONNECT].len > 0;

    if (ilcf->auth == NGX_IM_AUTH_NONE) {
        *guest = *guest && !asks;
        return NULL;
    }

    ngx_str_null(&token);

    if (ilcf->token != NULL) {
        if (ngx_http_complex_value(r, ilcf->token, &token) != NGX_OK) {
            return &ngx_im_join_no_memory;
        }

        request->token = ngx_im_str(token);

    } else if (ngx_im_join_arg(r, "token", &request->token) == NGX_ERROR) {
        return ngx_im_join_bad(r, "the argument \"token\" has a % without two "
                               "hexadecimal digits");
    }

    if (request->token.len > UINT16_MAX) {
        return ngx_im_join_bad(r, "the token is too long");
    }

    if (*guest && !asks && request->token.len == 0) {
        return &ngx_im_join_no_token;
    }

    *guest = 0;

    return NULL;
}


static const ngx_im_refused_t *
ngx_im_join_encode(ngx_http_request_t *r, const im_request_t *request,
    im_str_t *first)
{
    u_char    *p;
    im_buf_t  *b;

    b = &ngx_im_worker->scratch;

    im_buf_reset(b, 65536);
    im_request_encode(b, request);

    p = b->failed ? NULL : ngx_pnalloc(r->pool, b->len);
    if (p == NULL) {
        return &ngx_im_join_no_memory;
    }

    im_copy(p, b->data, b->len);
    *first = im_str_set(p, b->len);

    return NULL;
}


const ngx_im_refused_t *
ngx_im_join(ngx_http_request_t *r, ngx_im_loc_conf_t *ilcf,
    ngx_im_handshake_t *hs)
{
    im_str_t                 user, name;
    ngx_uint_t               guest, max;
    im_request_t             request;
    const ngx_im_refused_t  *no;

    ngx_im_opening_user(hs->opening, &user, &name);

    request.nrooms = 0;

    max = ilcf->main->topics_per_session;
    max -= max > 1 && user.len > 0;          /* its inbox */

    no = ngx_im_join_rooms(r, ilcf, max, &request);

    if (no == NULL) {
        no = ngx_im_join_begin(r, &request);
    }

    if (no == NULL) {
        no = ngx_im_join_token(r, ilcf, user, &request, &guest);
    }

    if (no == NULL) {
        no = ngx_im_join_allowed(ilcf, &request, guest);
    }

    if (no != NULL) {
        return no;
    }

    if (user.len > 0 && ngx_im_worker->events->kept_out(ngx_im_worker, user)) {
        return hs->transport->fields != NULL ? &ngx_im_join_never
                                             : &ngx_im_join_kept_out;
    }

    return ngx_im_join_encode(r, &request, &hs->first);
}
