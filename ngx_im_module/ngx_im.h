/*
 * Copyright (C) The im authors
 *
 * The link to Redis.
 */

#ifndef NGX_IM_H
#define NGX_IM_H


#include "ngx_im_worker.h"
#include "ngx_im_client.h"
#include "ngx_im_resume.h"
#include "ngx_im_send.h"
#include "im_id.h"
#include "im_key.h"
#include "im_push.h"


#endif /* NGX_IM_H */
