/*
 * Copyright (C) The im authors
 *
 * What commands keep of a followed topic.
 */

#include "ngx_im_topic.h"


ngx_im_topic_t *
ngx_im_topic_get(im_topic_t *topic)
{
    void            **data;
    ngx_im_topic_t   *t;

    data = &im_followed(topic)->data;

    if (*data == NULL) {
        t = im_calloc(sizeof(ngx_im_topic_t));
        if (t == NULL) {
            return NULL;
        }

        t->topic = topic;

        im_list_init(&t->joins);
        im_list_init(&t->read.link);
        im_list_init(&t->load_link);
        im_list_init(&t->info_link);
        im_buf_init(&t->waiting, NGX_IM_TOPIC_WAITING);
        im_buf_init(&t->heard, NGX_IM_TOPIC_HEARD);

        *data = t;
    }

    return *data;
}
