/*
 * Copyright (C) The im authors
 *
 * Questions to logic and to backends of the operator, at internal locations, so
 * that nginx balances, keeps connections alive, fails over and logs.
 *
 * A question names its session by handle, since the session may end before the
 * answer comes.  It has an answer or the status 504 within its time-out, which
 * begins when it is asked, not when its turn comes.
 */

#include "ngx_im_backend.h"
#include "ngx_im_request.h"


#define NGX_IM_BACKEND_ATONCE   256
#define NGX_IM_BACKEND_WAITING  10000
#define NGX_IM_BACKEND_BODY     (2 * IM_PUSH_MAX_DATA)
#define NGX_IM_BACKEND_BYTES    (64 * 1024 * 1024)
#define NGX_IM_BACKEND_TEXT     256
#define NGX_IM_BACKEND_ASK      65536    /* besides the data */


typedef enum {
    NGX_IM_CALL_WAITING = 0,     /* for its turn */
    NGX_IM_CALL_ASKED,
    NGX_IM_CALL_ANSWERED,        /* its handler is called in this turn */
    NGX_IM_CALL_DONE             /* the request may still run */
} ngx_im_call_e;


typedef struct {
    im_list_t                    link;       /* waiting, or answered */
    ngx_im_request_t             request;    /* its body is behind this */
    ngx_im_worker_t             *worker;
    ngx_str_t                    uri;
    ngx_uint_t                   hook;
    ngx_msec_t                   start;
    ngx_im_backend_pt            handler;
    ngx_im_handle_t              session;
    void                        *data;       /* the handler's; ours to free */
    ngx_uint_t                   status;
    im_str_t                     answer;     /* in the request's memory */
    ngx_event_t                  timer;
    ngx_im_call_e                state;
    unsigned                     late:1;     /* its time was over */
} ngx_im_call_t;


/* The state of one worker. */
typedef struct ngx_im_backend_s  ngx_im_backend_t;

struct ngx_im_backend_s {
    im_list_t                    waiting;
    im_list_t                    answered;
    ngx_uint_t                   nwaiting;
    ngx_uint_t                   nasked;
    size_t                       bytes;      /* of all bodies */
    ngx_uint_t                   complaints; /* of answers */
    ngx_event_t                  event;
};


/* Once its request has ended. */
static void
ngx_im_backend_free(ngx_im_call_t *call)
{
    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    im_list_remove(&call->link);

    call->worker->backend->bytes -= call->request.body.len;

    im_free(call->data);
    im_free(call);
}


static ngx_im_result_e
ngx_im_backend_result(ngx_uint_t status)
{
    static const ngx_im_result_e  results[] = {
        NGX_IM_RESULT_OK,
        NGX_IM_RESULT_REFUSED,
        NGX_IM_RESULT_UNANSWERED,
        NGX_IM_RESULT_ERROR
    };

    return results[im_verdict(status)];
}


/* The handler is called from a posted event: never from within its question. */
static void
ngx_im_backend_answer(ngx_im_call_t *call, ngx_uint_t status, im_str_t answer)
{
    ngx_im_backend_t  *be;

    be = call->worker->backend;

    call->state = NGX_IM_CALL_ANSWERED;
    call->status = status;
    call->answer = answer;

    if (call->worker->counters != NULL) {
        im_metric_observe(&call->worker->counters->answers[call->hook],
                          &im_metric_ms, ngx_current_msec - call->start);
    }

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    im_list_remove(&call->link);
    im_list_insert_tail(&be->answered, &call->link);

    ngx_post_event(&be->event, &ngx_posted_events);
}


static void
ngx_im_backend_answered(ngx_im_request_t *rq, ngx_uint_t status, im_str_t body)
{
    ngx_im_call_t  *call;

    call = im_list_data(rq, ngx_im_call_t, request);

    if (call->state == NGX_IM_CALL_ASKED) {
        ngx_im_backend_answer(call, status, body);
    }
}


static void
ngx_im_backend_ended(ngx_im_request_t *rq)
{
    ngx_im_call_t     *call;
    ngx_im_backend_t  *be;

    call = im_list_data(rq, ngx_im_call_t, request);
    be = call->worker->backend;

    be->nasked--;
    ngx_post_event(&be->event, &ngx_posted_events);

    switch (call->state) {

    case NGX_IM_CALL_ASKED:
        ngx_im_backend_answer(call, rq->status, im_str_set("", 0));
        break;

    case NGX_IM_CALL_ANSWERED:
        call->status = rq->status;
        call->answer = im_str_set("", 0);
        break;

    default:
        ngx_im_backend_free(call);
    }
}


static const ngx_im_request_events_t  ngx_im_backend_events = {
    ngx_im_backend_answered, ngx_im_backend_ended
};


static void
ngx_im_backend_run(ngx_im_backend_t *be)
{
    ngx_im_call_t     *call;
    ngx_im_session_t  *s;

    while (be->nasked < NGX_IM_BACKEND_ATONCE && !im_list_empty(&be->waiting)) {
        call = im_list_data(im_list_first(&be->waiting), ngx_im_call_t, link);
        im_list_remove(&call->link);
        be->nwaiting--;

        s = ngx_im_session_find(call->worker, call->session);

        if (s == NULL) {
            ngx_im_backend_free(call);
            continue;
        }

        call->state = NGX_IM_CALL_ASKED;
        be->nasked++;

        if (ngx_im_request_start(&call->request, s) != NGX_OK) {
            be->nasked--;
            ngx_im_backend_answer(call, 0, im_str_set("", 0));
        }
    }
}


static void
ngx_im_backend_finish(ngx_im_call_t *call)
{
    ngx_uint_t        complaints;
    ngx_im_result_e   result;
    ngx_im_worker_t  *w;

    w = call->worker;
    complaints = w->backend->complaints;

    call->state = NGX_IM_CALL_DONE;

    if (ngx_im_worker == w) {
        call->handler(w, call->session, call->request.body, call->status,
                      call->answer, call->data);
    }

    result = call->late ? NGX_IM_RESULT_TIMEOUT
                        : ngx_im_backend_result(call->status);

    if (result == NGX_IM_RESULT_OK && w->backend->complaints != complaints) {
        result = NGX_IM_RESULT_ERROR;
    }

    /* none of a worker that has ended */

    if (ngx_im_worker == w) {
        w->counters->asked[call->hook][result]++;
    }

    if (call->request.request == NULL) {
        ngx_im_backend_free(call);
        return;
    }

    ngx_im_request_end(&call->request);
}


static void
ngx_im_backend_handler(ngx_event_t *ev)
{
    im_list_t          answered;
    ngx_im_call_t     *call;
    ngx_im_backend_t  *be;

    be = ev->data;

    im_list_init(&answered);
    im_list_splice(&answered, &be->answered);

    while (!im_list_empty(&answered)) {
        call = im_list_data(im_list_first(&answered), ngx_im_call_t, link);
        im_list_remove(&call->link);

        ngx_im_backend_finish(call);
    }

    ngx_im_backend_run(be);
}


static void
ngx_im_backend_timeout(ngx_event_t *ev)
{
    ngx_im_call_t  *call;

    call = ev->data;

    if (call->state == NGX_IM_CALL_WAITING) {
        call->worker->backend->nwaiting--;
    }

    call->late = 1;

    ngx_im_backend_answer(call, NGX_HTTP_GATEWAY_TIME_OUT, im_str_set("", 0));
}


static ngx_im_backend_t *
ngx_im_backend_get(ngx_im_worker_t *w)
{
    ngx_im_backend_t  *be;

    if (w->backend != NULL) {
        return w->backend;
    }

    be = im_calloc(sizeof(ngx_im_backend_t));
    if (be == NULL) {
        return NULL;
    }

    im_list_init(&be->waiting);
    im_list_init(&be->answered);

    be->event.handler = ngx_im_backend_handler;
    be->event.data = be;
    be->event.log = w->log;

    w->backend = be;

    return be;
}


static ngx_im_call_t *
ngx_im_backend_call(ngx_im_session_t *s, const ngx_str_t *uri, im_str_t body)
{
    u_char         *p;
    ngx_im_call_t  *call;

    call = im_calloc(sizeof(ngx_im_call_t) + body.len);
    if (call == NULL) {
        return NULL;
    }

    p = (u_char *) (call + 1);
    im_copy(p, body.data, body.len);

    im_list_init(&call->link);

    call->worker = ngx_im_worker;
    call->session = ngx_im_session_handle(s);
    call->uri = *uri;
    call->request.events = &ngx_im_backend_events;
    call->request.uri = &call->uri;
    call->request.body = im_str_set(p, body.len);
    call->timer.handler = ngx_im_backend_timeout;
    call->timer.data = call;
    call->timer.log = call->worker->log;

    return call;
}


ngx_int_t
ngx_im_backend_ask(ngx_im_session_t *s, ngx_uint_t hook, im_str_t body,
    ngx_im_backend_pt handler, void *data)
{
    ngx_msec_t               timeout;
    ngx_im_call_t           *call;
    const ngx_str_t         *uri;
    ngx_im_backend_t        *be;
    const ngx_im_loc_conf_t *conf;

    conf = s->class->conf;
    uri = hook == NGX_IM_HOOK_CONNECT ? &conf->connect : &conf->webhooks[hook];
    timeout = hook == NGX_IM_HOOK_CONNECT ? conf->connect_timeout
                                          : conf->webhook_timeouts[hook];
    be = ngx_im_backend_get(ngx_im_worker);

    if (be == NULL || be->nwaiting == NGX_IM_BACKEND_WAITING
        || body.len > NGX_IM_BACKEND_BODY
        || body.len > NGX_IM_BACKEND_BYTES - be->bytes || uri->len == 0)
    {
        goto failed;
    }

    call = ngx_im_backend_call(s, uri, body);
    if (call == NULL) {
        goto failed;
    }

    call->handler = handler;
    call->data = data;
    call->hook = hook;
    call->start = ngx_current_msec;

    im_list_insert_tail(&be->waiting, &call->link);
    be->nwaiting++;
    be->bytes += body.len;

    ngx_add_timer(&call->timer, timeout);
    ngx_post_event(&be->event, &ngx_posted_events);

    return NGX_OK;

failed:

    ngx_im_worker->counters->asked[hook][NGX_IM_RESULT_BUSY]++;
    im_free(data);

    return NGX_ERROR;
}


void
ngx_im_backend_log(ngx_im_worker_t *w, const char *subject,
    const ngx_str_t *uri, im_str_t body, const char *fmt, ...)
{
    u_char    *last, what[NGX_IM_BACKEND_TEXT], excerpt[IM_VERDICT_EXCERPT];
    va_list    args;
    im_buf_t   b;

    w->backend->complaints++;

    va_start(args, fmt);
    last = ngx_vslprintf(what, what + sizeof(what), fmt, args);
    va_end(args);

    im_buf_fixed(&b, excerpt, sizeof(excerpt));

    if (body.len > 0) {
        im_buf_add_z(&b, ", ");
        im_verdict_excerpt(&b, body);
    }

    ngx_log_error(NGX_LOG_ERR, w->log, 0, "im: the %s \"%V\" %*s%*s", subject,
                  uri, (size_t) (last - what), what, b.len, b.data);
}


ngx_int_t
ngx_im_backend_logic(ngx_im_session_t *s, const im_ask_t *ask,
    ngx_im_backend_pt handler)
{
    im_buf_t   b;
    ngx_int_t  rc;

    im_buf_init(&b, ask->data.len + NGX_IM_BACKEND_ASK);
    im_ask_encode(&b, ask);

    rc = b.failed ? NGX_ERROR
                  : ngx_im_backend_ask(s, NGX_IM_HOOK_CONNECT,
                                       im_buf_str(&b), handler, NULL);
    im_buf_cleanup(&b);

    return rc;
}
