/*
 * Copyright (C) The im authors
 *
 * From an accepted connection to a session, where there is no request.
 *
 * The address has its place before TLS begins, which costs most.  Who gets none
 * is hung up on: there is no answer that a client would understand.
 */

#include "ngx_im_accept.h"
#include "ngx_im_admit.h"
#include "ngx_im_detach.h"
#include "ngx_im_refused.h"


#define NGX_IM_ACCEPT_QUIET  60000       /* ms between two lines of a kind */


/* In the pool of the connection, until it is a session. */
typedef struct {
    ngx_http_connection_t  hc;       /* the first: nginx's TLS looks for it */
    ngx_im_listen_t       *listen;
    ngx_im_peer_t          peer;
    ngx_im_place_t         place;    /* not yet the session's */
} ngx_im_accept_t;


static void
ngx_im_accept_cleanup(void *data)
{
    ngx_im_accept_t  *a = data;

    ngx_im_admit_cancel(ngx_im_worker, &a->place);
}


static u_char *
ngx_im_accept_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char            *p;
    ngx_connection_t  *c;

    c = log->data;

    p = ngx_snprintf(buf, len, " while %s, client: %V, server: %V",
                     log->action, &c->addr_text, &c->listening->addr_text);

    return p;
}


static ngx_im_accept_t *
ngx_im_accept_create(ngx_connection_t *c)
{
    ngx_im_accept_t     *a;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_im_accept_t));
    if (cln == NULL) {
        return NULL;
    }

    a = cln->data;
    ngx_memzero(a, sizeof(ngx_im_accept_t));

    cln->handler = ngx_im_accept_cleanup;

    a->listen = c->listening->servers;
    a->hc.addr_conf = &a->listen->addr;
    a->hc.conf_ctx = a->listen->conf->cscf->ctx;

    c->data = a;
    c->log->connection = c->number;
    c->log->handler = ngx_im_accept_log;
    c->log->data = c;
    c->log->action = "opening a session";
    c->log_error = NGX_ERROR_INFO;

    ngx_im_peer_init(&a->peer, c);

    return a;
}


/* One line a minute shows operators why clients find no one. */
static void
ngx_im_accept_unready(ngx_im_worker_t *w, ngx_connection_t *c, const char *why)
{
    ngx_im_silence_t  *silence;

    silence = &w->unready;

    if (silence->started
        && ngx_current_msec - silence->start < NGX_IM_ACCEPT_QUIET)
    {
        silence->n++;
        return;
    }

    ngx_log_error(NGX_LOG_WARN, c->log, 0,
                  "im: connections are closed at once: %s; %ui more since the "
                  "last line of this kind", why, silence->n);

    silence->started = 1;
    silence->start = ngx_current_msec;
    silence->n = 0;
}


static ngx_int_t
ngx_im_accept_admit(ngx_im_accept_t *a, ngx_connection_t *c)
{
    ngx_im_worker_t    *w;
    ngx_im_refusal_e    why;
    ngx_im_loc_conf_t  *conf;

    w = ngx_im_worker;
    conf = a->listen->conf;
    why = ngx_im_admit_unready(w, conf);

    if (why != NGX_IM_REFUSALS) {
        ngx_im_refused_count(w, why);
        ngx_im_accept_unready(w, c, ngx_im_budget_text(why));

        return NGX_BUSY;
    }

    if (ngx_im_admit(w, conf, &a->peer, &a->place, &why) == NGX_OK) {
        return NGX_OK;
    }

    ngx_im_refused_count(w, why);

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "im: connection refused: %s",
                  ngx_im_budget_text(why));

    return NGX_BUSY;
}


static void
ngx_im_accept_session(ngx_connection_t *c)
{
    ngx_im_accept_t    *a;
    ngx_im_session_t   *s;
    ngx_im_loc_conf_t  *conf;

    a = c->data;
    conf = a->listen->conf;

    s = ngx_im_session_create(ngx_im_worker, c, conf, conf->proto,
                              a->listen->transport, &a->peer, a->place.host);
    if (s == NULL) {
        ngx_http_close_connection(c);
        return;
    }

    a->place.held = 0;

    ngx_im_detach_run(s, im_str_set(NULL, 0), im_str_set("", 0));
}


#if (NGX_HTTP_SSL)

static ngx_http_ssl_srv_conf_t *
ngx_im_accept_tls_conf(ngx_im_accept_t *a)
{
    return a->listen->conf->cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
}


/*
 * As ngx_http_process_request() does: the chain, and what ssl_ocsp says of it.
 * NULL: it is good.
 */
static const char *
ngx_im_accept_tls_verify(ngx_connection_t *c, ngx_http_ssl_srv_conf_t *sscf)
{
    long         rc;
    X509        *cert;
    const char  *why;

    if (!sscf->verify) {
        return NULL;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK
        && (sscf->verify != 3 || !ngx_ssl_verify_error_optional(rc)))
    {
        return X509_verify_cert_error_string(rc);
    }

    if (sscf->verify == 1) {
        cert = SSL_get_peer_certificate(c->ssl->connection);

        if (cert == NULL) {
            return "client sent no certificate";
        }

        X509_free(cert);
    }

    return ngx_ssl_ocsp_get_status(c, &why) == NGX_OK ? NULL : why;
}


static void
ngx_im_accept_tls_handler(ngx_connection_t *c)
{
    const char  *why;

    if (!c->ssl->handshaked || ngx_exiting) {
        ngx_http_close_connection(c);
        return;
    }

    why = ngx_im_accept_tls_verify(c, ngx_im_accept_tls_conf(c->data));

    if (why != NULL) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "im: connection refused: %s",
                      why);
        ngx_ssl_remove_cached_session(c->ssl->session_ctx,
                                      SSL_get0_session(c->ssl->connection));
        ngx_http_close_connection(c);
        return;
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_im_accept_session(c);
}


static void
ngx_im_accept_tls(ngx_connection_t *c)
{
    ngx_im_accept_t  *a;

    a = c->data;

    if (ngx_ssl_create_connection(&ngx_im_accept_tls_conf(a)->ssl, c,
                                  NGX_SSL_BUFFER)
        != NGX_OK)
    {
        ngx_http_close_connection(c);
        return;
    }

    c->log->action = "SSL handshaking";

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        if (!c->read->timer_set) {
            ngx_add_timer(c->read, a->listen->conf->auth_timeout);
        }

        c->ssl->handler = ngx_im_accept_tls_handler;
        return;
    }

    ngx_im_accept_tls_handler(c);
}

#else

#define ngx_im_accept_tls  ngx_im_accept_session

#endif


void
ngx_im_accept_handler(ngx_connection_t *c)
{
    ngx_im_accept_t  *a;

    a = ngx_im_accept_create(c);

    if (a == NULL || ngx_im_accept_admit(a, c) != NGX_OK) {
        ngx_http_close_connection(c);
        return;
    }

    if (a->listen->ssl) {
        ngx_im_accept_tls(c);

    } else {
        ngx_im_accept_session(c);
    }
}
