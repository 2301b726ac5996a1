/*
 * Copyright (C) The im authors
 *
 * Passwords: hashed and checked by libcrypt in the pool's threads.
 */

#ifndef IM_LOGIC_CRYPT_H
#define IM_LOGIC_CRYPT_H


#include "im_types.h"
#include "im_logic_pool.h"


#define IM_PASSWORD_MAX   1024   /* bytes */
#define IM_PASSWORD_TEXT  512    /* what libcrypt takes, with NUL */
#define IM_PASSWORD_HASH  384    /* what libcrypt may make, with NUL */
#define IM_CRYPT_COST_MIN 1
#define IM_CRYPT_COST_MAX 11


/* The password is wiped by the work, or by im_logic_crypt_wipe(). */
typedef struct {
    im_logic_task_t  task;                       /* first */
    char             password[IM_PASSWORD_TEXT];
    char             next[IM_PASSWORD_TEXT];     /* "" none */
    char             hash[IM_PASSWORD_HASH];     /* a setting, or the result */
    char             renewed[IM_PASSWORD_HASH];  /* of a check: "" none */
    im_int_t         rc;                         /* IM_DECLINED: wrong */
    unsigned         check:1;
} im_logic_crypt_t;


/*
 * Comes first.  What is too long for libcrypt is hashed before.  IM_ERROR: too
 * long, or no memory.
 */
im_int_t im_logic_crypt_password(im_logic_crypt_t *crypt, im_str_t password);
/* A check that finds the password right makes the hash of another one. */
im_int_t im_logic_crypt_next(im_logic_crypt_t *crypt, im_str_t password);

/*
 * Prepare the task for a pool.  Its done finds rc, and the hash that was made.
 * IM_ERROR: libcrypt makes no setting.
 */
im_int_t im_logic_crypt_make(im_logic_crypt_t *crypt, im_uint_t cost);
/*
 * Checks against a stored hash; an empty one takes as long and fails.  renewed
 * is a new hash where the password is right and there is a next one, or the
 * stored hash is of another method or cost.
 */
im_int_t im_logic_crypt_check(im_logic_crypt_t *crypt, im_str_t hash,
    im_uint_t cost);

/* data: an im_logic_crypt_t. */
void im_logic_crypt_wipe(void *data);


#endif /* IM_LOGIC_CRYPT_H */
