/*
 * Copyright (C) The im authors
 *
 * What commands keep of a followed topic: subscriptions that wait for history,
 * and the pacing of room info and presence.
 */

#ifndef NGX_IM_TOPIC_H
#define NGX_IM_TOPIC_H


#include "ngx_im_follow.h"
#include "ngx_im_read.h"
#include "ngx_im_session.h"
#include "im_buf.h"


#define NGX_IM_TOPIC_WAITING  (4096 * sizeof(ngx_im_heard_t))
#define NGX_IM_TOPIC_HEARD    (1024 * sizeof(ngx_im_heard_t))


/* A question of members that is out. */
typedef struct ngx_im_info_s  ngx_im_info_t;

/* The room info that was sent last. */
typedef struct ngx_im_shown_s  ngx_im_shown_t;


/* Which list of users a follower has. */
typedef struct {
    ngx_im_handle_t       session;
    uint64_t              hash;        /* 0: none, or it isn't known */
} ngx_im_heard_t;


typedef enum {
    NGX_IM_INFO_QUIET = 0,
    NGX_IM_INFO_CHANGED,           /* followers get it if it is new */
    NGX_IM_INFO_FORCED             /* followers get it in any case */
} ngx_im_info_want_e;


/* Owned by its topic, as im_followed()->data; made when it is needed. */
typedef struct {
    im_topic_t           *topic;
    im_list_t             joins;       /* ngx_im_join_t that wait */
    ngx_im_read_t         read;        /* of its history, for one of them */
    size_t                read_from;   /* bytes that were there before */
    im_list_t             load_link;   /* in worker->loads */
    ngx_im_info_t        *info;        /* the question, or NULL */
    ngx_im_shown_t       *shown;       /* or NULL */
    im_list_t             info_link;   /* in worker->infos or suspects */
    im_buf_t              waiting;     /* ngx_im_heard_t of sessions that want
                                          room info, those asked for first */
    ngx_msec_t            info_all;    /* not before: to all followers */
    ngx_msec_t            info_some;   /* not before: to waiting sessions */
    uint64_t              info_hash;   /* of the list of followers; 0: none */
    im_buf_t              heard;       /* ngx_im_heard_t of those with another
                                          one */
    ngx_im_info_want_e    want;
    ngx_uint_t            rounds;      /* reports before the next question */
    ngx_im_rate_t         pushes;      /* of joins and leaves */
    ngx_msec_t            counted;     /* when followers were asked for: */
    uint32_t              others;      /* those elsewhere, */
    uint32_t              total;       /* all of them */
    unsigned              hurry:1;     /* a guest waits for room info */
    unsigned              suspect:1;   /* members may have changed */
    unsigned              mixed:1;     /* which list they have isn't known */
    unsigned              late:1;      /* they are to be counted at once */
} ngx_im_topic_t;


/* NULL: no memory. */
ngx_im_topic_t *ngx_im_topic_get(im_topic_t *topic);


#endif /* NGX_IM_TOPIC_H */
