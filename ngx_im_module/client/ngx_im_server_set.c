/*
 * Copyright (C) The im authors
 *
 * Variables that a server sets.
 *
 * This is ngx_http_rewrite_handler() without "return" and "rewrite": a return
 * is no instruction, and no regular expression of a rewrite matches.
 */

#include "ngx_im_server_set.h"


/* The beginning of ngx_http_rewrite_loc_conf_t. */
typedef struct {
    ngx_array_t  *codes;
    ngx_uint_t    stack_size;
} ngx_im_rewrite_conf_t;


#if (NGX_PCRE)

/* The length of a rewrite; 0: it is none. */
static uintptr_t
ngx_im_server_set_rewrite(u_char *ip)
{
    ngx_http_script_regex_code_t  *code;

    code = (ngx_http_script_regex_code_t *) ip;

    return code->code == ngx_http_script_regex_start_code && !code->test
           ? code->next : 0;
}

#else

#define ngx_im_server_set_rewrite(ip)  0

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
