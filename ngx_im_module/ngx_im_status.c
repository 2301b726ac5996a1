/*
 * Copyright (C) The im authors
 *
 * im_status: counters of this node as JSON, per worker and summed.
 */

#include "ngx_im_hooks.h"
#include "ngx_im_follow.h"
#include "ngx_im_budget.h"
#include "im_json.h"
#include "im_link_show.h"


#define NGX_IM_STATUS_MAX  (64 * 1024 * 1024)


typedef struct {
    ngx_str_t   name;
    size_t      offset;
} ngx_im_status_field_t;

#define ngx_im_status_field(f)                                                \
    { ngx_string(#f), offsetof(ngx_im_counters_t, f) }


static ngx_im_status_field_t  ngx_im_status_fields[] = {
    ngx_im_status_field(sessions),
    ngx_im_status_field(unauthenticated),
    ngx_im_status_field(users),
    ngx_im_status_field(topics),
    ngx_im_status_field(log_bytes),
    ngx_im_status_field(accepted),
    ngx_im_status_field(refused),
    ngx_im_status_field(closed),
    ngx_im_status_field(slow),
    ngx_im_status_field(messages_in),
    ngx_im_status_field(messages_out),
    ngx_im_status_field(framed),
    ngx_im_status_field(bytes_in),
    ngx_im_status_field(bytes_out),
    ngx_im_status_field(sends),
    ngx_im_status_field(submits),
    ngx_im_status_field(deflated),
    ngx_im_status_field(deflate_saved),
    ngx_im_status_field(inflated),
    ngx_im_status_field(pushes),
    ngx_im_status_field(healed),
    ngx_im_status_field(holes),
    ngx_im_status_field(recovered),
    ngx_im_status_field(unrecovered),
    ngx_im_status_field(window_bytes),
    ngx_im_status_field(reads),
    { ngx_null_string, 0 }
};


static const char  *ngx_im_status_links[] = { "down", "up", "degraded" };


static ngx_atomic_uint_t
ngx_im_status_value(const ngx_im_counters_t *c,
    const ngx_im_status_field_t *field)
{
    return *(ngx_atomic_t *) ((u_char *) c + field->offset);
}


static void
ngx_im_status_refusals(im_buf_t *b, const ngx_im_counters_t *c)
{
    ngx_uint_t  i;

    im_buf_add_z(b, ",\"refusals\":{");

    for (i = 0; i < NGX_IM_REFUSALS; i++) {
        im_buf_add_z(b, i > 0 ? ",\"" : "\"");
        im_buf_add_z(b, ngx_im_budget_reason(i));
        im_buf_add_z(b, "\":");
        im_buf_add_uint(b, c->refusals[i]);
    }

    im_buf_add_z(b, "}");
}


static void
ngx_im_status_counters(im_buf_t *b, const ngx_im_counters_t *c)
{
    const ngx_im_status_field_t  *field;

    for (field = ngx_im_status_fields; field->name.len; field++) {
        im_buf_add_z(b, ",\"");
        im_buf_add(b, field->name.data, field->name.len);
        im_buf_add_z(b, "\":");
        im_buf_add_uint(b, ngx_im_status_value(c, field));
    }

    ngx_im_status_refusals(b, c);
}


static void
ngx_im_status_add(ngx_im_counters_t *sum, const ngx_im_counters_t *c)
{
    ngx_uint_t                    i;
    ngx_atomic_t                 *total;
    const ngx_im_status_field_t  *field;

    for (field = ngx_im_status_fields; field->name.len; field++) {
        total = (ngx_atomic_t *) ((u_char *) sum + field->offset);
        *total += ngx_im_status_value(c, field);
    }

    for (i = 0; i < NGX_IM_REFUSALS; i++) {
        sum->refusals[i] += c->refusals[i];
    }
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
    im_link_show(b, ngx_im_worker->link, &imcf->redis.link, ngx_current_msec);
    im_buf_add_z(b, "}");
}


static void
ngx_im_status_body(im_buf_t *b, ngx_im_main_conf_t *imcf)
{
    ngx_uint_t                n;
    ngx_im_counters_t         sum;
    const ngx_im_counters_t  *c;

    n = 0;

    ngx_memzero(&sum, sizeof(ngx_im_counters_t));

    im_buf_add_z(b, "{\"node\":");
    im_json_add_string(b, ngx_im_str(imcf->node));
    im_buf_add_z(b, ",\"workers\":[");

    for (c = ngx_im_zone_counters(imcf); c != NULL; c = c->next) {
        if (c->pid == 0) {
            continue;
        }

        if (n++ > 0) {
            im_buf_add_z(b, ",");
        }

        ngx_im_status_worker(b, c);
        ngx_im_status_add(&sum, c);
    }

    im_buf_add_z(b, "],\"total\":{\"workers\":");
    im_buf_add_uint(b, n);
    ngx_im_status_counters(b, &sum);
    im_buf_add_z(b, "}");
    ngx_im_status_link(b, imcf);
    im_buf_add_z(b, "}\n");
}


ngx_int_t
ngx_im_status_handler(ngx_http_request_t *r)
{
    im_buf_t                  b;
    ngx_str_t                 type = ngx_string("application/json");
    ngx_http_complex_value_t  cv;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    im_buf_init(&b, NGX_IM_STATUS_MAX);

    ngx_im_status_body(&b, ngx_http_get_module_main_conf(r, ngx_im_module));

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = b.failed ? NULL : ngx_pnalloc(r->pool, b.len);

    if (cv.value.data != NULL) {
        cv.value.len = b.len;
        im_copy(cv.value.data, b.data, b.len);
    }

    im_buf_cleanup(&b);

    return cv.value.len > 0 ? ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv)
                            : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
