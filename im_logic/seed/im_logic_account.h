/*
 * Copyright (C) The im authors
 *
 * A request about an account: a chain of steps on replies of Redis.  Between
 * them a thread of the pool hashes the password.  Each step calls the next one,
 * or ends the request.
 */

#ifndef IM_LOGIC_ACCOUNT_H
#define IM_LOGIC_ACCOUNT_H


#include "im_logic_crypt.h"
#include "im_logic_limit.h"
#include "im_logic_secret.h"
#include "im_logic_v1.h"


#define IM_ACCOUNT_ID  16      /* hex digits */


typedef struct im_logic_account_s  im_logic_account_t;

typedef void (*im_logic_account_pt)(im_logic_account_t *a);

struct im_logic_account_s {
    im_logic_crypt_t      crypt;       /* first: a task is cast to it */
    im_logic_t           *logic;
    im_daemon_request_t  *r;
    im_logic_account_pt   next;        /* step */
    im_logic_account_pt   then;        /* behind several steps */
    im_logic_account_pt   proved;      /* the password is right */
    im_link_reply_pt      ended;       /* a token is */
    const char           *reason;      /* why the user's sessions are closed */

    im_str_t              name;        /* in form C; of a found account, its
                                          own */
    im_str_t              typed;       /* as it came, where that is another */
    im_str_t              user;        /* "": no account has the name */
    im_str_t              stored;      /* the account's hash */
    im_str_t              created;
    im_str_t              token;
    im_str_t              hash;        /* of the token */
    im_str_t              subject;     /* of the limit that a right password
                                          clears, and its kind */
    char                  kind;
    im_logic_hit_e        limit;       /* that is being asked about */

    im_uint_t             left;        /* tokens that are being deleted */
    unsigned              failed:1;    /* one could not be deleted */
    unsigned              all:1;       /* tokens of the user */
    unsigned              admin:1;     /* not a page: answers by status */
    unsigned              by_token:1;  /* who asks has one of the user */

    u_char                user_data[IM_ACCOUNT_ID];
    u_char                token_data[IM_SECRET_TOKEN];
    u_char                hash_data[IM_SECRET_HASH];
    char                  cookie[IM_SECRET_TOKEN + 80];
};


typedef struct {
    im_str_t  name;
    im_str_t  password;
    im_str_t  next;
    im_str_t  auth;
} im_logic_account_body_t;


/* NULL: the request has been answered. */
im_logic_account_t *im_logic_account_new(im_daemon_request_t *r, int admin);

/* Answers. */
void im_logic_account_end(im_logic_account_t *a, int code);
void im_logic_account_refuse(im_logic_account_t *a, const char *why);

/* The answer of a login: who it is, and the token. */
void im_logic_account_identity(im_logic_account_t *a, int code);

/*
 * Reads the body; its strings live as long as the request.  IM_ERROR: *why, or
 * NULL: not what it should be.
 */
im_int_t im_logic_account_read(im_daemon_request_t *r,
    im_logic_account_body_t *body, const char **why);
/* No password stays in memory. */
void im_logic_account_wipe(im_daemon_request_t *r,
    const im_logic_account_body_t *body);
void im_logic_account_wipe_text(im_daemon_request_t *r, im_str_t password);

/* The name of the body.  IM_ERROR: *why. */
im_int_t im_logic_account_name(im_logic_account_t *a, im_str_t typed,
    const char **why);
/* What is wrong with a password; and with one that is to be the new one. */
const char *im_logic_password_fault(im_str_t password);
const char *im_logic_password_weak(im_str_t password, im_str_t name);

/* Steps */

/* One more attempt; n = 0: no limit. */
void im_logic_account_limit(im_logic_account_t *a, char kind, uint64_t n,
    im_str_t subject, im_logic_account_pt next);
/* The same, of the client's address. */
void im_logic_account_limit_address(im_logic_account_t *a, char kind,
    uint64_t n, im_logic_account_pt next);

/* Looks for the account of the name. */
void im_logic_account_find(im_logic_account_t *a, im_logic_account_pt next);

/* done finds the task as im_logic_crypt.h says. */
void im_logic_account_hash(im_logic_account_t *a,
    void (*done)(im_logic_task_t *task));

/* Appends the key of the account. */
void im_logic_account_key(im_logic_account_t *a, im_link_call_t *call);

/*
 * names.lua with the keys of the name: "take" them, "keep" those that are
 * free, "free" them.
 */
void im_logic_account_names(im_logic_account_t *a, const char *what,
    im_link_reply_pt handler);

/* Takes another hash in the place of the stored one ("": of any). */
void im_logic_account_store(im_logic_account_t *a, const char *hash,
    im_str_t old, im_link_reply_pt handler);


/* im_logic_account_token.c */

/* A new token for the user, then the answer of a login. */
void im_logic_account_login(im_logic_account_t *a);

/* Ends all tokens of the user and closes the user's sessions; then a->then. */
void im_logic_account_out(im_logic_account_t *a, const char *reason,
    im_logic_account_pt then);

/* Ends a->token, whose hash is in a->hash; the handler gets the user. */
void im_logic_account_token_end(im_logic_account_t *a,
    im_link_reply_pt handler);
/* Takes it off those of the user and closes the sessions that it has opened. */
void im_logic_account_token_off(im_logic_account_t *a);

/* Ends the tokens and sessions of the user and removes the account. */
void im_logic_account_remove(im_logic_account_t *a);


/* im_logic_attempt.c */

/* Whether the password may be tried; of any name, with an account or without */
void im_logic_attempt(im_logic_account_t *a, im_logic_account_pt next);
/* It was right. */
void im_logic_attempt_right(im_logic_account_t *a);


#endif /* IM_LOGIC_ACCOUNT_H */
