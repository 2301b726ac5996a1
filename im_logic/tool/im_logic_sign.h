/*
 * Copyright (C) The im authors
 *
 * Signatures of JSON Web Tokens (RFC 7518), by a secret or a key in PEM.
 */

#ifndef IM_LOGIC_SIGN_H
#define IM_LOGIC_SIGN_H


#include <openssl/evp.h>

#include "im_jwt.h"


typedef struct {
    im_buf_t       secret;       /* of HMAC */
    EVP_PKEY      *pem;          /* or NULL */
    im_jwt_alg_e   alg;
    unsigned       private:1;    /* pem can sign */
} im_logic_sign_key_t;


/*
 * Reads the key of a file, as im_jwt_key of nginx does; alg "": what the key is
 * for, HS256 for a secret.  To be freed in any case.  NULL, or static text to
 * follow the file's name: what is wrong.
 */
const char *im_logic_sign_read(im_logic_sign_key_t *key, const char *file,
    im_str_t alg, int weak);
void im_logic_sign_free(im_logic_sign_key_t *key);

/* Appends the signature's bytes.  NULL, or what is wrong. */
const char *im_logic_sign(const im_logic_sign_key_t *key, im_str_t text,
    im_buf_t *signature);

/* The signature of the text is this key's. */
int im_logic_sign_verify(const im_logic_sign_key_t *key, im_str_t text,
    im_str_t signature);


#endif /* IM_LOGIC_SIGN_H */
