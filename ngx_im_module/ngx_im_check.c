/*
 * Copyright (C) The im authors
 *
 * What only the whole configuration shows: questions that lead nowhere are
 * refused, and what can never work is warned of.
 *
 * Configurations of nginx's own modules are read by their first members, which
 * have not changed since nginx 1.0.
 */

#include "ngx_im_check.h"
#include "ngx_im_client.h"
#include "ngx_im_nginx.h"
#include "ngx_im_option.h"
#include "ngx_im_server_set.h"


typedef ngx_int_t (*ngx_im_check_pt)(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf);


/* Like ngx_http_core_find_static_location(), which needs a request. */
static ngx_http_core_loc_conf_t *
ngx_im_check_static(ngx_http_location_tree_node_t *node, ngx_str_t *uri)
{
    size_t                     n, len;
    u_char                    *p;
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *found;

    p = uri->data;
    len = uri->len;
    found = NULL;

    while (node != NULL) {

        n = ngx_min(len, (size_t) node->len);
        rc = ngx_filename_cmp(p, node->name, n);

        if (rc != 0) {
            node = rc < 0 ? node->left : node->right;

        } else if (len < (size_t) node->len) {
            node = node->left;

        } else if (len == (size_t) node->len) {
            return ngx_im_nginx_location(node, 1);

        } else if (ngx_im_nginx_location(node, 0) != NULL) {
            found = ngx_im_nginx_location(node, 0);

            node = node->tree;
            p += n;
            len -= n;

        } else {
            node = node->right;
        }
    }

    return found;
}


/*
 * The location of a URI.  NGX_DECLINED: none of the server can answer it;
 * NGX_AGAIN: it has regular expressions, which can't be tried.
 */
static ngx_int_t
ngx_im_check_location(ngx_http_core_srv_conf_t *cscf, ngx_str_t *uri,
    ngx_http_core_loc_conf_t **location)
{
    ngx_http_core_loc_conf_t  *clcf, *found;

    clcf = cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    found = NULL;

    do {

#if (NGX_PCRE)
        if (clcf->regex_locations != NULL) {
            return NGX_AGAIN;
        }
#endif

        clcf = ngx_im_check_static(clcf->static_locations, uri);

        if (clcf != NULL) {
            found = clcf;
        }

    } while (clcf != NULL && !clcf->exact_match);

    *location = found;

    /*
     * a location with this very name may do without a handler, by "return" or
     * the like
     */

    return found != NULL
           && (found->handler != NULL || found->name.len == uri->len)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_im_check_uri(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf,
    const char *directive, ngx_str_t *uri, const char *cure)
{
    ngx_int_t                  rc;
    ngx_http_core_loc_conf_t  *clcf;

    if (uri->len == 0) {
        return NGX_OK;
    }

    rc = ngx_im_check_location(ilcf->cscf, uri, &clcf);

    if (rc == NGX_DECLINED) {
        (void) ngx_im_refuse(cf, "%s: \"%V\" leads to no location that "
                             "answers: add \"location = %V { internal; %s }\" "
                             "to the server that has \"%s%V\"",
                             directive, uri, uri, cure,
                             ilcf->clcf->name.len > 0 ? "location "
                                                      : "im_listen",
                             &ilcf->clcf->name);
        return NGX_ERROR;
    }

    if (rc == NGX_OK && clcf->handler == ngx_im_handshake_handler) {
        (void) ngx_im_refuse(cf, "%s: \"%V\" leads to a location of im_comet: "
                             "name one that answers questions, with \"%s\"",
                             directive, uri, cure);
        return NGX_ERROR;
    }

    if (rc == NGX_OK && !clcf->internal && uri == &ilcf->connect) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s: clients can ask the location \"%V\" "
                           "themselves: add \"internal;\" to it",
                           directive, &clcf->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_check_questions(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf)
{
    ngx_uint_t  i;

    if (!ilcf->proto->topics) {
        return NGX_OK;
    }

    if (ngx_im_check_uri(cf, ilcf, "im_connect", &ilcf->connect,
                         "fastcgi_pass im_logic; include im_params;")
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < IM_WEBHOOKS; i++) {
        if (ngx_im_check_uri(cf, ilcf, "im_webhook", &ilcf->webhooks[i],
                             "proxy_pass http://backend;")
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Some room lets clients publish. */
static ngx_uint_t
ngx_im_check_rules(im_rules_t *rules)
{
    ngx_uint_t  i;

    for (i = 0; i < rules->nrooms; i++) {
        if (im_rule_publish(&rules->rooms[i], 0) != IM_RULE_NONE) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_im_check_publish(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf)
{
    ngx_uint_t  may;

    if (ilcf->proto->commands != IM_COMMANDS_ALL
        && ilcf->proto->commands != IM_COMMANDS_PUBLISH)
    {
        return NGX_OK;
    }

    may = ngx_im_check_rules(&ilcf->main->rules);

    if (may && ilcf->connect.len == 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "im_room: publish= lets clients publish, but the "
                           "location \"%V\" has no im_connect: each publish "
                           "there gets error 108; add \"im_connect "
                           "/im_connect;\"", &ilcf->clcf->name);
    }

    if (!may && ilcf->webhooks[IM_WEBHOOK_PUBLISH].len > 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "im_webhook: \"publish\" of location \"%V\" is "
                           "never asked: no im_room lets clients publish; add "
                           "publish=member, publish=user or publish=anyone to "
                           "one",
                           &ilcf->clcf->name);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_im_check_emulation(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf)
{
    if (ilcf->proto->commands == IM_COMMANDS_ALL
        && (ilcf->transports & (IM_TRANSPORT_SSE|IM_TRANSPORT_STREAM))
        && !ilcf->main->emulation)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "im_comet: clients of location \"%V\" send what "
                           "they have to say to a location of im_emulation, "
                           "and there is none: add \"location = /emulation { "
                           "im_emulation; }\"", &ilcf->clcf->name);
    }

    return NGX_OK;
}


/* NULL: nginx has no such module. */
static ngx_module_t *
ngx_im_check_module(ngx_conf_t *cf, const char *name)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i] != NULL; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, name) == 0) {
            return cf->cycle->modules[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_im_check_limit_conn(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf)
{
    ngx_array_t   *limits;
    ngx_module_t  *module;

    module = ngx_im_check_module(cf, "ngx_http_limit_conn_module");
    limits = module != NULL ? ilcf->clcf->loc_conf[module->ctx_index] : NULL;

    if (limits != NULL && limits->elts != NULL && limits->nelts > 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "limit_conn in location \"%V\" counts handshakes, "
                           "not sessions: use \"im_per_address sessions=\" in "
                           "http{}", &ilcf->clcf->name);
    }

    return NGX_OK;
}


/* The first directive of the rewrite module is "return", outside of "if". */
static ngx_uint_t
ngx_im_check_returns(ngx_module_t *rewrite, void **loc_conf)
{
    ngx_array_t  **codes;

    codes = rewrite != NULL ? loc_conf[rewrite->ctx_index] : NULL;

    return codes != NULL && *codes != NULL && (*codes)->nelts > 0
           && *(ngx_http_script_code_pt *) (*codes)->elts
              == ngx_http_script_return_code;
}


static ngx_int_t
ngx_im_check_return(ngx_conf_t *cf, ngx_im_loc_conf_t *ilcf)
{
    if (ngx_im_check_returns(ilcf->main->rewrite, ilcf->clcf->loc_conf)) {
        (void) ngx_im_refuse(cf, "im_comet: \"return\" in location \"%V\" "
                             "answers before it: give it a location of its "
                             "own", &ilcf->clcf->name);
        return NGX_ERROR;
    }

    if (ngx_im_check_returns(ilcf->main->rewrite,
                             ilcf->cscf->ctx->loc_conf)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "im_comet: \"return\" of the server answers before "
                           "location \"%V\" can: move it into a location, "
                           "such as \"location /\"", &ilcf->clcf->name);
    }

    return NGX_OK;
}


static const ngx_im_check_pt  ngx_im_checks[] = {
    ngx_im_check_questions,
    ngx_im_check_publish,
    ngx_im_check_emulation,
    ngx_im_check_limit_conn,
    ngx_im_check_return,
    NULL
};


/* Of settings that are a server's: what is about locations doesn't count. */
static ngx_int_t
ngx_im_check_listens(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    ngx_uint_t         i;
    ngx_im_listen_t  **listens;

    listens = imcf->listens.elts;

    for (i = 0; i < imcf->listens.nelts; i++) {
        if (ngx_im_server_names(cf, imcf, listens[i]->conf->cscf) != NGX_OK
            || ngx_im_check_questions(cf, listens[i]->conf) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_check(ngx_conf_t *cf, ngx_im_main_conf_t *imcf)
{
    ngx_uint_t            i, k;
    ngx_im_loc_conf_t   **comets;

    imcf->rewrite = ngx_im_check_module(cf, "ngx_http_rewrite_module");

    if (ngx_im_check_listens(cf, imcf) != NGX_OK) {
        return NGX_ERROR;
    }

    comets = imcf->comets.elts;

    for (i = 0; i < imcf->comets.nelts; i++) {

        /* a block of "if" is its location again */

        if (comets[i]->clcf->noname) {
            continue;
        }

        if (ngx_im_server_names(cf, imcf, comets[i]->cscf) != NGX_OK) {
            return NGX_ERROR;
        }

        for (k = 0; ngx_im_checks[k] != NULL; k++) {
            if (ngx_im_checks[k](cf, comets[i]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
