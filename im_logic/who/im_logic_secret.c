/*
 * Copyright (C) The im authors
 *
 * Tokens as secrets.  No other file uses OpenSSL.
 *
 * A token has 128 bits of the system's random source, so its SHA-256 needs no
 * salt and no cost: who reads Redis can't tell the token.
 */

#include <openssl/evp.h>

#include "im_logic_secret.h"
#include "im_daemon_time.h"


void
im_logic_secret_hex(u_char *hex, const u_char *bytes, size_t n)
{
    size_t  i;

    for (i = 0; i < 2 * n; i++) {
        hex[i] = (u_char) "0123456789abcdef"[bytes[i / 2] >> (i % 2 ? 0 : 4)
                                             & 0x0f];
    }
}


void
im_logic_secret_token(u_char *token)
{
    u_char  random[IM_SECRET_TOKEN / 2];

    im_daemon_random(random, sizeof(random));
    im_logic_secret_hex(token, random, sizeof(random));
}


im_int_t
im_logic_secret_hash(im_str_t secret, u_char *hash)
{
    u_char  digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(secret.data, secret.len, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
        return IM_ERROR;
    }

    im_logic_secret_hex(hash, digest, IM_SECRET_HASH / 2);

    return IM_OK;
}
