/*
 * Copyright (C) The im authors
 *
 * TLS between a connection and its socket.
 *
 * OpenSSL reads and writes through a BIO of ours: it takes what the socket has
 * read, and its output is kept until the socket has room.  So it never waits
 * for the one in order to do the other.
 *
 * The error queue of OpenSSL, which is the thread's, is left empty: nginx
 * complains of what it finds there.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "im_addr.h"
#include "im_link_tls.h"


#define IM_LINK_TLS_KEEP    65536
#define IM_LINK_TLS_MAX     (1024 * 1024)
#define IM_LINK_TLS_PATH    4096
#define IM_LINK_TLS_NAMES   96           /* bytes of a certificate's names */
#define IM_LINK_TLS_SHOWN   64           /* of a name that it must have */

#define IM_LINK_TLS_ALERT   0x15         /* the first byte of what a server */
#define IM_LINK_TLS_HELLO   0x16         /* says */


#define IM_LINK_TLS_FILES   3

/* Tells versions of a file apart. */
typedef struct {
    ino_t             inode;
    off_t             size;
    struct timespec   time;
} im_link_tls_stamp_t;


struct im_link_tls_ctx_s {
    SSL_CTX                  *ssl;
    BIO_METHOD               *method;
    im_link_tls_conf_t        conf;
    im_link_tls_stamp_t       stamps[IM_LINK_TLS_FILES];
};


struct im_link_tls_s {
    SSL                      *ssl;
    im_str_t                  in;
    im_buf_t                  out;
    size_t                    sent;      /* of out */
    unsigned                  begun:1;
    unsigned                  heard:1;   /* the first byte has come */
    unsigned                  done:1;
    char                      name[IM_ADDR_MAX_NAME + 1];
    char                      why[IM_LINK_TLS_WHY];
};


/* OpenSSL's word for the first thing that went wrong. */
static const char *
im_link_tls_reason(void)
{
    const char  *text;

    text = ERR_reason_error_string(ERR_peek_error());

    return text != NULL ? text : "no reason";
}


/* files */


/* A key with a passphrase is refused: nobody is there to type it. */
static int
im_link_tls_passphrase(char *buf, int size, int writing, void *data)
{
    *(int *) data = 1;

    return 0;
}


static im_int_t
im_link_tls_fault(im_link_tls_fault_t *fault, const char *word,
    const char *why, const char *more)
{
    fault->word = word;
    (void) snprintf(fault->why, IM_LINK_TLS_WHY, "%s%s", why, more);

    ERR_clear_error();

    return IM_ERROR;
}


/* The path of a file that can be read. */
static im_int_t
im_link_tls_there(const char *word, im_str_t file, char *path,
    im_link_tls_fault_t *fault)
{
    FILE  *f;

    fault->file = file;

    if (file.len >= IM_LINK_TLS_PATH) {
        return im_link_tls_fault(fault, word, "is too long a path", "");
    }

    (void) im_copy(path, file.data, file.len);
    path[file.len] = '\0';

    f = fopen(path, "re");

    if (f == NULL) {
        return im_link_tls_fault(fault, word,
                                 errno == ENOENT ? "is not there"
                                                 : "can't be read: ",
                                 errno == ENOENT ? "" : strerror(errno));
    }

    (void) fclose(f);

    return IM_OK;
}


static im_int_t
im_link_tls_ca(SSL_CTX *ssl, im_str_t file, im_link_tls_fault_t *fault)
{
    char  path[IM_LINK_TLS_PATH];

    if (file.len == 0) {
        return SSL_CTX_set_default_verify_paths(ssl) == 1
               ? IM_OK
               : im_link_tls_fault(fault, "", "the system's CAs can't be read: "
                                   "add ca=", "");
    }

    if (im_link_tls_there("ca=", file, path, fault) != IM_OK) {
        return IM_ERROR;
    }

    return SSL_CTX_load_verify_locations(ssl, path, NULL) == 1
           ? IM_OK
           : im_link_tls_fault(fault, "ca=", "has no certificate in PEM form",
                               "");
}


static im_int_t
im_link_tls_cert(SSL_CTX *ssl, im_str_t file, im_link_tls_fault_t *fault)
{
    char           path[IM_LINK_TLS_PATH];
    unsigned long  error;

    if (im_link_tls_there("cert=", file, path, fault) != IM_OK) {
        return IM_ERROR;
    }

    if (SSL_CTX_use_certificate_chain_file(ssl, path) == 1) {
        return IM_OK;
    }

    error = ERR_peek_error();

    return ERR_GET_LIB(error) == ERR_LIB_SSL
           ? im_link_tls_fault(fault, "cert=", "can't be used: ",
                               im_link_tls_reason())
           : im_link_tls_fault(fault, "cert=", "has no certificate in PEM form",
                               "");
}


static im_int_t
im_link_tls_key(SSL_CTX *ssl, im_str_t file, im_link_tls_fault_t *fault)
{
    int            encrypted;
    char           path[IM_LINK_TLS_PATH];
    unsigned long  error;

    if (im_link_tls_there("key=", file, path, fault) != IM_OK) {
        return IM_ERROR;
    }

    encrypted = 0;
    SSL_CTX_set_default_passwd_cb(ssl, im_link_tls_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &encrypted);

    if (SSL_CTX_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM)
        == 1)
    {
        return IM_OK;
    }

    if (encrypted) {
        return im_link_tls_fault(fault, "key=", "needs a passphrase: use a key "
                                 "without one", "");
    }

    error = ERR_peek_error();

    if (ERR_GET_LIB(error) == ERR_LIB_X509) {
        return im_link_tls_fault(fault, "key=", "is not the key of the "
                                 "certificate in cert=", "");
    }

    return im_link_tls_fault(fault, "key=", "has no private key in PEM form",
                             "");
}


/* A warning only: the time of this machine may be wrong, or will come. */
static void
im_link_tls_dates(SSL_CTX *ssl, im_str_t file, im_link_tls_fault_t *fault)
{
    X509  *cert;

    fault->file = file;

    cert = SSL_CTX_get0_certificate(ssl);

    if (cert == NULL) {
        return;
    }

    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0) {
        (void) im_link_tls_fault(fault, "cert=", "has expired", "");

    } else if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0) {
        (void) im_link_tls_fault(fault, "cert=", "is not valid yet", "");
    }
}


static im_int_t
im_link_tls_load(SSL_CTX *ssl, const im_link_tls_conf_t *conf,
    im_link_tls_fault_t *fault)
{
    if (im_link_tls_ca(ssl, conf->ca, fault) != IM_OK) {
        return IM_ERROR;
    }

    if (conf->cert.len > 0) {

        if (im_link_tls_cert(ssl, conf->cert, fault) != IM_OK
            || im_link_tls_key(ssl, conf->key, fault) != IM_OK)
        {
            return IM_ERROR;
        }

        im_link_tls_dates(ssl, conf->cert, fault);
    }

    return IM_OK;
}


/* the BIO */


static int
im_link_tls_bio_read(BIO *bio, char *buf, int size)
{
    size_t          n;
    im_link_tls_t  *tls;

    tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);

    n = im_min(tls->in.len, (size_t) size);

    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }

    im_copy(buf, tls->in.data, n);
    tls->in = im_str_set(tls->in.data + n, tls->in.len - n);

    return (int) n;
}


static int
im_link_tls_bio_write(BIO *bio, const char *buf, int n)
{
    im_link_tls_t  *tls;

    tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);

    im_buf_add(&tls->out, buf, (size_t) n);

    return tls->out.failed ? -1 : n;
}


static long
im_link_tls_bio_ctrl(BIO *bio, int command, long n, void *data)
{
    return command == BIO_CTRL_FLUSH;
}


/* NULL: *fault says why. */
static SSL_CTX *
im_link_tls_open(const im_link_tls_conf_t *conf, im_link_tls_fault_t *fault)
{
    SSL_CTX  *ssl;

    ERR_clear_error();

    fault->file = im_str_set("", 0);
    (void) im_link_tls_fault(fault, "", "no memory for TLS", "");

    ssl = SSL_CTX_new(TLS_client_method());

    if (ssl == NULL || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1)
    {
        goto failed;
    }

    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION|SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);

    fault->why[0] = '\0';

    if (im_link_tls_load(ssl, conf, fault) != IM_OK) {
        goto failed;
    }

    ERR_clear_error();

    return ssl;

failed:

    ERR_clear_error();
    SSL_CTX_free(ssl);

    return NULL;
}


/* 1: some file is another one than it was.  A missing one has no stamp. */
static int
im_link_tls_changed(im_link_tls_ctx_t *ctx)
{
    int                         changed;
    char                        path[IM_LINK_TLS_PATH];
    size_t                      i;
    struct stat                 st;
    const im_str_t             *file;
    im_link_tls_stamp_t         stamp;
    const im_link_tls_conf_t   *conf;

    conf = &ctx->conf;
    changed = 0;

    for (i = 0; i < IM_LINK_TLS_FILES; i++) {
        file = i == 0 ? &conf->ca : i == 1 ? &conf->cert : &conf->key;

        memset(&stamp, 0, sizeof(im_link_tls_stamp_t));
        (void) snprintf(path, sizeof(path), "%.*s", (int) file->len,
                        (char *) file->data);

        if (file->len > 0 && stat(path, &st) == 0) {
            stamp.inode = st.st_ino;
            stamp.size = st.st_size;
            stamp.time = st.st_mtim;
        }

        changed = changed
                  || memcmp(&stamp, &ctx->stamps[i], sizeof(stamp)) != 0;
        ctx->stamps[i] = stamp;
    }

    return changed;
}


im_link_tls_ctx_t *
im_link_tls_ctx_create(const im_link_tls_conf_t *conf,
    im_link_tls_fault_t *fault)
{
    im_link_tls_ctx_t  *ctx;

    fault->file = im_str_set("", 0);
    (void) im_link_tls_fault(fault, "", "no memory for TLS", "");

    ctx = im_calloc(sizeof(im_link_tls_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    ctx->conf = *conf;
    ctx->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "im_link");

    if (ctx->method == NULL
        || BIO_meth_set_read(ctx->method, im_link_tls_bio_read) != 1
        || BIO_meth_set_write(ctx->method, im_link_tls_bio_write) != 1
        || BIO_meth_set_ctrl(ctx->method, im_link_tls_bio_ctrl) != 1)
    {
        goto failed;
    }

    (void) im_link_tls_changed(ctx);

    ctx->ssl = im_link_tls_open(conf, fault);

    if (ctx->ssl != NULL) {
        return ctx;
    }

failed:

    ERR_clear_error();
    im_link_tls_ctx_destroy(ctx);

    return NULL;
}


im_int_t
im_link_tls_ctx_renew(im_link_tls_ctx_t *ctx, im_link_tls_fault_t *fault)
{
    SSL_CTX  *ssl;

    if (!im_link_tls_changed(ctx)) {
        fault->why[0] = '\0';
        return IM_DECLINED;
    }

    ssl = im_link_tls_open(&ctx->conf, fault);

    if (ssl == NULL) {
        return IM_ERROR;
    }

    SSL_CTX_free(ctx->ssl);
    ctx->ssl = ssl;

    return IM_OK;
}


void
im_link_tls_ctx_destroy(im_link_tls_ctx_t *ctx)
{
    SSL_CTX_free(ctx->ssl);
    BIO_meth_free(ctx->method);
    im_free(ctx);
}


/* connections */


static void
im_link_tls_name_add(im_buf_t *text, const GENERAL_NAME *name)
{
    int             type, len;
    char            ip[IM_ADDR_MAX_IP + 1];
    const u_char   *p;
    ASN1_STRING    *s;

    s = GENERAL_NAME_get0_value(name, &type);

    if (type != GEN_DNS && type != GEN_IPADD) {
        return;
    }

    if (text->len > 0) {
        im_buf_add_z(text, ", ");
    }

    p = ASN1_STRING_get0_data(s);
    len = ASN1_STRING_length(s);

    if (type == GEN_DNS) {
        im_buf_add(text, p, (size_t) len);

    } else if (len == 4 || len == 16) {
        (void) inet_ntop(len == 4 ? AF_INET : AF_INET6, p, ip, sizeof(ip));
        im_buf_add_z(text, ip);
    }
}


/*
 * The names of a certificate, cut off where there are many; printable, since
 * the server chose them.
 */
static void
im_link_tls_names(X509 *cert, char *names)
{
    int             i, n;
    size_t          k;
    im_buf_t        text;
    X509_NAME      *subject;
    GENERAL_NAMES  *list;

    im_buf_fixed(&text, (u_char *) names, IM_LINK_TLS_NAMES);

    list = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    n = list != NULL ? sk_GENERAL_NAME_num(list) : 0;

    for (i = 0; i < n; i++) {
        im_link_tls_name_add(&text, sk_GENERAL_NAME_value(list, i));
    }

    GENERAL_NAMES_free(list);

    subject = X509_get_subject_name(cert);

    if (text.len == 0 && !text.failed) {
        n = X509_NAME_get_text_by_NID(subject, NID_commonName, names,
                                      IM_LINK_TLS_NAMES);
        text.len = n > 0 ? (size_t) n : 0;
    }

    for (k = 0; k < text.len; k++) {
        if (names[k] < 0x20 || names[k] == 0x7f || names[k] == '"') {
            names[k] = '?';
        }
    }

    (void) snprintf(names + text.len, sizeof(" ..."), "%s",
                    text.failed ? " ..." : "");
}


/* Remembers why a certificate is refused. */
static int
im_link_tls_verify(int good, X509_STORE_CTX *store)
{
    int             error;
    SSL            *ssl;
    char            names[IM_LINK_TLS_NAMES + sizeof(" ...")];
    const char     *cure;
    im_link_tls_t  *tls;

    if (good) {
        return 1;
    }

    ssl = X509_STORE_CTX_get_ex_data(store,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    tls = SSL_get_app_data(ssl);
    error = X509_STORE_CTX_get_error(store);

    switch (error) {

    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        im_link_tls_names(X509_STORE_CTX_get_current_cert(store), names);
        (void) snprintf(tls->why, IM_LINK_TLS_WHY, "certificate verify failed: "
                        "it is for \"%s\", not for \"%.*s\"; name= says "
                        "which name it must have", names, IM_LINK_TLS_SHOWN,
                        tls->name);
        return 0;

    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        cure = "; ca= must have the CA that signed it";
        break;

    default:
        cure = "";
    }

    (void) snprintf(tls->why, IM_LINK_TLS_WHY, "certificate verify failed: "
                    "%s%s", X509_verify_cert_error_string(error), cure);

    return 0;
}


/* An address is checked as one, and can't be asked for. */
static int
im_link_tls_expect(im_link_tls_t *tls)
{
    X509_VERIFY_PARAM  *param;

    param = SSL_get0_param(tls->ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, tls->name) == 1) {
        return 1;
    }

    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    return X509_VERIFY_PARAM_set1_host(param, tls->name, 0) == 1
           && SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1;
}


im_link_tls_t *
im_link_tls_create(const im_link_tls_ctx_t *ctx, im_str_t host)
{
    BIO            *bio;
    im_str_t        name;
    im_link_tls_t  *tls;

    tls = im_calloc(sizeof(im_link_tls_t));
    if (tls == NULL) {
        return NULL;
    }

    im_buf_init(&tls->out, IM_LINK_TLS_MAX);
    name = ctx->conf.name.len > 0 ? ctx->conf.name : host;
    name.len -= name.len > 0 && name.data[name.len - 1] == '.';
    (void) snprintf(tls->name, sizeof(tls->name), "%.*s", (int) name.len,
                    (char *) name.data);

    ERR_clear_error();

    tls->ssl = SSL_new(ctx->ssl);
    bio = BIO_new(ctx->method);

    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        goto failed;
    }

    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);

    SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, im_link_tls_verify);
    SSL_set_connect_state(tls->ssl);

    if (SSL_set_app_data(tls->ssl, tls) != 1 || !im_link_tls_expect(tls)) {
        goto failed;
    }

    return tls;

failed:

    ERR_clear_error();
    im_link_tls_destroy(tls);

    return NULL;
}


void
im_link_tls_destroy(im_link_tls_t *tls)
{
    SSL_free(tls->ssl);
    im_buf_cleanup(&tls->out);
    im_free(tls);
}


void
im_link_tls_feed(im_link_tls_t *tls, const void *bytes, size_t n)
{
    tls->in = im_str_set(bytes, n);
}


/* rc is what a function of OpenSSL gave. */
static im_int_t
im_link_tls_result(im_link_tls_t *tls, int rc)
{
    int  error;

    error = SSL_get_error(tls->ssl, rc);

    if (error == SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        return IM_AGAIN;
    }

    if (tls->why[0] == '\0') {
        (void) snprintf(tls->why, IM_LINK_TLS_WHY, "%s%s",
                        tls->out.failed ? "no memory"
                        : error == SSL_ERROR_ZERO_RETURN ? "connection closed"
                        : "TLS: ",
                        error == SSL_ERROR_SSL && !tls->out.failed
                        ? im_link_tls_reason() : "");
    }

    ERR_clear_error();

    return IM_ERROR;
}


im_int_t
im_link_tls_handshake(im_link_tls_t *tls)
{
    int  rc;

    tls->begun = 1;

    if (tls->in.len > 0 && !tls->heard) {
        tls->heard = 1;

        if (tls->in.data[0] != IM_LINK_TLS_HELLO
            && tls->in.data[0] != IM_LINK_TLS_ALERT)
        {
            (void) snprintf(tls->why, IM_LINK_TLS_WHY, "it does not speak TLS "
                            "on this port");
            return IM_ERROR;
        }
    }

    ERR_clear_error();

    rc = SSL_do_handshake(tls->ssl);

    if (rc == 1) {
        tls->done = 1;
        return IM_OK;
    }

    return im_link_tls_result(tls, rc);
}


int
im_link_tls_begun(const im_link_tls_t *tls)
{
    return tls->begun;
}


int
im_link_tls_done(const im_link_tls_t *tls)
{
    return tls->done;
}


ssize_t
im_link_tls_read(im_link_tls_t *tls, u_char *buf)
{
    int  n;

    ERR_clear_error();

    n = SSL_read(tls->ssl, buf, IM_LINK_TLS_READ);

    return n > 0 ? n : im_link_tls_result(tls, n);
}


im_int_t
im_link_tls_write(im_link_tls_t *tls, const void *bytes, size_t n)
{
    int  rc;

    ERR_clear_error();

    rc = SSL_write(tls->ssl, bytes, (int) n);

    if (rc > 0) {
        return IM_OK;
    }

    (void) im_link_tls_result(tls, rc);

    return IM_ERROR;
}


im_str_t
im_link_tls_output(const im_link_tls_t *tls)
{
    return im_str_set(tls->out.data + tls->sent, tls->out.len - tls->sent);
}


void
im_link_tls_sent(im_link_tls_t *tls, size_t n)
{
    tls->sent += n;

    if (tls->sent == tls->out.len) {
        im_buf_reset(&tls->out, IM_LINK_TLS_KEEP);
        tls->sent = 0;
    }
}


const char *
im_link_tls_why(const im_link_tls_t *tls)
{
    return tls->why;
}
