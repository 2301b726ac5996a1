/*
 * Copyright (C) The im authors
 *
 * Keys that tokens are checked with: secrets, public keys in PEM, and sets of
 * both in JSON.
 *
 * A key has the algorithms that it may be used with, so a public key is never
 * taken for a secret.
 */

#define OPENSSL_SUPPRESS_DEPRECATED

#include "ngx_im_jwt_key.h"
#include "ngx_im_place.h"
#include "im_json.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>


#define NGX_IM_JWT_FILE       65536
#define NGX_IM_JWT_SOURCES    64
#define NGX_IM_JWT_SETTLED    2       /* s: later changes have another time */


static void
ngx_im_jwt_key_free(ngx_im_jwt_key_t *key)
{
    EVP_PKEY_free(key->public);

    if (key->secret.len) {
        ngx_explicit_memzero(key->secret.data, key->secret.len);
    }

    im_free(key->secret.data);
    im_free(key->kid.data);
}


void
ngx_im_jwt_keys_free(ngx_im_jwt_keys_t *keys)
{
    ngx_uint_t  i;

    if (keys == NULL) {
        return;
    }

    for (i = 0; i < keys->n; i++) {
        ngx_im_jwt_key_free(&keys->keys[i]);
    }

    im_free(keys);
}


static ngx_im_jwt_keys_t *
ngx_im_jwt_keys_create(ngx_uint_t n)
{
    return im_calloc(sizeof(ngx_im_jwt_keys_t) + n * sizeof(ngx_im_jwt_key_t));
}


static const char *
ngx_im_jwt_copy(im_str_t *to, im_str_t s)
{
    if (s.len == 0) {
        return NULL;
    }

    to->data = im_alloc(s.len);
    if (to->data == NULL) {
        return im_json_no_memory;
    }

    im_copy(to->data, s.data, s.len);
    to->len = s.len;

    return NULL;
}


/* text has one byte more than its limit, and ends in NUL, for a search. */
static const char *
ngx_im_jwt_source_text(const ngx_im_jwt_source_t *source, ngx_str_t *text,
    size_t size, ngx_im_jwt_news_t *news)
{
    ssize_t   n;
    ngx_fd_t  fd;

    /* what is not a file must not block a worker */

    fd = ngx_open_file(source->path.data, NGX_FILE_RDONLY|NGX_FILE_NONBLOCK,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        news->err = ngx_errno;
        return "can't be opened";
    }

    do {
        n = ngx_read_fd(fd, text->data + text->len, size - text->len);
        text->len += n > 0 ? n : 0;

    } while (n > 0 && text->len < size);

    if (n < 0) {
        news->err = ngx_errno;
    }

    (void) ngx_close_file(fd);

    text->data[text->len] = '\0';

    return n < 0 ? "can't be read" : NULL;
}


/* An editor adds one line feed at the end. */
static const char *
ngx_im_jwt_secret(const ngx_im_jwt_source_t *source, ngx_str_t *text,
    ngx_im_jwt_key_t *key)
{
    size_t  least;

    if (ngx_strstr(text->data, "-----BEGIN ") != NULL) {
        return "is a PEM key: a secret is wanted";
    }

    if (text->len >= NGX_IM_JWT_FILE) {
        return "is longer than a secret can be";
    }

    if (text->len && text->data[text->len - 1] == LF) {
        text->len--;
    }

    if (text->len && text->data[text->len - 1] == CR) {
        text->len--;
    }

    least = source->weak ? 1 : im_jwt_methods[source->format].signature;

    if (text->len < least) {
        return source->weak ? "is empty"
               : "is too short: it must be as long as the hash, 32, 48 or 64 "
                 "bytes; \"weak\" allows it";
    }

    key->algs = im_jwk_alg(source->format);

    return ngx_im_jwt_copy(&key->secret, ngx_im_str(*text));
}


static const char *
ngx_im_jwt_rsa(EVP_PKEY *public, im_jwt_family_e family)
{
    int  bits, id;

    id = EVP_PKEY_base_id(public);

    if (id != EVP_PKEY_RSA
        && (id != EVP_PKEY_RSA_PSS || family != IM_JWT_PSS))
    {
        return "is not an RSA key";
    }

    bits = EVP_PKEY_bits(public);

    if (bits < IM_JWKS_RSA_LEAST || bits > IM_JWKS_RSA_MOST) {
        return "is an RSA key with less than 2048 or more than 8192 bits";
    }

    return NULL;
}


static const char *
ngx_im_jwt_curve(EVP_PKEY *public, ngx_uint_t alg)
{
    int            nid;
    const EC_KEY  *ec;

    if (EVP_PKEY_base_id(public) != EVP_PKEY_EC) {
        return "is not an EC key";
    }

    ec = EVP_PKEY_get0_EC_KEY(public);
    nid = ec ? EC_GROUP_get_curve_name(EC_KEY_get0_group(ec)) : NID_undef;

    switch (alg) {

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
ngx_im_jwt_edwards(EVP_PKEY *public, ngx_uint_t alg, ngx_im_jwt_key_t *key)
{
    switch (EVP_PKEY_base_id(public)) {

    case EVP_PKEY_ED25519:
        key->algs = IM_JWK_ED25519;
        break;

    case EVP_PKEY_ED448:
        key->algs = IM_JWK_ED448;
        break;

    default:
        return "is not an Ed25519 or Ed448 key";
    }

    return key->algs & im_jwk_alg(alg) ? NULL : "is not on its curve";
}


static const char *
ngx_im_jwt_id(ngx_im_jwt_key_t *key)
{
    int      len;
    u_char  *der;

    der = NULL;
    len = i2d_PUBKEY(key->public, &der);

    if (len <= 0) {
        ERR_clear_error();
        return im_json_no_memory;
    }

    (void) SHA256(der, len, key->id);
    OPENSSL_free(der);

    return NULL;
}


/* The key has its public half and, but for Edwards curves, its algorithms. */
static const char *
ngx_im_jwt_suits(ngx_im_jwt_key_t *key, ngx_uint_t alg)
{
    const char  *why;

    switch (im_jwt_methods[alg].family) {

    case IM_JWT_RSA:
    case IM_JWT_PSS:
        why = ngx_im_jwt_rsa(key->public, im_jwt_methods[alg].family);
        break;

    case IM_JWT_ECDSA:
        why = ngx_im_jwt_curve(key->public, alg);
        break;

    default:
        why = ngx_im_jwt_edwards(key->public, alg, key);
    }

    ERR_clear_error();

    return why != NULL ? why : ngx_im_jwt_id(key);
}


static const char *
ngx_im_jwt_pem(const ngx_im_jwt_source_t *source, ngx_str_t *text,
    ngx_im_jwt_key_t *key)
{
    BIO  *bio;

    if (source->weak) {
        return "can't be weak: that is for secrets";
    }

    if (ngx_strstr(text->data, "PRIVATE KEY-----") != NULL) {
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

    key->algs = im_jwk_alg(source->format);

    return ngx_im_jwt_suits(key, source->format);
}


static const char *
ngx_im_jwt_one(const ngx_im_jwt_source_t *source, ngx_str_t *text,
    ngx_im_jwt_keys_t **keys)
{
    const char        *why;
    ngx_im_jwt_key_t  *key;

    *keys = ngx_im_jwt_keys_create(1);
    if (*keys == NULL) {
        return im_json_no_memory;
    }

    (*keys)->n = 1;
    key = (*keys)->keys;

    why = ngx_im_jwt_copy(&key->kid, ngx_im_str(source->kid));

    if (why != NULL) {
        return why;
    }

    return im_jwt_methods[source->format].family == IM_JWT_HMAC
           ? ngx_im_jwt_secret(source, text, key)
           : ngx_im_jwt_pem(source, text, key);
}


/* The algorithms of a key differ in the hash alone: one of them will do. */
static const char *
ngx_im_jwt_jwk(const im_jwk_t *jwk, ngx_im_jwt_key_t *key)
{
    const char     *why;
    const u_char   *der;
    ngx_uint_t      alg;

    key->algs = jwk->algs;

    why = ngx_im_jwt_copy(&key->kid, jwk->kid);

    if (why == NULL && jwk->public.len == 0) {
        why = ngx_im_jwt_copy(&key->secret, jwk->secret);
    }

    if (why != NULL || jwk->public.len == 0) {
        return why;
    }

    der = jwk->public.data;
    key->public = d2i_PUBKEY(NULL, &der, (long) jwk->public.len);

    ERR_clear_error();

    if (key->public == NULL) {
        return "is not a point of its curve";
    }

    for (alg = 0; !(jwk->algs & im_jwk_alg(alg)); alg++) { /* void */ }

    return ngx_im_jwt_suits(key, alg);
}


static void
ngx_im_jwt_left(ngx_im_jwt_news_t *news, ngx_uint_t place, const char *why)
{
    if (news->nleft++ == 0) {
        news->left = place;
        news->why = why;
    }
}


static const char *
ngx_im_jwt_set(const ngx_im_jwt_source_t *source, ngx_str_t *text,
    ngx_im_jwt_keys_t **keys, ngx_im_jwt_news_t *news)
{
    im_buf_t           arena;
    im_uint_t          i;
    const char        *why;
    im_jwk_t           jwks[IM_JWKS_MAX];
    ngx_im_jwt_key_t  *key;

    im_buf_init(&arena, IM_JWKS_ARENA);

    if (im_jwks_decode(ngx_im_str(*text), source->weak, &arena, jwks,
                       &news->nkeys, &why)
        != IM_OK)
    {
        im_buf_cleanup(&arena);
        return why;
    }

    *keys = ngx_im_jwt_keys_create(news->nkeys);

    for (i = 0; *keys != NULL && i < news->nkeys; i++) {

        key = &(*keys)->keys[(*keys)->n];

        why = jwks[i].why != NULL ? jwks[i].why : ngx_im_jwt_jwk(&jwks[i], key);

        if (why == NULL) {
            (*keys)->n++;
            continue;
        }

        ngx_im_jwt_key_free(key);
        ngx_memzero(key, sizeof(ngx_im_jwt_key_t));

        if (!jwks[i].foreign) {
            ngx_im_jwt_left(news, i + 1, why);
        }
    }

    if (arena.data != NULL) {
        ngx_explicit_memzero(arena.data, arena.size);
    }

    im_buf_cleanup(&arena);

    return *keys == NULL ? im_json_no_memory
           : (*keys)->n == 0 ? "has no key that can be used" : NULL;
}


const char *
ngx_im_jwt_keys_read(const ngx_im_jwt_source_t *source,
    ngx_im_jwt_keys_t **keys, ngx_im_jwt_news_t *news)
{
    size_t       size;
    ngx_str_t    text;
    const char  *why;

    *keys = NULL;
    ngx_memzero(news, sizeof(ngx_im_jwt_news_t));

    size = source->format == NGX_IM_JWT_JWKS ? IM_JWKS_MAX_TEXT + 1
                                             : NGX_IM_JWT_FILE;
    text.len = 0;
    text.data = im_alloc(size + 1);

    if (text.data == NULL) {
        return im_json_no_memory;
    }

    why = ngx_im_jwt_source_text(source, &text, size, news);

    if (why == NULL) {
        why = source->format == NGX_IM_JWT_JWKS
              ? ngx_im_jwt_set(source, &text, keys, news)
              : ngx_im_jwt_one(source, &text, keys);
    }

    if (why != NULL) {
        ngx_im_jwt_keys_free(*keys);
        *keys = NULL;
    }

    ngx_explicit_memzero(text.data, text.len);
    im_free(text.data);

    return why;
}


ngx_uint_t
ngx_im_jwt_changed(const ngx_im_jwt_source_t *source,
    ngx_im_jwt_stamp_t *stamp)
{
    struct stat         st;
    ngx_uint_t          changed, racy;
    ngx_im_jwt_stamp_t  now;

    ngx_memzero(&now, sizeof(ngx_im_jwt_stamp_t));

    if (stat((char *) source->path.data, &st) == 0) {
        now.mtime = st.st_mtim;
        now.size = st.st_size;
        now.inode = st.st_ino;
    }

    now.read = ngx_time();

    changed = now.mtime.tv_sec != stamp->mtime.tv_sec
              || now.mtime.tv_nsec != stamp->mtime.tv_nsec
              || now.size != stamp->size || now.inode != stamp->inode;

    /* it may have been written once more behind our read, at the same time */

    racy = now.read != stamp->read && now.mtime.tv_sec <= stamp->read
           && stamp->read < now.mtime.tv_sec + NGX_IM_JWT_SETTLED;

    if (changed || racy) {
        *stamp = now;
    }

    return changed || racy;
}


static const char *
ngx_im_jwt_conflict(ngx_im_main_conf_t *imcf, ngx_im_jwt_source_t *source)
{
    ngx_uint_t             i;
    ngx_im_jwt_source_t  **sources;

    sources = imcf->jwt_keys->elts;

    for (i = 0; i < imcf->jwt_keys->nelts; i++) {

        /* a set may come into any kid on a later day */

        if (source->format == NGX_IM_JWT_JWKS
            || sources[i]->format == NGX_IM_JWT_JWKS
            || !im_str_eq(ngx_im_str(sources[i]->kid), ngx_im_str(source->kid)))
        {
            continue;
        }

        if (source->kid.len) {
            return "has the kid of another key: each needs its own";
        }

        if (sources[i]->format == source->format) {
            return "is the second key of this algorithm without a kid: tell "
                   "them apart by kid=";
        }
    }

    return i == NGX_IM_JWT_SOURCES ? "is more than the 64 keys there may be"
                                   : NULL;
}


static void
ngx_im_jwt_source_cleanup(void *data)
{
    ngx_im_jwt_source_t  *source = data;

    ngx_im_jwt_keys_free(source->keys);
}


static void
ngx_im_jwt_refuse(ngx_conf_t *cf, ngx_im_jwt_source_t *source,
    ngx_im_jwt_news_t *news, const char *why)
{
    if (news->err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, news->err,
                           "im_jwt_key: \"file=%V\" %s", &source->file, why);

    } else if (news->nleft) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_jwt_key: \"jwks\" with \"file=%V\" %s; key %ui: "
                           "%s", &source->file, why, news->left, news->why);

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "im_jwt_key: \"%s\" with \"file=%V\" %s",
                           source->format == NGX_IM_JWT_JWKS
                               ? (u_char *) "jwks"
                               : im_jwt_methods[source->format].name.data,
                           &source->file, why);
    }
}


/*
 * What sessions rest on: a key, or a file whose keys change while workers run.
 */
static ngx_int_t
ngx_im_jwt_mark(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    const ngx_im_jwt_source_t *source)
{
    u_char                   format;
    im_str_t                 texts[5];
    const ngx_im_jwt_key_t  *key;

    key = &source->keys->keys[0];
    format = (u_char) source->format;

    texts[0] = im_str_set(&format, 1);
    texts[1] = ngx_im_str(source->kid);
    texts[2] = ngx_im_str(source->audience);
    texts[3] = ngx_im_str(source->issuer);
    texts[4] = source->format == NGX_IM_JWT_JWKS ? ngx_im_str(source->path)
               : key->public != NULL ? im_str_set(key->id, NGX_IM_JWT_DIGEST)
               : key->secret;

    return ngx_im_place_key(cf, imcf, texts, 5);
}


char *
ngx_im_jwt_source_add(ngx_conf_t *cf, ngx_im_main_conf_t *imcf,
    ngx_im_jwt_source_t *source)
{
    const char            *why;
    ngx_im_jwt_news_t      news;
    ngx_pool_cleanup_t    *cln;
    ngx_im_jwt_source_t  **slot;

    if (imcf->jwt_keys == NULL) {
        imcf->jwt_keys = ngx_array_create(cf->pool, 4,
                                          sizeof(ngx_im_jwt_source_t *));
        if (imcf->jwt_keys == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    source->path = source->file;

    if (cln == NULL
        || ngx_conf_full_name(cf->cycle, &source->path, 1) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_im_jwt_source_cleanup;
    cln->data = source;

    ngx_memzero(&news, sizeof(ngx_im_jwt_news_t));
    why = ngx_im_jwt_conflict(imcf, source);

    /* its time first: what is written meanwhile is read again later */

    if (why == NULL) {
        (void) ngx_im_jwt_changed(source, &source->stamp);
        why = ngx_im_jwt_keys_read(source, &source->keys, &news);
    }

    if (why != NULL) {
        ngx_im_jwt_refuse(cf, source, &news, why);
        return NGX_CONF_ERROR;
    }

    if (news.nleft) {
        ngx_conf_log_error(NGX_LOG_NOTICE, cf, 0,
                           "im_jwt_key: %ui of the %ui keys in \"%V\" can't be "
                           "used; key %ui: %s", news.nleft, news.nkeys,
                           &source->file, news.left, news.why);
    }

    slot = ngx_array_push(imcf->jwt_keys);

    if (slot == NULL || ngx_im_jwt_mark(cf, imcf, source) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *slot = source;

    return NGX_CONF_OK;
}
