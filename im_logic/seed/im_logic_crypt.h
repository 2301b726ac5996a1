/*
 * Copyright (C) The im authors
 *
 * Passwords: hashed and checked by libcrypt in the pool's threads.
 */

#ifndef IM_LOGIC_CRYPT_H
#define IM_LOGIC_CRYPT_H


#include "im_types.h"
#include "im_logic_pool.h"


#define IM_PASSWORD_MAX   80     /* bytes */
#define IM_PASSWORD_HASH  384    /* what libcrypt may make, with NUL */
#define IM_CRYPT_COST_MIN 1
#define IM_CRYPT_COST_MAX 11


/* The password is wiped by the work, or by im_logic_crypt_wipe(). */
typedef struct {
    im_logic_task_t  task;                       /* first */
    char             password[IM_PASSWORD_MAX + 1];
    char             hash[IM_PASSWORD_HASH];     /* a setting, or the result */
    char             renewed[IM_PASSWORD_HASH];  /* of a check: "" none */
    im_int_t         rc;                         /* IM_DECLINED: wrong */
    unsigned         check:1;
} im_logic_crypt_t;


/* Comes first.  IM_ERROR: too long. */
im_int_t im_logic_crypt_password(im_logic_crypt_t *crypt, im_str_t password);

/*
 * What the task is, before it is added to a pool: its done finds rc and, made,
 * the hash.  IM_ERROR: libcrypt makes no setting.
 */
im_int_t im_logic_crypt_make(im_logic_crypt_t *crypt, im_uint_t cost);
/*
 * Against what is stored; empty: nobody's, which takes as long and fails.
 * Where it is right and stored in another way than make would, renewed is what
 * make would store.
 */
im_int_t im_logic_crypt_check(im_logic_crypt_t *crypt, im_str_t hash,
    im_uint_t cost);

void im_logic_crypt_wipe(im_logic_crypt_t *crypt);


#endif /* IM_LOGIC_CRYPT_H */
