/*
 * Copyright (C) The im authors
 *
 * The listener of im_job: from a request to its handler.
 */

#include "im_job.h"
#include "im_json.h"
#include "im_daemon_time.h"


#define IM_JOB_HTTP_IDLE     75           /* s, between two requests */
#define IM_JOB_HTTP_REQUEST  30           /* s, until a request is complete */
#define IM_JOB_HTTP_BODY     1024
#define IM_JOB_HTTP_REFUSAL  640


static void
im_job_http_refuse(im_daemon_request_t *r, im_uint_t status, const char *why)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, IM_JOB_HTTP_REFUSAL);

    im_buf_add_z(b, "{\"code\":");
    im_buf_add_uint(b, status);
    im_buf_add_z(b, ",\"msg\":");
    im_json_add_string(b, im_str_z(why));
    im_buf_add_z(b, "}\n");

    r->reply(r, status, im_buf_str(b));
}


static void
im_job_http_handler(im_daemon_request_t *r)
{
    im_daemon_request_pt  handler;

    handler = im_str_eq(r->path, im_str_z("/metrics"))
              ? im_job_metrics_handler
              : im_str_eq(r->path, im_str_z("/health"))
                ? im_job_health_handler : NULL;

    if (r->fault != 0) {
        im_job_http_refuse(r, r->fault, r->why);

    } else if (handler == NULL) {
        im_job_http_refuse(r, 404, "no such path: there are /metrics and "
                           "/health");

    } else if (!im_str_eq(r->method, im_str_z("GET"))
               && !im_str_eq(r->method, im_str_z("HEAD")))
    {
        r->allow = "GET, HEAD";
        im_job_http_refuse(r, 405, "this takes GET and HEAD");

    } else {
        handler(r);
    }
}


im_int_t
im_job_http_init(im_job_t *job, const char *address,
    const im_daemon_listen_t *listen)
{
    im_daemon_server_conf_t  conf;

    memset(&conf, 0, sizeof(im_daemon_server_conf_t));

    conf.transport = &im_daemon_transport_http;
    conf.listen = listen;
    conf.max_body = IM_JOB_HTTP_BODY;
    conf.idle_timeout = IM_JOB_HTTP_IDLE;
    conf.request_timeout = IM_JOB_HTTP_REQUEST;
    conf.seed = job->seed;
    conf.handler = im_job_http_handler;
    conf.data = job;

    job->http = im_daemon_server_create(job->base, address, &conf);

    if (job->http == NULL) {
        return IM_ERROR;
    }

    im_daemon_server_begin(job->http);

    if (im_daemon_server_remote(job->http)) {
        im_daemon_server_warn(address);
    }

    return IM_OK;
}


void
im_job_http_tick(im_job_t *job)
{
    uint32_t             p;
    uint64_t             now;
    im_job_partition_t  *jp;

    if (job->http == NULL) {
        return;
    }

    now = im_daemon_now();

    for (p = 0; p < job->npartitions; p++) {
        jp = &job->partitions[p];

        if (!jp->wanted || im_job_serves(jp)
            || !im_link_ready(job->link, p))
        {
            jp->lacked = 0;

        } else if (jp->lacked == 0) {
            jp->lacked = now;
        }

        if (im_job_serves(jp)) {
            im_daemon_queue_ask(&job->queues, job->link, p);

        } else {
            im_daemon_queue_forget(&job->queues, p);
        }
    }
}
