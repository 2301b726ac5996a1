/*
 * Copyright (C) The im authors
 *
 * im_status: counters of this node, per worker and summed, as JSON; the same
 * for Prometheus; whether a balancer should send clients here.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_follow.h"
#include "ngx_im_budget.h"
#include "ngx_im_metrics.h"
#include "im_json.h"
#include "im_link_show.h"


#define NGX_IM_STATUS_MAX  (64 * 1024 * 1024)


static const char  *ngx_im_status_links[] = { "down", "up", "degraded" };


static void
ngx_im_status_reason(im_buf_t *b, ngx_uint_t i, const char *name, uint64_t n)
{
    im_buf_add_z(b, i > 0 ? ",\"" : "\"");
    im_buf_add_z(b, name);
    im_buf_add_z(b, "\":");
    im_buf_add_uint(b, n);
}


static void
ngx_im_status_reasons(im_buf_t *b, const ngx_im_counters_t *c)
{
    ngx_uint_t  i;

    im_buf_add_z(b, ",\"stayed\":{");

    for (i = 0; i < NGX_IM_STAYED; i++) {
        ngx_im_status_reason(b, i, ngx_im_stayed_names[i], c->stayed[i]);
    }

    im_buf_add_z(b, "},\"refusals\":{");

    for (i = 0; i < NGX_IM_LIMITS; i++) {
        ngx_im_status_reason(b, i, ngx_im_budget_reason(i), c->limits[i]);
    }

    im_buf_add_z(b, "}");
}


static void
ngx_im_status_counters(im_buf_t *b, const ngx_im_counters_t *c)
{
    const ngx_im_counter_t  *field;

    for (field = ngx_im_counters; field->name.len; field++) {
        im_buf_add_z(b, ",\"");
        im_buf_add(b, field->name.data, field->name.len);
        im_buf_add_z(b, "\":");
        im_buf_add_uint(b, ngx_im_counter(c, field->offset));
    }

    ngx_im_status_reasons(b, c);
}


static void
ngx_im_status_worker(im_buf_t *b, const ngx_im_counters_t *c)
{
    im_buf_add_z(b, "{\"pid\":");
    im_buf_add_uint(b, c->pid);
    im_buf_add_z(b, ",\"slot\":");
    im_buf_add_uint(b, c->slot);
    im_buf_add_z(b, ",\"start\":");
    im_buf_add_uint(b, c->start);
    im_buf_add_z(b, c->draining ? ",\"draining\":true" : ",\"draining\":false");
    im_buf_add_z(b, ",\"link\":\"");
    im_buf_add_z(b, ngx_im_status_links[ngx_min(c->link,
                                                NGX_IM_LINK_DEGRADED)]);
    im_buf_add_z(b, "\",\"away\":");
    im_buf_add_uint(b, c->away);
    im_buf_add_z(b, c->io_uring ? ",\"io_uring\":true"
                                : ",\"io_uring\":false");
    ngx_im_status_counters(b, c);
    im_buf_add_z(b, "}");
}


/* Of this worker: the links of others are in other processes. */
static void
ngx_im_status_link(im_buf_t *b, ngx_im_main_conf_t *imcf)
{
    if (ngx_im_worker->link == NULL) {
        return;
    }

    im_buf_add_z(b, ",\"link\":{\"pid\":");
    im_buf_add_uint(b, ngx_pid);
    im_buf_add_z(b, ",\"redis\":");
    im_link_show(b, ngx_im_worker->link, &imcf->redis.link, ngx_current_msec,
                 IM_LINK_SHOW_ALL);
    im_buf_add_z(b, "}");
}


static void
ngx_im_status_json(im_buf_t *b, ngx_im_main_conf_t *imcf, ngx_im_node_t *node)
{
    ngx_uint_t  i;

    im_buf_add_z(b, "{\"node\":");
    im_json_add_string(b, ngx_im_str(imcf->node));
    im_buf_add_z(b, ",\"workers\":[");

    for (i = 0; i < node->nworkers; i++) {
        if (i > 0) {
            im_buf_add_z(b, ",");
        }

        ngx_im_status_worker(b, &node->workers[i]);
    }

    im_buf_add_z(b, "],\"total\":{\"workers\":");
    im_buf_add_uint(b, node->nworkers);
    ngx_im_status_counters(b, &node->total);
    im_buf_add_z(b, "}");
    ngx_im_status_link(b, imcf);
    im_buf_add_z(b, "}\n");
}


/* The answer is sent; b is freed. */
static ngx_int_t
ngx_im_status_send(ngx_http_request_t *r, ngx_uint_t status, const char *type,
    im_buf_t *b)
{
    ngx_str_t                 form;
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = b->failed ? NULL : ngx_pnalloc(r->pool, b->len);

    if (cv.value.data != NULL) {
        cv.value.len = b->len;
        im_copy(cv.value.data, b->data, b->len);
    }

    im_buf_cleanup(b);

    form.data = (u_char *) type;
    form.len = ngx_strlen(type);

    return cv.value.len > 0 ? ngx_http_send_response(r, status, &form, &cv)
                            : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_im_status_numbers(ngx_http_request_t *r, ngx_im_main_conf_t *imcf,
    ngx_uint_t prometheus)
{
    im_buf_t        b;
    ngx_im_node_t  *node;

    node = ngx_palloc(r->pool, sizeof(ngx_im_node_t));

    if (node == NULL || ngx_im_zone_node(imcf, r->pool, node) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    im_buf_init(&b, NGX_IM_STATUS_MAX);

    if (prometheus) {
        ngx_im_metrics(&b, node);

    } else {
        ngx_im_status_json(&b, imcf, node);
    }

    return ngx_im_status_send(r, NGX_HTTP_OK,
                              prometheus ? IM_METRIC_FORM : "application/json",
                              &b);
}


/*
 * Why this worker can't serve clients well: a balancer should take others.
 * Strangers may read it: it has no addresses, as the log has.
 */
static ngx_uint_t
ngx_im_status_unready(ngx_im_worker_t *w, im_buf_t *b)
{
    ngx_im_refusal_e  why;

    why = w->draining || ngx_exiting ? NGX_IM_REFUSED_DRAINING
          : w->conf->enabled ? ngx_im_follow_unready(w) : NGX_IM_REFUSALS;

    if (why != NGX_IM_REFUSALS) {
        im_buf_add_z(b, ngx_im_budget_text(why));
        return 1;
    }

    if (!w->conf->enabled) {
        return 0;
    }

    if (ngx_im_follow_link(w) == NGX_IM_LINK_DOWN) {
        im_buf_add_z(b, "Redis is away");
        return 1;
    }

    if (ngx_im_follow_silent(w) == im_link_partitions(w->link)) {
        im_buf_add_z(b, "no im_job lives: no partition has heartbeats");
        return 1;
    }

    return 0;
}


static ngx_int_t
ngx_im_status_ready(ngx_http_request_t *r)
{
    im_buf_t    b;
    ngx_uint_t  status;

    im_buf_init(&b, NGX_IM_STATUS_MAX);

    status = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (!ngx_im_status_unready(ngx_im_worker, &b)) {
        status = NGX_HTTP_OK;
        im_buf_add_z(&b, "ready");
    }

    im_buf_add_z(&b, "\n");

    return ngx_im_status_send(r, status, "text/plain", &b);
}


ngx_int_t
ngx_im_status_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_im_loc_conf_t   *ilcf;
    ngx_im_main_conf_t  *imcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ilcf = ngx_http_get_module_loc_conf(r, ngx_im_module);
    imcf = ngx_http_get_module_main_conf(r, ngx_im_module);

    if (ngx_im_worker == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ilcf->status == NGX_IM_STATUS_READY
           ? ngx_im_status_ready(r)
           : ngx_im_status_numbers(r, imcf,
                                   ilcf->status == NGX_IM_STATUS_PROMETHEUS);
}
