/*
 * Copyright (C) The im authors
 *
 * Tokens that the worker checks: which key, and its signature by OpenSSL.
 *
 * Keys are chosen before anything is computed; mostly there is one.  Signatures
 * of public keys cost far more than HMACs: their number is limited, and good
 * ones are remembered, so that many clients that come back at once are cheap.
 * Half of the limit is for sessions that have brought no bad token, and whose
 * address has brought few.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include "ngx_im_jwt.h"
#include "ngx_im_jwt_key.h"
#include "ngx_im_worker.h"
#include "im_bucket.h"
#include "im_json.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>


#define NGX_IM_JWT_SEEN        16384     /* tokens remembered; a power of 2 */
#define NGX_IM_JWT_CANDIDATES  4         /* keys tried for one token */


/* What a worker knows of a file that may change. */
typedef struct {
    ngx_im_jwt_keys_t          *keys;    /* NULL: the configuration's */
    ngx_im_jwt_stamp_t          stamp;
    time_t                      next;    /* look at it again */
} ngx_im_jwt_file_t;


/* The state of a worker. */
typedef struct ngx_im_jwt_s  ngx_im_jwt_t;

struct ngx_im_jwt_s {
    im_bucket_t                 checks;
    ngx_im_jwt_file_t          *files;   /* by the place of their source */
    u_char                      seen[NGX_IM_JWT_SEEN][NGX_IM_JWT_DIGEST];
};


/* A key that may have signed a token. */
typedef struct {
    const ngx_im_jwt_source_t  *source;
    const ngx_im_jwt_key_t     *key;
} ngx_im_jwt_candidate_t;


static ngx_im_jwt_t *
ngx_im_jwt_state(ngx_im_worker_t *w)
{
    ngx_uint_t             i, n;
    ngx_im_jwt_t          *jwt;
    ngx_im_jwt_source_t  **sources;

    if (w->jwt != NULL) {
        return w->jwt;
    }

    n = w->conf->jwt_keys->nelts;
    sources = w->conf->jwt_keys->elts;

    jwt = im_calloc(sizeof(ngx_im_jwt_t));
    if (jwt == NULL) {
        return NULL;
    }

    jwt->files = im_calloc(n * sizeof(ngx_im_jwt_file_t));
    if (jwt->files == NULL) {
        im_free(jwt);
        return NULL;
    }

    for (i = 0; i < n; i++) {
        jwt->files[i].stamp = sources[i]->stamp;
    }

    w->jwt = jwt;

    return jwt;
}


/* Keys that are in use stay so where the new ones are not good. */
static void
ngx_im_jwt_reread(ngx_im_worker_t *w, const ngx_im_jwt_source_t *source,
    ngx_im_jwt_file_t *file)
{
    const char         *why;
    ngx_im_jwt_keys_t  *keys;
    ngx_im_jwt_news_t   news;

    why = ngx_im_jwt_keys_read(source, &keys, &news);

    if (why != NULL) {
        ngx_log_error(NGX_LOG_ERR, w->log, news.err,
                      "im: the keys in \"%V\" stay as they were: the file %s",
                      &source->file, why);
        return;
    }

    ngx_im_jwt_keys_free(file->keys);
    file->keys = keys;

    ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                  "im: \"%V\" has been read again: %ui of its %ui keys are in "
                  "use%s%s", &source->file, keys->n, news.nkeys,
                  news.nleft ? ", one is left out: " : "",
                  news.nleft ? news.why : "");
}


void
ngx_im_jwt_tick(ngx_im_worker_t *w)
{
    ngx_uint_t             i;
    ngx_im_jwt_file_t     *file;
    ngx_im_jwt_source_t  **sources;

    if (w->conf->jwt_keys == NULL) {
        return;
    }

    sources = w->conf->jwt_keys->elts;

    for (i = 0; i < w->conf->jwt_keys->nelts; i++) {

        if (sources[i]->format != NGX_IM_JWT_JWKS
            || ngx_im_jwt_state(w) == NULL)
        {
            continue;
        }

        file = &w->jwt->files[i];

        if (file->next > ngx_time()
            && file->next <= ngx_time() + (time_t) sources[i]->check)
        {
            continue;
        }

        file->next = ngx_time() + sources[i]->check;

        if (ngx_im_jwt_changed(sources[i], &file->stamp)) {
            ngx_im_jwt_reread(w, sources[i], file);
        }
    }
}


/* A token without a kid is tried with all keys of a set. */
static ngx_uint_t
ngx_im_jwt_named(const ngx_im_jwt_source_t *source,
    const ngx_im_jwt_key_t *key, im_str_t kid)
{
    return im_str_eq(key->kid, kid)
           || (kid.len == 0 && source->format == NGX_IM_JWT_JWKS);
}


/*
 * By kid; of those without, by algorithm.  Gives their number, of
 * NGX_IM_JWT_CANDIDATES at most.
 */
static ngx_uint_t
ngx_im_jwt_find(ngx_im_worker_t *w, im_jwt_parts_t *parts,
    ngx_im_jwt_candidate_t *list, const char **why)
{
    ngx_uint_t             i, k, n;
    ngx_im_jwt_keys_t     *keys;
    ngx_im_jwt_source_t  **sources;

    *why = "the token's key is unknown";

    if (w->conf->jwt_keys == NULL) {
        return 0;
    }

    sources = w->conf->jwt_keys->elts;
    n = 0;

    for (i = 0; i < w->conf->jwt_keys->nelts; i++) {

        keys = sources[i]->keys;

        if (w->jwt != NULL && w->jwt->files[i].keys != NULL) {
            keys = w->jwt->files[i].keys;
        }

        for (k = 0; k < keys->n; k++) {

            if (!ngx_im_jwt_named(sources[i], &keys->keys[k], parts->kid)) {
                continue;
            }

            if (!(keys->keys[k].algs & im_jwk_alg(parts->alg))) {
                *why = "the token's algorithm is not its key's";
                continue;
            }

            if (n < NGX_IM_JWT_CANDIDATES) {
                list[n].source = sources[i];
                list[n++].key = &keys->keys[k];
            }
        }
    }

    return n;
}


/* Edwards curves have a hash of their own. */
static const EVP_MD *
ngx_im_jwt_md(im_jwt_alg_e alg)
{
    switch (im_jwt_methods[alg].bits) {

    case 256:
        return EVP_sha256();

    case 384:
        return EVP_sha384();

    case 512:
        return EVP_sha512();

    default:
        return NULL;
    }
}


/* The salt is as long as the hash (RFC 7518, 3.5). */
static ngx_uint_t
ngx_im_jwt_begin(EVP_MD_CTX *ctx, im_jwt_alg_e alg,
    const ngx_im_jwt_key_t *key)
{
    EVP_PKEY_CTX  *pctx;

    if (EVP_DigestVerifyInit(ctx, &pctx, ngx_im_jwt_md(alg), NULL, key->public)
        != 1)
    {
        return 0;
    }

    return im_jwt_methods[alg].family != IM_JWT_PSS
           || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0
               && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
                  > 0);
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

    method = &im_jwt_methods[parts->alg];
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

    if (ctx == NULL || !ngx_im_jwt_begin(ctx, parts->alg, key)) {
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
 * Equal bytes stay good while their key is in use.  Only good tokens are
 * remembered, so that bad ones can't drive them out.
 */
static u_char *
ngx_im_jwt_seen(ngx_im_worker_t *w, const ngx_im_jwt_key_t *key,
    im_str_t token, u_char digest[NGX_IM_JWT_DIGEST])
{
    uint32_t    slot;
    SHA256_CTX  sha;

    (void) SHA256_Init(&sha);
    (void) SHA256_Update(&sha, key->id, NGX_IM_JWT_DIGEST);
    (void) SHA256_Update(&sha, token.data, token.len);
    (void) SHA256_Final(digest, &sha);

    ngx_memcpy(&slot, digest, sizeof(uint32_t));

    return w->jwt->seen[slot % NGX_IM_JWT_SEEN];
}


/* The worker, the address or the session has no more checks: why. */
static const char *
ngx_im_jwt_exhausted(ngx_im_session_t *s)
{
    uint64_t          rate;
    im_bucket_t      *checks;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;
    checks = &w->jwt->checks;
    rate = w->conf->signatures;

    if (ngx_im_budget_wait(w, &s->peer, NGX_IM_COST_FAILURE) > 0) {
        ngx_im_budget_refused(w, &s->peer, NGX_IM_REFUSED_FAILURES);
        return "too many bad tokens from this address";
    }

    if ((((s->ext != NULL && s->ext->nbad > 0)
          || ngx_im_budget_low(w, &s->peer, NGX_IM_COST_FAILURE))
         && im_bucket_low(checks, rate, rate, ngx_current_msec))
        || im_bucket_take(checks, rate, rate, ngx_current_msec, 1) != IM_OK)
    {
        ngx_im_budget_refused(w, &s->peer, NGX_IM_REFUSED_SIGNATURES);
        return "im_limit signatures= is reached";
    }

    return NULL;
}


static ngx_int_t
ngx_im_jwt_signature(ngx_im_session_t *s, const ngx_im_jwt_key_t *key,
    im_str_t token, im_jwt_parts_t *parts, const char **why)
{
    u_char           *seen;
    u_char            digest[NGX_IM_JWT_DIGEST];
    ngx_int_t         rc;
    const char       *exhausted;
    ngx_im_worker_t  *w;

    w = ngx_im_worker;

    if (ngx_im_jwt_state(w) == NULL) {
        *why = im_json_no_memory;
        return NGX_BUSY;
    }

    seen = ngx_im_jwt_seen(w, key, token, digest);

    if (ngx_memcmp(seen, digest, NGX_IM_JWT_DIGEST) == 0) {
        return NGX_OK;
    }

    exhausted = ngx_im_jwt_exhausted(s);

    if (exhausted != NULL) {
        *why = exhausted;
        return NGX_BUSY;
    }

    rc = ngx_im_jwt_verified(key, parts, why);

    if (rc == NGX_OK) {
        ngx_memcpy(seen, digest, NGX_IM_JWT_DIGEST);
    }

    return rc;
}


static ngx_int_t
ngx_im_jwt_hmac(const ngx_im_jwt_key_t *key, im_jwt_parts_t *parts,
    const char **why)
{
    unsigned  len;
    u_char    mac[EVP_MAX_MD_SIZE];

    if (HMAC(ngx_im_jwt_md(parts->alg), key->secret.data,
             (int) key->secret.len, parts->signing.data, parts->signing.len,
             mac, &len)
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


/* Which of the keys has signed it, and so where it comes from. */
static ngx_int_t
ngx_im_jwt_source(ngx_im_session_t *s, im_str_t token, im_jwt_parts_t *parts,
    const ngx_im_jwt_source_t **source, const char **why)
{
    ngx_int_t               rc;
    ngx_uint_t              i, n;
    ngx_im_jwt_candidate_t  list[NGX_IM_JWT_CANDIDATES];

    n = ngx_im_jwt_find(ngx_im_worker, parts, list, why);
    rc = NGX_ERROR;

    for (i = 0; i < n && rc == NGX_ERROR; i++) {
        *source = list[i].source;

        rc = list[i].key->public != NULL
             ? ngx_im_jwt_signature(s, list[i].key, token, parts, why)
             : ngx_im_jwt_hmac(list[i].key, parts, why);
    }

    return rc;
}


/* A good signature is no failure, whatever the claims are. */
static ngx_int_t
ngx_im_jwt_read(ngx_im_session_t *s, im_str_t token, im_buf_t *arena,
    im_jwt_t *claims)
{
    ngx_int_t                   rc;
    im_jwt_parts_t              parts;
    const ngx_im_jwt_source_t  *source;

    rc = im_jwt_split(token, arena, &parts, &claims->why) == IM_OK
         ? ngx_im_jwt_source(s, token, &parts, &source, &claims->why)
         : NGX_ERROR;

    if (rc == NGX_ERROR && claims->why != im_json_no_memory) {
        (void) ngx_im_budget_take(ngx_im_worker, &s->peer, NGX_IM_COST_FAILURE,
                                  1);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    if (im_jwt_claims(&parts, arena, claims) != IM_OK) {
        return NGX_ERROR;
    }

    rc = im_jwt_check(claims, ngx_time(), source->leeway,
                      ngx_im_str(source->audience),
                      ngx_im_str(source->issuer));

    if (rc != IM_OK) {
        im_jwt_cleanup(claims);
    }

    return rc;
}


ngx_int_t
ngx_im_jwt_verify(ngx_im_session_t *s, im_str_t token, im_buf_t *arena,
    im_jwt_t *claims)
{
    ngx_int_t  rc;

    ngx_memzero(claims, sizeof(im_jwt_t));

    rc = ngx_im_jwt_read(s, token, arena, claims);

    if (rc != NGX_ERROR) {
        return rc;
    }

    if (claims->why == im_json_no_memory) {
        return NGX_BUSY;
    }

    if (s->ext != NULL && s->ext->nbad < UINT8_MAX) {
        s->ext->nbad++;
    }

    return NGX_ERROR;
}
