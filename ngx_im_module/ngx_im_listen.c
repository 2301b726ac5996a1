/*
 * Copyright (C) The im authors
 *
 * im_listen: the directive, and its sockets.
 *
 * They are nginx's own listening sockets, so that workers accept from them, and
 * reload and upgrade keep them, as those of "listen".
 */

#include "ngx_im_listen.h"
#include "ngx_im_accept.h"
#include "ngx_im_option.h"
#include "im_wire.h"


static const ngx_im_option_t  ngx_im_listen_options[] = {
    ngx_im_option("protocol=", STRING, 1, 255, ngx_im_listen_t, protocol,
                  "must name a protocol", 0),
    ngx_im_option("ssl", WORD, 1, 1, ngx_im_listen_t, ssl, NULL, 0),
    ngx_im_option("backlog=", NUMBER, 1, 65535, ngx_im_listen_t, backlog,
                  "must be from 1 to 65535", 0),
    ngx_im_option("rcvbuf=", SIZE, 1024, 1024 * 1024 * 1024, ngx_im_listen_t,
                  rcvbuf, "must be a size of at least 1k", 0),
    ngx_im_option("sndbuf=", SIZE, 1024, 1024 * 1024 * 1024, ngx_im_listen_t,
                  sndbuf, "must be a size of at least 1k", 0),
    ngx_im_option("reuseport", WORD, 1, 1, ngx_im_listen_t, reuseport, NULL, 0),
    ngx_im_option("ipv6only=on", WORD, 1, 1, ngx_im_listen_t, ipv6only, NULL,
                  0),
    ngx_im_option("ipv6only=off", WORD, 0, 0, ngx_im_listen_t, ipv6only, NULL,
                  0),
    ngx_im_option_end
};


static char *
ngx_im_listen_url(ngx_conf_t *cf, ngx_command_t *cmd, ngx_im_listen_t *listen)
{
    ngx_url_t   u;
    ngx_str_t  *args;

    args = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = args[1];
    u.listen = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        return ngx_im_invalid(cf, cmd, &args[1],
                              u.err != NULL ? u.err : "is not an address");
    }

    if (u.family != AF_UNIX && u.no_port) {
        return ngx_im_invalid(cf, cmd, &args[1],
                              "has no port: for example 3101 or "
                              "127.0.0.1:3101");
    }

    listen->text = args[1];
    listen->addrs = u.addrs;
    listen->naddrs = u.naddrs;

    return NGX_CONF_OK;
}


static char *
ngx_im_listen_protocol(ngx_conf_t *cf, ngx_im_listen_t *listen)
{
    u_char    names[NGX_MAX_CONF_ERRSTR / 2];
    im_buf_t  b;

    listen->proto = im_proto_find(ngx_im_str(listen->protocol));

    im_buf_fixed(&b, names, sizeof(names));
    im_proto_names(&b, 0, IM_TRANSPORT_TCP);

    if (listen->protocol.len == 0) {
        return ngx_im_refuse(cf, "im_listen: \"%V\" has no protocol: add %*s",
                             &listen->text, b.len, b.data);
    }

    if (listen->proto == NULL
        || !(listen->proto->transports & IM_TRANSPORT_TCP))
    {
        return ngx_im_refuse(cf, "im_listen: \"protocol=%V\" can't be spoken "
                             "over TCP alone: it must be %*s",
                             &listen->protocol, b.len, b.data);
    }

    listen->transport = im_transport_of(IM_TRANSPORT_TCP);

    return NGX_CONF_OK;
}


char *
ngx_im_listen(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_im_main_conf_t  *imcf = conf;

    char                       *rv;
    ngx_im_listen_t            *listen, **p;
    ngx_http_core_srv_conf_t   *cscf;

    listen = ngx_pcalloc(cf->pool, sizeof(ngx_im_listen_t));
    if (listen == NULL) {
        return NGX_CONF_ERROR;
    }

    listen->backlog = NGX_LISTEN_BACKLOG;
    listen->rcvbuf = NGX_CONF_UNSET_UINT;
    listen->sndbuf = NGX_CONF_UNSET_UINT;
    listen->ipv6only = 1;
    listen->file = cf->conf_file->file.name;
    listen->line = cf->conf_file->line;

    rv = ngx_im_listen_url(cf, cmd, listen);

    if (rv == NGX_CONF_OK) {
        rv = ngx_im_options(cf, cmd, 2, ngx_im_listen_options, listen,
                            "is unknown; there are protocol= ssl backlog= "
                            "rcvbuf= sndbuf= reuseport ipv6only=on|off");
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_im_listen_protocol(cf, listen);
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* a server that has this needs no "listen", and gets no default one */

    if (cf->cmd_type & NGX_HTTP_SRV_CONF) {
        cscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
        cscf->listen = 1;
        listen->addr.default_server = cscf;
    }

    p = ngx_array_push(&imcf->listens);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    *p = listen;

    return NGX_CONF_OK;
}


/* They can't both be bound. */
static ngx_uint_t
ngx_im_listen_same(struct sockaddr *a, socklen_t alen, struct sockaddr *b,
    socklen_t blen)
{
    if (ngx_cmp_sockaddr(a, alen, b, blen, 1) == NGX_OK) {
        return 1;
    }

    return a->sa_family == b->sa_family && a->sa_family != AF_UNIX
           && ngx_inet_get_port(a) == ngx_inet_get_port(b)
           && (ngx_inet_wildcard(a) || ngx_inet_wildcard(b));
}


/* The address of a "listen" of http{} that is in the way, or NULL. */
static ngx_str_t *
ngx_im_listen_http(ngx_conf_t *cf, ngx_addr_t *addr)
{
    ngx_uint_t                  i, k;
    ngx_http_conf_addr_t       *addrs;
    ngx_http_conf_port_t       *ports;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NULL;
    }

    ports = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addrs = ports[i].addrs.elts;

        for (k = 0; k < ports[i].addrs.nelts; k++) {
            if (ngx_im_listen_same(addr->sockaddr, addr->socklen,
                                   addrs[k].opt.sockaddr,
                                   addrs[k].opt.socklen))
            {
                return &addrs[k].opt.addr_text;
            }
        }
    }

    return NULL;
}


static char *
ngx_im_listen_taken(ngx_conf_t *cf, ngx_im_listen_t *listen, ngx_str_t *other)
{
    return ngx_im_refuse(cf, "im_listen: \"%V\" in %V:%ui can't have the "
                         "address of another listen, \"%V\": give it a port of "
                         "its own", &listen->text, &listen->file, listen->line,
                         other);
}


static char *
ngx_im_listen_bind(ngx_conf_t *cf, ngx_im_listen_t *listen, ngx_addr_t *addr)
{
    ngx_str_t                 *other;
    ngx_uint_t                 i;
    ngx_listening_t           *ls;
    ngx_http_core_loc_conf_t  *clcf;

    other = ngx_im_listen_http(cf, addr);
    ls = cf->cycle->listening.elts;

    for (i = 0; i < cf->cycle->listening.nelts && other == NULL; i++) {
        if (ls[i].type == SOCK_STREAM
            && ngx_im_listen_same(addr->sockaddr, addr->socklen,
                                  ls[i].sockaddr, ls[i].socklen))
        {
            other = &ls[i].addr_text;
        }
    }

    if (other != NULL) {
        return ngx_im_listen_taken(cf, listen, other);
    }

    ls = ngx_create_listening(cf, addr->sockaddr, addr->socklen);
    if (ls == NULL) {
        return NGX_CONF_ERROR;
    }

    clcf = listen->conf->clcf;

    ls->addr_ntop = 1;
    ls->handler = ngx_im_accept_handler;
    ls->servers = listen;
    ls->pool_size = listen->conf->cscf->connection_pool_size;
    ls->logp = clcf->error_log;
    ls->log.data = &ls->addr_text;
    ls->log.handler = ngx_accept_log_error;
    ls->backlog = listen->backlog;
    ls->rcvbuf = (int) listen->rcvbuf;
    ls->sndbuf = (int) listen->sndbuf;
    ls->wildcard = ngx_inet_wildcard(addr->sockaddr);

#if (NGX_HAVE_INET6)
    ls->ipv6only = listen->ipv6only;
#endif
#if (NGX_HAVE_REUSEPORT)
    ls->reuseport = listen->reuseport;
#endif

    return NGX_CONF_OK;
}


#if (NGX_HTTP_SSL)

static char *
ngx_im_listen_tls(ngx_conf_t *cf, ngx_im_listen_t *listen)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = listen->conf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return !listen->ssl || sscf->ssl.ctx != NULL ? NGX_CONF_OK
           : ngx_im_refuse(cf, "im_listen: \"%V ... ssl\" in %V:%ui needs the "
                           "directives ssl_certificate and "
                           "ssl_certificate_key of its server",
                           &listen->text, &listen->file, listen->line);
}

#else

static char *
ngx_im_listen_tls(ngx_conf_t *cf, ngx_im_listen_t *listen)
{
    return listen->ssl ? ngx_im_refuse(cf, "im_listen: \"ssl\" needs an nginx "
                                       "that was built with TLS")
                       : NGX_CONF_OK;
}

#endif


/* The settings are a copy: locations of the server inherit no protocol. */
char *
ngx_im_listen_conf(ngx_conf_t *cf, ngx_im_listen_t *listen)
{
    char                       *rv;
    ngx_uint_t                  i;
    ngx_im_loc_conf_t          *conf;
    ngx_http_core_srv_conf_t   *cscf, **servers;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (listen->addr.default_server == NULL) {
        if (cmcf->servers.nelts == 0) {
            return ngx_im_refuse(cf, "im_listen: \"%V\" in %V:%ui needs a "
                                 "server{}, whose settings it has",
                                 &listen->text, &listen->file, listen->line);
        }

        servers = cmcf->servers.elts;
        listen->addr.default_server = servers[0];
    }

    conf = ngx_palloc(cf->pool, sizeof(ngx_im_loc_conf_t));
    if (conf == NULL) {
        return NGX_CONF_ERROR;
    }

    listen->conf = conf;
    cscf = listen->addr.default_server;

    *conf = *(ngx_im_loc_conf_t *) cscf->ctx->loc_conf[ngx_im_module.ctx_index];

    conf->cscf = cscf;
    conf->clcf = conf->cscf->ctx->loc_conf[ngx_http_core_module.ctx_index];
    conf->main = ngx_http_conf_get_module_main_conf(cf, ngx_im_module);
    conf->proto = listen->proto;
    conf->transports = listen->transport->kind;

    /* there is no request that these could be taken from */

    conf->user = NULL;
    conf->user_name = NULL;
    conf->forward = NULL;

    rv = ngx_im_listen_tls(cf, listen);

    for (i = 0; i < listen->naddrs && rv == NGX_CONF_OK; i++) {
        rv = ngx_im_listen_bind(cf, listen, &listen->addrs[i]);
    }

    return rv;
}


ngx_int_t
ngx_im_listen_check(ngx_cycle_t *cycle)
{
    ngx_uint_t        i, k;
    ngx_listening_t  *ls;

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {
        if (ls[i].handler != ngx_im_accept_handler) {
            continue;
        }

        for (k = 0; k < cycle->listening.nelts; k++) {
            if (ls[k].handler != ngx_im_accept_handler
                && ls[k].type == SOCK_STREAM
                && ngx_im_listen_same(ls[i].sockaddr, ls[i].socklen,
                                      ls[k].sockaddr, ls[k].socklen))
            {
                ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                              "im_listen: \"%V\" can't have the address of "
                              "another listen, \"%V\": give it a port of its "
                              "own", &ls[i].addr_text, &ls[k].addr_text);
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
