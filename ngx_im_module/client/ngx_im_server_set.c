/*
 * Copyright (C) The im authors
 *
 * Variables that a server sets: by "set", and by the regular expressions of
 * server_name.
 *
 * The first is ngx_http_rewrite_handler() without "return" and "rewrite": a
 * return is no instruction, and no regular expression of a rewrite matches.
 */

#include "ngx_im_server_set.h"


/* The beginning of ngx_http_rewrite_loc_conf_t. */
typedef struct {
    ngx_array_t  *codes;
    ngx_uint_t    stack_size;
} ngx_im_rewrite_conf_t;


#if (NGX_PCRE)

/* A server, and a regular expression of its server_name. */
typedef struct {
    ngx_http_core_srv_conf_t  *server;
    ngx_http_regex_t          *regex;
} ngx_im_server_name_t;


/* The length of a rewrite; 0: it is none. */
static uintptr_t
ngx_im_server_set_rewrite(u_char *ip)
{
    ngx_http_script_regex_code_t  *code;

    code = (ngx_http_script_regex_code_t *) ip;

    return code->code == ngx_http_script_regex_start_code && !code->test
           ? code->next : 0;
}


static void
ngx_im_server_set_captures(ngx_http_request_t *r, ngx_array_t *all,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t             i;
    ngx_im_server_name_t  *names;

    names = all->elts;

    for (i = 0; i < all->nelts; i++) {
        if (names[i].server == cscf
            && ngx_http_regex_exec(r, names[i].regex, &r->headers_in.server)
               != NGX_DECLINED)
        {
            return;
        }
    }
}


ngx_int_t
ngx_im_server_names(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t               i;
    ngx_im_server_name_t    *name;
    ngx_http_server_name_t  *names;

    name = imcf->server_names.elts;

    for (i = 0; i < imcf->server_names.nelts; i++) {
        if (name[i].server == cscf) {
            return NGX_OK;
        }
    }

    names = cscf->server_names.elts;

    for (i = 0; i < cscf->server_names.nelts; i++) {
        if (names[i].regex == NULL) {
            continue;
        }

        if (imcf->server_names.elts == NULL
            && ngx_array_init(&imcf->server_names, cf->pool, 4,
                              sizeof(ngx_im_server_name_t))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        name = ngx_array_push(&imcf->server_names);
        if (name == NULL) {
            return NGX_ERROR;
        }

        name->server = cscf;
        name->regex = names[i].regex;
    }

    return NGX_OK;
}

#else

#define ngx_im_server_set_rewrite(ip)  0
#define ngx_im_server_set_captures(r, all, cscf)


ngx_int_t
ngx_im_server_names(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_http_core_srv_conf_t *cscf)
{
    return NGX_OK;
}

#endif


void
ngx_im_server_set(ngx_http_request_t *r, ngx_im_main_conf_t *imcf)
{
    uintptr_t                   skip;
    ngx_im_rewrite_conf_t      *conf;
    ngx_http_script_code_pt     code;
    ngx_http_script_engine_t   *e;
    ngx_http_core_srv_conf_t   *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    ngx_im_server_set_captures(r, &imcf->server_names, cscf);

    conf = imcf->rewrite != NULL
           ? cscf->ctx->loc_conf[imcf->rewrite->ctx_index] : NULL;

    if (conf == NULL || conf->codes == NULL) {
        return;
    }

    e = ngx_pcalloc(r->pool, sizeof(ngx_http_script_engine_t));
    if (e == NULL) {
        return;
    }

    e->sp = ngx_pcalloc(r->pool,
                        conf->stack_size * sizeof(ngx_http_variable_value_t));
    if (e->sp == NULL) {
        return;
    }

    e->ip = conf->codes->elts;
    e->request = r;
    e->quote = 1;
    e->status = NGX_DECLINED;

    while (*(uintptr_t *) e->ip) {
        code = *(ngx_http_script_code_pt *) e->ip;

        skip = code == ngx_http_script_return_code
               ? sizeof(ngx_http_script_return_code_t)
               : ngx_im_server_set_rewrite(e->ip);

        if (skip > 0) {
            e->ip += skip;
            continue;
        }

        code(e);
    }
}
