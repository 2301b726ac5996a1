/*
 * Copyright (C) The im authors
 *
 * Signatures of JSON Web Tokens.
 */

#include <errno.h>
#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "im_logic_sign.h"


#define IM_SIGN_FILE  65536


static const EVP_MD *
im_logic_sign_md(im_jwt_alg_e alg)
{
    switch (im_jwt_methods[alg].bits) {

    case 256:
        return EVP_sha256();

    case 384:
        return EVP_sha384();

    case 512:
        return EVP_sha512();

    default:
        return NULL;         /* Edwards curves have a hash of their own */
    }
}


/* What a key in PEM is for, if the caller doesn't say. */
static im_jwt_alg_e
im_logic_sign_alg(const EVP_PKEY *pem)
{
    switch (EVP_PKEY_base_id(pem)) {

    case EVP_PKEY_RSA:
        return IM_JWT_RS256;

    case EVP_PKEY_RSA_PSS:
        return IM_JWT_PS256;

    case EVP_PKEY_EC:
        return EVP_PKEY_bits(pem) == 256 ? IM_JWT_ES256
               : EVP_PKEY_bits(pem) == 384 ? IM_JWT_ES384 : IM_JWT_ES512;

    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        return IM_JWT_EDDSA;

    default:
        return IM_JWT_ALGS;
    }
}


/* The family and, of curves, the size are the algorithm's. */
static int
im_logic_sign_suits(const EVP_PKEY *pem, im_jwt_alg_e alg)
{
    int           bits;
    im_jwt_alg_e  own;

    own = im_logic_sign_alg(pem);
    bits = EVP_PKEY_bits(pem);

    switch (im_jwt_methods[alg].family) {

    case IM_JWT_RSA:
        return own == IM_JWT_RS256 && bits >= 2048 && bits <= 8192;

    case IM_JWT_PSS:
        return (own == IM_JWT_RS256 || own == IM_JWT_PS256)
               && bits >= 2048 && bits <= 8192;

    case IM_JWT_ECDSA:
        return own == alg;

    case IM_JWT_EDWARDS:
        return own == IM_JWT_EDDSA
               && (alg != IM_JWT_ED25519
                   || EVP_PKEY_base_id(pem) == EVP_PKEY_ED25519)
               && (alg != IM_JWT_ED448
                   || EVP_PKEY_base_id(pem) == EVP_PKEY_ED448);

    default:
        return 0;
    }
}


static const char *
im_logic_sign_secret(im_logic_sign_key_t *key, int weak)
{
    im_buf_t  *b;

    b = &key->secret;

    if (b->len != 0 && b->data[b->len - 1] == '\n') {
        b->len--;
    }

    if (b->len != 0 && b->data[b->len - 1] == '\r') {
        b->len--;
    }

    if (key->alg == IM_JWT_ALGS) {
        key->alg = IM_JWT_HS256;
    }

    if (im_jwt_methods[key->alg].family != IM_JWT_HMAC) {
        return "is not a key in PEM, which this algorithm needs";
    }

    if (b->len == 0) {
        return "is empty";
    }

    if (b->len < im_jwt_methods[key->alg].signature && !weak) {
        return "has a secret that is shorter than the hash (32, 48 or 64 "
               "bytes): --weak allows it, if im_jwt_key has \"weak\", too";
    }

    return NULL;
}


static const char *
im_logic_sign_pem(im_logic_sign_key_t *key)
{
    BIO   *bio;
    char   none[] = "";

    bio = BIO_new_mem_buf(key->secret.data, (int) key->secret.len);

    if (bio != NULL && key->private) {
        /* without a passphrase, and without a question for one */
        key->pem = PEM_read_bio_PrivateKey(bio, NULL, NULL, none);

    } else if (bio != NULL) {
        key->pem = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    }

    BIO_free(bio);
    ERR_clear_error();

    if (key->pem == NULL) {
        return "is not a key in PEM that can be read: it must have no "
               "passphrase";
    }

    if (key->alg == IM_JWT_ALGS) {
        key->alg = im_logic_sign_alg(key->pem);
    }

    return key->alg != IM_JWT_ALGS && im_logic_sign_suits(key->pem, key->alg)
           ? NULL : "has a key of another kind than the algorithm needs";
}


const char *
im_logic_sign_read(im_logic_sign_key_t *key, const char *file, im_str_t alg,
    int weak)
{
    int      fault;
    FILE    *in;
    size_t   n;
    u_char  *p;

    memset(key, 0, sizeof(im_logic_sign_key_t));
    im_buf_init(&key->secret, IM_SIGN_FILE + 1);

    key->alg = alg.len == 0 ? IM_JWT_ALGS : im_jwt_alg(alg);

    if (alg.len != 0 && key->alg == IM_JWT_ALGS) {
        return "can't be used: --alg is HS256, RS256, PS256, ES256 and so on, "
               "or EdDSA";
    }

    p = im_buf_reserve(&key->secret, IM_SIGN_FILE + 1);
    in = p == NULL ? NULL : fopen(file, "re");

    if (in == NULL) {
        return strerror(errno);
    }

    n = fread(p, 1, IM_SIGN_FILE, in);
    fault = ferror(in);
    (void) fclose(in);

    key->secret.len = n;
    p[n] = '\0';

    if (fault || n == IM_SIGN_FILE) {
        return fault ? "can't be read" : "is longer than a key can be";
    }

    if (strstr((char *) p, "-----BEGIN ") == NULL) {
        return im_logic_sign_secret(key, weak);
    }

    key->private = strstr((char *) p, "PRIVATE KEY-----") != NULL;

    return im_logic_sign_pem(key);
}


void
im_logic_sign_free(im_logic_sign_key_t *key)
{
    if (key->secret.data != NULL) {
        explicit_bzero(key->secret.data, key->secret.size);
    }

    im_buf_cleanup(&key->secret);
    EVP_PKEY_free(key->pem);
}


/* Two numbers of equal length, for the ASN.1 of OpenSSL (RFC 7518, 3.4). */
static void
im_logic_sign_halves(im_buf_t *b, const u_char *der, size_t len, size_t half)
{
    u_char        *p;
    ECDSA_SIG     *sig;

    p = im_buf_reserve(b, 2 * half);
    sig = d2i_ECDSA_SIG(NULL, &der, (long) len);

    if (p == NULL || sig == NULL
        || BN_bn2binpad(ECDSA_SIG_get0_r(sig), p, (int) half) < 0
        || BN_bn2binpad(ECDSA_SIG_get0_s(sig), p + half, (int) half) < 0)
    {
        b->failed = 1;
    }

    ECDSA_SIG_free(sig);
}


/* The salt of PSS is as long as the hash (RFC 7518, 3.5). */
static int
im_logic_sign_begin(const im_logic_sign_key_t *key, EVP_MD_CTX *ctx, int sign)
{
    int             rc;
    EVP_PKEY_CTX   *pctx;
    const EVP_MD   *md;

    md = im_logic_sign_md(key->alg);

    rc = sign ? EVP_DigestSignInit(ctx, &pctx, md, NULL, key->pem)
              : EVP_DigestVerifyInit(ctx, &pctx, md, NULL, key->pem);

    if (rc != 1 || im_jwt_methods[key->alg].family != IM_JWT_PSS) {
        return rc == 1;
    }

    return EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0
           && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
              > 0;
}


static void
im_logic_sign_hmac(const im_logic_sign_key_t *key, im_str_t text,
    im_buf_t *signature)
{
    u_char        mac[EVP_MAX_MD_SIZE];
    unsigned int  len;

    if (HMAC(im_logic_sign_md(key->alg), key->secret.data,
             (int) key->secret.len, text.data, text.len, mac, &len)
        == NULL)
    {
        signature->failed = 1;
        return;
    }

    im_buf_add(signature, mac, len);
}


const char *
im_logic_sign(const im_logic_sign_key_t *key, im_str_t text,
    im_buf_t *signature)
{
    u_char       bytes[1024 + IM_JWT_MAX_DER];
    size_t       len;
    EVP_MD_CTX  *ctx;

    if (key->pem == NULL) {
        im_logic_sign_hmac(key, text, signature);
        return signature->failed ? "no memory" : NULL;
    }

    if (!key->private) {
        return "has a public key: a private one signs";
    }

    len = sizeof(bytes);
    ctx = EVP_MD_CTX_new();

    if (ctx == NULL || !im_logic_sign_begin(key, ctx, 1)
        || EVP_DigestSign(ctx, bytes, &len, text.data, text.len) != 1)
    {
        signature->failed = 1;

    } else if (im_jwt_methods[key->alg].family == IM_JWT_ECDSA) {
        im_logic_sign_halves(signature, bytes, len,
                             im_jwt_methods[key->alg].signature / 2);

    } else {
        im_buf_add(signature, bytes, len);
    }

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return signature->failed ? "can't sign" : NULL;
}


int
im_logic_sign_verify(const im_logic_sign_key_t *key, im_str_t text,
    im_str_t signature)
{
    int          good;
    u_char       der[IM_JWT_MAX_DER], mac[EVP_MAX_MD_SIZE];
    im_buf_t     b;
    EVP_MD_CTX  *ctx;

    if (key->pem == NULL) {
        im_buf_fixed(&b, mac, sizeof(mac));
        im_logic_sign_hmac(key, text, &b);
        return !b.failed && im_str_eq(im_buf_str(&b), signature);
    }

    if (im_jwt_methods[key->alg].family == IM_JWT_ECDSA) {
        if (signature.len != im_jwt_methods[key->alg].signature) {
            return 0;
        }

        signature = im_str_set(der, im_jwt_der(signature, der));
    }

    ctx = EVP_MD_CTX_new();

    good = ctx != NULL && im_logic_sign_begin(key, ctx, 0)
           && EVP_DigestVerify(ctx, signature.data, signature.len, text.data,
                               text.len) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();

    return good;
}
