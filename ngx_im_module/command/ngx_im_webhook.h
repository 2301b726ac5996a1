/*
 * Copyright (C) The im authors
 *
 * Webhooks: a backend of the operator decides on commands.
 */

#ifndef NGX_IM_WEBHOOK_H
#define NGX_IM_WEBHOOK_H


#include "ngx_im_session.h"


/* What is done with the answers to one kind of question. */
typedef struct {
    im_webhook_e  kind;
    void        (*result)(ngx_im_session_t *s, const im_command_t *command,
                      im_webhook_answer_t *answer);

    /* There is no result; NULL: the client gets an error. */
    void        (*nothing)(ngx_im_session_t *s);

    /* The client gets an error after it; may be NULL. */
    void        (*failed)(ngx_im_session_t *s);

    /* The backend says 401 or 403; NULL: error 103 of the command. */
    void        (*refused)(ngx_im_session_t *s, const im_command_t *command);
} ngx_im_webhook_t;


/*
 * Asks the location's webhook about the command.  If the command has an id,
 * input waits meanwhile and errors are answered here.  NGX_ERROR: not asked.
 */
ngx_int_t ngx_im_webhook_ask(ngx_im_session_t *s,
    const ngx_im_webhook_t *webhook, const im_command_t *command);

/* The same, but a refused question is answered.  NGX_ERROR: session closed. */
ngx_int_t ngx_im_webhook_command(ngx_im_session_t *s,
    const ngx_im_webhook_t *webhook, const im_command_t *command);


#endif /* NGX_IM_WEBHOOK_H */
