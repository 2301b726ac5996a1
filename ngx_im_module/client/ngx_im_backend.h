/*
 * Copyright (C) The im authors
 *
 * Questions to logic, or to a backend of the operator, by a subrequest.
 */

#ifndef NGX_IM_BACKEND_H
#define NGX_IM_BACKEND_H


#include "ngx_im_session.h"
#include "im_ask.h"
#include "im_verdict.h"


/*
 * status 0: no answer.  asked (the body that was sent), body and data are
 * borrowed.
 */
typedef void (*ngx_im_backend_pt)(ngx_im_worker_t *w, ngx_im_handle_t h,
    im_str_t asked, ngx_uint_t status, im_str_t body, void *data);

/*
 * POSTs body to the internal location of im_webhook, whose event hook is, or of
 * im_connect (NGX_IM_HOOK_CONNECT).  The handler is called once, in a later
 * turn, unless the session has ended before the question's turn.  After its
 * timeout the status is 504, and a late answer is
 * dropped.  data (NULL, or by im_alloc()) is freed with the question in any
 * case.  The number of questions (256 at once, 10000 waiting) and their bytes
 * are bounded.  NGX_ERROR: the question is refused and the handler is not
 * called.
 */
ngx_int_t ngx_im_backend_ask(ngx_im_session_t *s, ngx_uint_t hook,
    im_str_t body, ngx_im_backend_pt handler, void *data);

/* Logs what is wrong with an answer, and how its body begins. */
void ngx_im_backend_log(ngx_im_worker_t *w, const char *subject,
    const ngx_str_t *uri, im_str_t body, const char *fmt, ...);

/* Asks logic about the session; as above. */
ngx_int_t ngx_im_backend_logic(ngx_im_session_t *s, const im_ask_t *ask,
    ngx_im_backend_pt handler);


#endif /* NGX_IM_BACKEND_H */
