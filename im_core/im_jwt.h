/*
 * Copyright (C) The im authors
 *
 * JSON Web Tokens (RFC 7519) in the compact form.  The caller checks the
 * signature, between im_jwt_split() and im_jwt_claims().
 */

#ifndef IM_JWT_H
#define IM_JWT_H


#include "im_types.h"
#include "im_buf.h"


#define IM_JWT_MAX        8192                 /* bytes of a token */
#define IM_JWT_ARENA      (4 * IM_JWT_MAX)     /* least limit of an arena */
#define IM_JWT_MAX_KID    255
#define IM_JWT_MAX_DER    144                  /* of ES512's signature */
#define IM_JWT_MAX_SUBS   128


typedef enum {
    IM_JWT_HS256 = 0,
    IM_JWT_HS384,
    IM_JWT_HS512,
    IM_JWT_RS256,
    IM_JWT_RS384,
    IM_JWT_RS512,
    IM_JWT_ES256,
    IM_JWT_ES384,
    IM_JWT_ES512,
    IM_JWT_PS256,
    IM_JWT_PS384,
    IM_JWT_PS512,
    IM_JWT_EDDSA,                    /* Ed25519 or Ed448, as the key is */
    IM_JWT_ED25519,                  /* RFC 9864 */
    IM_JWT_ED448,
    IM_JWT_ALGS
} im_jwt_alg_e;


typedef enum {
    IM_JWT_HMAC = 0,
    IM_JWT_RSA,
    IM_JWT_ECDSA,
    IM_JWT_PSS,
    IM_JWT_EDWARDS
} im_jwt_family_e;


typedef struct {
    im_str_t         name;
    im_jwt_family_e  family;
    im_uint_t        bits;           /* of the hash; 0: the curve has its own */
    size_t           signature;      /* its bytes; 0: as many as the key's */
} im_jwt_method_t;

extern const im_jwt_method_t  im_jwt_methods[IM_JWT_ALGS];

/* IM_JWT_ALGS: there is no such algorithm; "none" is not accepted. */
im_jwt_alg_e im_jwt_alg(im_str_t name);


/* The parts of a token.  Nothing has been verified yet. */
typedef struct {
    im_jwt_alg_e  alg;
    im_str_t      kid;               /* "" none */
    im_str_t      signing;           /* what is signed, of the token itself */
    im_str_t      signature;
    im_str_t      claims;            /* JSON */
} im_jwt_parts_t;


/* A channel that the token subscribes to.  "": not given. */
typedef struct {
    im_str_t      channel;
    im_str_t      info;
    im_str_t      data;
    im_str_t      override;          /* an object */
} im_jwt_sub_t;


typedef struct {
    im_str_t       user;             /* sub; "" anonymous */
    im_str_t       id;               /* jti */
    im_str_t       issuer;           /* iss */
    im_str_t       info;             /* JSON, or what b64info encodes */
    im_str_t       data;
    im_str_t       meta;
    im_str_t       override;
    im_str_t       channel;          /* data NULL: not a subscription's token */
    im_str_t       client;           /* data NULL: any */
    im_str_t       claims;           /* all of it */
    int64_t        exp;              /* s; INT64_MAX none */
    int64_t        nbf;              /* INT64_MIN none, as the next one */
    int64_t        iat;
    int64_t        expires;          /* end of the session; 0: none */
    int64_t        leeway;           /* s, as im_jwt_check() was given it */
    im_jwt_sub_t  *subs;             /* of subs, else of channels */
    im_uint_t      nsubs;
    const char    *why;              /* not valid: static text */
} im_jwt_t;


/*
 * Splits a token; the strings are in the arena, which does not move until
 * im_jwt_claims() is done.  The token must not lie in the arena.
 * IM_ERROR: *why is static text; im_json_no_memory if the token may be good.
 */
im_int_t im_jwt_split(im_str_t token, im_buf_t *arena, im_jwt_parts_t *parts,
    const char **why);

/* IM_ERROR: jwt->why, as above.  Else jwt is to be cleaned up. */
im_int_t im_jwt_claims(const im_jwt_parts_t *parts, im_buf_t *arena,
    im_jwt_t *jwt);
void im_jwt_cleanup(im_jwt_t *jwt);

/*
 * Checks the claims: time (now, s), audience and issuer (both: "" any).  The
 * issuer's clock may differ by leeway, in s.  IM_DECLINED: expired, or not
 * valid yet: another token may be; IM_ERROR: not valid.
 */
im_int_t im_jwt_check(im_jwt_t *jwt, int64_t now, int64_t leeway,
    im_str_t audience, im_str_t issuer);

/*
 * Converts a signature of ECDSA, two numbers of equal length (at most 66 bytes
 * each), to ASN.1; gives the length.
 */
size_t im_jwt_der(im_str_t signature, u_char der[IM_JWT_MAX_DER]);


#endif /* IM_JWT_H */
