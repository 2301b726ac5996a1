/*
 * Copyright (C) The im authors
 *
 * The scripts that run inside Redis, embedded from redis/ at build time by
 * redis/embed.  The head of each script lists its keys, arguments and replies.
 */

#ifndef IM_SCRIPT_H
#define IM_SCRIPT_H


#include "im_types.h"


typedef struct {
    const char  *name;
    const char  *sha;        /* SHA-1 of text, 40 hex digits */
    im_str_t     text;
} im_script_t;


extern const im_script_t  im_script_pub;
extern const im_script_t  im_script_route;
extern const im_script_t  im_script_take;
extern const im_script_t  im_script_hist;
extern const im_script_t  im_script_page;
extern const im_script_t  im_script_members;
extern const im_script_t  im_script_lease;
extern const im_script_t  im_script_live;
extern const im_script_t  im_script_online;
extern const im_script_t  im_script_sweep;
extern const im_script_t  im_script_own;
extern const im_script_t  im_script_jobs;
extern const im_script_t  im_script_check;
extern const im_script_t  im_script_control;
extern const im_script_t  im_script_revoke;
extern const im_script_t  im_script_limit;
extern const im_script_t  im_script_register;
extern const im_script_t  im_script_login;
extern const im_script_t  im_script_token;
extern const im_script_t  im_script_kept;
extern const im_script_t  im_script_names;
extern const im_script_t  im_script_forget;
extern const im_script_t  im_script_backlog;
extern const im_script_t  im_script_dead;


#endif /* IM_SCRIPT_H */
