/*
 * Copyright (C) The im authors
 *
 * JSON Web Key Sets (RFC 7517): the keys with which a provider's tokens are
 * checked.  Public keys become what OpenSSL reads, a SubjectPublicKeyInfo.
 */

#ifndef IM_JWKS_H
#define IM_JWKS_H


#include "im_types.h"
#include "im_buf.h"
#include "im_jwt.h"


#define IM_JWKS_MAX       64                 /* keys */
#define IM_JWKS_MAX_TEXT  (1024 * 1024)
#define IM_JWKS_ARENA     (8 * IM_JWKS_MAX_TEXT)

/* RSA keys, in bits */
#define IM_JWKS_RSA_LEAST  2048
#define IM_JWKS_RSA_MOST   8192


/* Either secret or public, DER, is given, or why it isn't. */
typedef struct {
    im_str_t     kid;            /* "" none */
    im_str_t     secret;
    im_str_t     public;
    uint32_t     algs;           /* 1 << im_jwt_alg_e */
    const char  *why;            /* it can't be used: static text */
    unsigned     foreign:1;      /* it is for something else: no fault */
} im_jwk_t;


/* The bit of an algorithm, and of those that Ed25519 and Ed448 keys have. */
#define im_jwk_alg(alg)  (1u << (alg))
#define IM_JWK_ED25519   (im_jwk_alg(IM_JWT_EDDSA)|im_jwk_alg(IM_JWT_ED25519))
#define IM_JWK_ED448     (im_jwk_alg(IM_JWT_EDDSA)|im_jwk_alg(IM_JWT_ED448))


/*
 * Gives the *n keys of a set.  Strings are in the arena, which has the limit
 * IM_JWKS_ARENA or none of its own and does not move.  weak: secrets may be
 * shorter than the hash.  IM_ERROR: it is no set, *why is static text,
 * im_json_no_memory if the text isn't at fault.
 */
im_int_t im_jwks_decode(im_str_t text, im_uint_t weak, im_buf_t *arena,
    im_jwk_t keys[IM_JWKS_MAX], im_uint_t *n, const char **why);


#endif /* IM_JWKS_H */
