/*
 * Copyright (C) The im authors
 *
 * Tokens of users.
 */

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "im_base64.h"
#include "load_token.h"


#define LOAD_TOKEN_HEAD  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
#define LOAD_TOKEN_SIZE  256


static void
load_token_sign(const load_options_t *o, im_buf_t *b, unsigned user)
{
    int       n;
    char      claims[64];
    u_char    digest[EVP_MAX_MD_SIZE], memory[LOAD_TOKEN_SIZE];
    unsigned  len;
    im_buf_t  token;
    im_str_t  text;

    n = snprintf(claims, sizeof(claims), "{\"sub\":\"u%u\"}", user);
    text.len = (size_t) n;
    text.data = (u_char *) claims;

    im_buf_fixed(&token, memory, sizeof(memory));
    im_buf_add_z(&token, LOAD_TOKEN_HEAD);
    im_base64_encode(&token, text, IM_BASE64_URL);

    text = im_buf_str(&token);
    (void) HMAC(EVP_sha256(), o->jwt_secret, (int) strlen(o->jwt_secret),
                text.data, text.len, digest, &len);

    im_buf_add_str(b, text);
    im_buf_add_z(b, ".");
    text.len = len;
    text.data = digest;
    im_base64_encode(b, text, IM_BASE64_URL);
}


void
load_token_add(const load_options_t *o, im_buf_t *b, unsigned user)
{
    char      number[16];
    im_str_t  text;

    if (o->jwt_secret != NULL) {
        load_token_sign(o, b, user);
        return;
    }

    if (o->token != NULL) {
        text.len = (size_t) snprintf(number, sizeof(number), "%u", user);
        text.data = (u_char *) number;
        load_proto_fill(b, o->token, 'u', text);
    }
}
