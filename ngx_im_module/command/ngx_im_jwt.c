/*
 * Copyright (C) The im authors
 *
 * Tokens that the worker checks: the keys of im_jwt_key, and signatures by
 * OpenSSL.
 *
 * A key has one algorithm and is chosen before anything is computed, so one
 * token costs one check at most.  Signatures of public keys cost far more than
 * HMACs: their number is limited, and good ones are remembered, so that many
 * clients that come back at once are cheap.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include "ngx_im_jwt.h"
#include "ngx_im_worker.h"
#include "im_json.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>


#define NGX_IM_JWT_FILE       65536
#define NGX_IM_JWT_KEYS       64
#define NGX_IM_JWT_SEEN       16384      /* tokens remembered; a power of 2 */
#define NGX_IM_JWT_RSA_LEAST  2048       /* bits */
#define NGX_IM_JWT_RSA_MOST   8192


/* The state of a worker. */
typedef struct ngx_im_jwt_s  ngx_im_jwt_t;

struct ngx_im_jwt_s {
    ngx_im_rate_t  checks;
    u_char         seen[NGX_IM_JWT_SEEN][SHA256_DIGEST_LENGTH];
};


static void
ngx_im_jwt_key_cleanup(void *data)
{
    ngx_im_jwt_key_t  *key = data;

    EVP_PKEY_free(key->public);

    if (key->secret.len) {
        ngx_explicit_memzero(key->secret.data, key->secret.len);
    }
}


static const char *
ngx_im_jwt_conflict(ngx_im_main_conf_t *imcf, ngx_im_jwt_key_t *key)
{
    ngx_uint_t          i;
    ngx_im_jwt_key_t  **keys;

    keys = imcf->jwt_keys->elts;

    for (i = 0; i < imcf->jwt_keys->nelts; i++) {

        if (!im_str_eq(ngx_im_str(keys[i]->kid), ngx_im_str(key->kid))) {
            continue;
        }

        if (key->kid.len) {
            return "has the kid of another key: each needs its own";
        }

        if (keys[i]->alg == key->alg) {
            return "is the second key of this algorithm without a kid: tell "
                   "them apart by kid=";
        }
    }

    return i == NGX_IM_JWT_KEYS ? "is more than the 64 keys there may be"
                                : NULL;
}


static ngx_int_t
ngx_im_jwt_read(ngx_conf_t *cf, ngx_im_jwt_key_t *key, ngx_str_t *text)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_str_t  name;

    name = key->file;

    text->len = 0;
    text->data = ngx_pnalloc(cf->pool, NGX_IM_JWT_FILE + 1);

    if (text->data == NULL
        || ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "im_jwt_key: \"file=%V\" can't be opened",
                           &key->file);
        return NGX_ERROR;
    }

    do {
        n = ngx_read_fd(fd, text->data + text->len,
                        NGX_IM_JWT_FILE - text->len);
        text->len += n > 0 ? n : 0;

    } while (n > 0 && text->len < NGX_IM_JWT_FILE);

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "im_jwt_key: \"file=%V\" can't be read", &key->file);
    }

    (void) ngx_close_file(fd);

    /* ended, for a search in it */

    text->data[text->len] = '\0';

    return n < 0 ? NGX_ERROR : NGX_OK;
}


/* An editor adds one line feed at the end. */
static const char *
ngx_im_jwt_secret(ngx_im_jwt_key_t *key, ngx_str_t *text)
{
    size_t  least;

    if (ngx_strstr(text->data, "-----BEGIN ") != NULL) {
        ngx_explicit_memzero(text->data, text->len);
        return "is a PEM key: a secret is wanted";
    }

    if (text->len == NGX_IM_JWT_FILE) {
        return "is longer than a secret can be";
    }

    if (text->len && text->data[text->len - 1] == LF) {
        text->len--;
    }

    if (text->len && text->data[text->len - 1] == CR) {
        text->len--;
    }

    key->secret = im_str_set(text->data, text->len);

    least = key->weak ? 1 : im_jwt_methods[key->alg].signature;

    if (text->len >= least) {
        return NULL;
    }

    return key->weak ? "is empty"
                     : "is too short: it must be as long as the hash, 32, 48 "
                       "or 64 bytes; \"weak\" allows it";
}


static const char *
ngx_im_jwt_rsa(ngx_im_jwt_key_t *key)
{
    int  bits;

    if (EVP_PKEY_base_id(key->public) != EVP_PKEY_RSA) {
        return "is not an RSA key";
    }

    bits = EVP_PKEY_bits(key->public);

    if (bits < NGX_IM_JWT_RSA_LEAST || bits > NGX_IM_JWT_RSA_MOST) {
        return "is an RSA key with less than 2048 or more than 8192 bits";
    }

    return NULL;
}


static const char *
ngx_im_jwt_curve(ngx_im_jwt_key_t *key)
{
    int            nid;
    const EC_KEY  *ec;

    if (EVP_PKEY_base_id(key->public) != EVP_PKEY_EC) {
        return "is not an EC key";
    }

    ec = EVP_PKEY_get0_EC_KEY(key->public);
    nid = ec ? EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) : NID_undef;

    switch (key->alg) {

    case IM_JWT_ES256:
        return nid == NID_X9_62_prime256v1
                   ? NULL : "is not on the curve P-256, which ES256 is for";

    case IM_JWT_ES384:
        return nid == NID_secp384r1
                   ? NULL : "is not on the curve P-384, which ES384 is for";

    default:
        return nid == NID_secp521r1
                   ? NULL : "is not on the curve P-521, which ES512 is for";
    }
}


static const char *
ngx_im_jwt_public(ngx_im_jwt_key_t *key, ngx_str_t *text)
{
    BIO  *bio;

    if (key->weak) {
        return "can't be weak: that is for secrets";
    }

    if (ngx_strstr(text->data, "PRIVATE KEY-----") != NULL) {
        ngx_explicit_memzero(text->data, text->len);
        return "is a private key: only its owner may have that; give the "
               "public one";
    }

    bio = BIO_new_mem_buf(text->data, (int) text->len);

    if (bio != NULL) {
        key->public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }

    ERR_clear_error();

    if (key->public == NULL) {
        return "is not a public key in PEM, \"-----BEGIN PUBLIC KEY-----\"";
    }

    return im_jwt_methods[key->alg].family == IM_JWT_RSA
               ? ngx_im_jwt_rsa(key)
               : ngx_im_jwt_curve(key);
}


char *
ngx_im_jwt_key_add(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_im_jwt_key_t *key)
{
    ngx_str_t             text;
    const char           *why;
    ngx_im_jwt_key_t    **slot;
    ngx_pool_cleanup_t   *cln;

    if (imcf->jwt_keys == NULL) {
        imcf->jwt_keys = ngx_array_create(cf->pool, 4,
                                          sizeof(ngx_im_jwt_key_t *));
        if (imcf->jwt_keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_im_jwt_key_cleanup;
    cln->data = key;

    why = ngx_im_jwt_conflict(imcf, key);

    if (why == NULL) {
        if (ngx_im_jwt_read(cf, key, &text) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        why = im_jwt_methods[key->alg].family == IM_JWT_HMAC
                  ? ngx_im_jwt_secret(key, &text)
                  : ngx_im_jwt_public(key, &text);
    }

    if (why != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_jwt_key: \"%s\" with \"file=%V\" %s",
                           im_jwt_methods[key->alg].name.data, &key->file, why);
        return NGX_CONF_ERROR;
    }

    slot = ngx_array_push(imcf->jwt_keys);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = key;

    return NGX_CONF_OK;
}


/* By kid; of those without, by algorithm. */
static const ngx_im_jwt_key_t *
ngx_im_jwt_find(ngx_im_main_conf_t *imcf, im_jwt_parts_t *parts,
    const char **why)
{
    ngx_uint_t          i;
    ngx_im_jwt_key_t  **keys;

    *why = "the token's key is unknown";

    if (imcf->jwt_keys == NULL) {
        return NULL;
    }

    keys = imcf->jwt_keys->elts;

    for (i = 0; i < imcf->jwt_keys->nelts; i++) {

        if (!im_str_eq(ngx_im_str(keys[i]->kid), parts->kid)) {
            continue;
        }

        if (keys[i]->alg == parts->alg) {
            *why = NULL;
            return keys[i];
        }

        *why = "the token's algorithm is not its key's";
    }

    return NULL;
}


static const EVP_MD *
ngx_im_jwt_md(const ngx_im_jwt_key_t *key)
{
    switch (im_jwt_methods[key->alg].bits) {

    case 256:
        return EVP_sha256();

    case 384:
        return EVP_sha384();

    default:
        return EVP_sha512();
    }
}


static ngx_int_t
ngx_im_jwt_verified(const ngx_im_jwt_key_t *key, im_jwt_parts_t *parts,
    const char **why)
{
    int                     rc;
    u_char                  der[IM_JWT_MAX_DER];
    size_t                  len;
    im_str_t                signature;
    EVP_MD_CTX             *ctx;
    const im_jwt_method_t  *method;

    method = &im_jwt_methods[key->alg];
    signature = parts->signature;

    len = method->signature ? method->signature
                            : (size_t) EVP_PKEY_size(key->public);

    if (signature.len != len) {
        *why = "the token's signature is wrong";
        return NGX_ERROR;
    }

    if (method->family == IM_JWT_ECDSA) {
        signature = im_str_set(der, im_jwt_der(signature, der));
    }

    ctx = EVP_MD_CTX_new();

    if (ctx == NULL
        || EVP_DigestVerifyInit(ctx, NULL, ngx_im_jwt_md(key), NULL,
                                key->public)
           != 1)
    {
        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        *why = im_json_no_memory;
        return NGX_BUSY;
    }

    rc = EVP_DigestVerify(ctx, signature.data, signature.len,
                          parts->signing.data, parts->signing.len);

    EVP_MD_CTX_free(ctx);

    /* nginx would take errors that are left there for errors of its TLS */

    ERR_clear_error();

    if (rc != 1) {
        *why = "the token's signature is wrong";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Equal bytes have the same key while the worker lives: a good token stays
 * good.  Only good tokens are remembered, so that bad ones can't drive them
 * out.
 */
static ngx_int_t
ngx_im_jwt_signature(ngx_im_worker_t *w, const ngx_im_jwt_key_t *key,
    im_str_t token, im_jwt_parts_t *parts, const char **why)
{
    u_char     *seen;
    u_char      digest[SHA256_DIGEST_LENGTH];
    uint32_t    slot;
    ngx_int_t   rc;

    if (w->jwt == NULL) {
        w->jwt = im_calloc(sizeof(ngx_im_jwt_t));
        if (w->jwt == NULL) {
            *why = im_json_no_memory;
            return NGX_BUSY;
        }
    }

    (void) SHA256(token.data, token.len, digest);

    ngx_memcpy(&slot, digest, sizeof(uint32_t));
    seen = w->jwt->seen[slot % NGX_IM_JWT_SEEN];

    if (ngx_memcmp(seen, digest, SHA256_DIGEST_LENGTH) == 0) {
        return NGX_OK;
    }

    if (!ngx_im_rate_take(&w->jwt->checks, w->conf->signatures)) {
        *why = "im_limit signatures= is reached";
        return NGX_BUSY;
    }

    rc = ngx_im_jwt_verified(key, parts, why);

    if (rc == NGX_OK) {
        ngx_memcpy(seen, digest, SHA256_DIGEST_LENGTH);
    }

    return rc;
}


static ngx_int_t
ngx_im_jwt_hmac(const ngx_im_jwt_key_t *key, im_jwt_parts_t *parts,
    const char **why)
{
    unsigned  len;
    u_char    mac[EVP_MAX_MD_SIZE];

    if (HMAC(ngx_im_jwt_md(key), key->secret.data, (int) key->secret.len,
             parts->signing.data, parts->signing.len, mac, &len)
        == NULL)
    {
        ERR_clear_error();
        *why = im_json_no_memory;
        return NGX_BUSY;
    }

    if (parts->signature.len != len
        || CRYPTO_memcmp(mac, parts->signature.data, len) != 0)
    {
        *why = "the token's signature is wrong";
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_im_jwt_verify(ngx_im_worker_t *w, im_str_t token, im_buf_t *arena,
    im_jwt_t *claims)
{
    ngx_int_t                rc;
    im_jwt_parts_t           parts;
    const ngx_im_jwt_key_t  *key;

    ngx_memzero(claims, sizeof(im_jwt_t));

    if (im_jwt_split(token, arena, &parts, &claims->why) != IM_OK) {
        goto failed;
    }

    key = ngx_im_jwt_find(w->conf, &parts, &claims->why);
    if (key == NULL) {
        goto failed;
    }

    rc = key->public != NULL
             ? ngx_im_jwt_signature(w, key, token, &parts, &claims->why)
             : ngx_im_jwt_hmac(key, &parts, &claims->why);

    if (rc != NGX_OK) {
        return rc;
    }

    if (im_jwt_claims(&parts, arena, claims) != IM_OK) {
        goto failed;
    }

    rc = im_jwt_check(claims, ngx_time(), ngx_im_str(key->audience),
                      ngx_im_str(key->issuer));

    if (rc == IM_OK) {
        return NGX_OK;
    }

    im_jwt_cleanup(claims);

    if (rc == IM_DECLINED) {
        return NGX_DECLINED;
    }

failed:

    return claims->why == im_json_no_memory ? NGX_BUSY : NGX_ERROR;
}
