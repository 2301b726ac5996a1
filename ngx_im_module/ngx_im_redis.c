/*
 * Copyright (C) The im authors
 *
 * The directive im_redis.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_option.h"
#include "im_link_words.h"

#include <netdb.h>


#define NGX_IM_REDIS_TIMEOUT  5000


/*
 * Redis that is away does not keep nginx from its start, and so neither does a
 * name: workers look it up, without this.
 */
static void
ngx_im_redis_warn(ngx_conf_t *cf, im_link_seed_t *seed)
{
    int               rc;
    u_char            host[IM_ADDR_MAX_NAME + 2];
    struct addrinfo   hints, *res;

    if (seed->addr.type != IM_ADDR_NAME) {
        return;
    }

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_socktype = SOCK_STREAM;

    *ngx_cpymem(host, seed->addr.host.data, seed->addr.host.len) = '\0';

    rc = getaddrinfo((char *) host, NULL, &hints, &res);

    if (rc == 0) {
        freeaddrinfo(res);
        return;
    }

    ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "im_redis: the host of \"%*s\" is "
                       "unknown now (%s); workers look it up again each time "
                       "that they connect", seed->name.len, seed->name.data,
                       gai_strerror(rc));
}


/* A path of nginx.conf. */
static ngx_int_t
ngx_im_redis_path(ngx_conf_t *cf, im_str_t *file)
{
    ngx_str_t  path;

    if (file->len == 0) {
        return NGX_OK;
    }

    path.len = file->len;
    path.data = file->data;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    *file = ngx_im_str(path);

    return NGX_OK;
}


static char *
ngx_im_redis_secret(ngx_conf_t *cf, im_str_t *password, im_str_t *file,
    const char *word)
{
    u_char      *line;
    im_str_t     given;
    const char  *why;

    if (file->len == 0) {
        return NGX_CONF_OK;
    }

    given = *file;
    line = ngx_pnalloc(cf->pool, IM_LINK_SECRET + 1);

    if (line == NULL || ngx_im_redis_path(cf, file) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    why = im_link_words_secret(*file, (char *) line);

    if (why != NULL) {
        return ngx_im_refuse(cf, "im_redis: \"%s%*s\" %s", word, given.len,
                             given.data, why);
    }

    *password = im_str_set(line, ngx_strlen(line));

    return NGX_CONF_OK;
}


static void
ngx_im_redis_cleanup(void *data)
{
    im_link_tls_ctx_destroy(data);
}


/* The files are read by the user who starts nginx, as those of ssl_ are. */
static char *
ngx_im_redis_tls(ngx_conf_t *cf, im_link_words_t *w)
{
    im_link_tls_conf_t   *tls;
    ngx_pool_cleanup_t   *cln;
    im_link_tls_fault_t   fault;

    if (!w->use_tls) {
        return NGX_CONF_OK;
    }

    tls = &w->tls;
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL || ngx_im_redis_path(cf, &tls->ca) != NGX_OK
        || ngx_im_redis_path(cf, &tls->cert) != NGX_OK
        || ngx_im_redis_path(cf, &tls->key) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    w->link.tls = im_link_tls_ctx_create(tls, &fault);

    if (fault.why[0] != '\0') {
        ngx_conf_log_error(w->link.tls != NULL ? NGX_LOG_WARN : NGX_LOG_EMERG,
                           cf, 0, "im_redis: \"%s%*s\" %s", fault.word,
                           fault.file.len, fault.file.data, fault.why);
    }

    if (w->link.tls == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_im_redis_cleanup;
    cln->data = w->link.tls;

    return NGX_CONF_OK;
}


static char *
ngx_im_redis_words(ngx_conf_t *cf, im_link_words_t *w)
{
    im_str_t     words[IM_LINK_WORDS], at;
    ngx_str_t   *args;
    ngx_uint_t   i, n;
    const char  *why;

    args = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n > IM_LINK_WORDS) {
        return "has too many words";
    }

    for (i = 0; i < n; i++) {
        words[i] = ngx_im_str(args[i + 1]);
    }

    why = im_link_words_parse(w, words, n, NGX_IM_REDIS_TIMEOUT, &at);

    if (why != NULL && at.data != NULL) {
        return ngx_im_refuse(cf, "im_redis: \"%*s\" %s", at.len, at.data, why);
    }

    return (char *) (why != NULL ? why : im_link_words_check(w));
}


char *
ngx_im_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char             *rv;
    ngx_uint_t        i;
    im_link_words_t  *w;

    w = &imcf->redis;

    if (w->link.nseeds > 0) {
        return "is duplicate";
    }

    rv = ngx_im_redis_words(cf, w);

    if (rv == NGX_CONF_OK) {
        rv = ngx_im_redis_secret(cf, &w->link.password, &w->password_file,
                                 "password_file=");
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_im_redis_secret(cf, &w->link.sentinel_password,
                                 &w->sentinel_password_file,
                                 "sentinel_password_file=");
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_im_redis_tls(cf, w);
    }

    for (i = 0; i < w->link.nseeds && rv == NGX_CONF_OK; i++) {
        ngx_im_redis_warn(cf, &w->link.seeds[i]);
    }

    return rv;
}
