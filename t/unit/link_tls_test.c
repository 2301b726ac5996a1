/*
 * Copyright (C) The im authors
 *
 * TLS of a connection, against a server of OpenSSL in memory.
 */

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "test.h"
#include "im_link_conn.h"


#define DAY  86400


typedef struct {
    EVP_PKEY  *key;
    X509      *cert;
} identity_t;


typedef struct {
    SSL_CTX   *ctx;
    SSL       *ssl;
    int        done;
    char       read[65536];
    size_t     nread;
} server_t;


static char        dir[] = "/tmp/im-link-tls-XXXXXX";
static char        paths[16][64];
static size_t      npaths;

static identity_t  ca, other_ca, good, plain, expired, early, foreign;
static im_str_t    ca_file, cert_file, key_file;

static im_link_tls_ctx_t    *ctx;
static im_link_tls_fault_t   fault;
static im_link_tls_t        *tls;
static server_t              server;


/* certificates */


static void
extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX       v3;
    X509_EXTENSION  *ext;

    X509V3_set_ctx(&v3, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
    assert_non_null(ext);
    assert_int_equal(X509_add_ext(cert, ext, -1), 1);
    X509_EXTENSION_free(ext);
}


/* issuer NULL: a CA; names NULL: its common name is all that it has. */
static identity_t
identity(const identity_t *issuer, const char *cn, const char *names, long from,
    long to)
{
    static long   serial;
    X509_NAME    *subject;
    identity_t    id;

    id.key = EVP_EC_gen("P-256");
    id.cert = X509_new();
    assert_non_null(id.key);
    assert_non_null(id.cert);

    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), from);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), to);
    X509_set_pubkey(id.cert, id.key);

    subject = X509_get_subject_name(id.cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               (const u_char *) cn, -1, -1, 0);

    if (issuer == NULL) {
        issuer = &id;
        extend(id.cert, id.cert, NID_basic_constraints, "critical,CA:TRUE");
    }

    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer->cert));

    if (names != NULL) {
        extend(id.cert, issuer->cert, NID_subject_alt_name, names);
    }

    assert_true(X509_sign(id.cert, issuer->key, EVP_sha256()) > 0);

    return id;
}


static im_str_t
path(void)
{
    char  *p;

    p = paths[npaths++];
    (void) snprintf(p, sizeof(paths[0]), "%s/%u", dir, (unsigned) npaths);

    return im_str_z(p);
}


static im_str_t
text_file(const char *text)
{
    FILE      *f;
    im_str_t   p;

    p = path();
    f = fopen((char *) p.data, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);

    return p;
}


static im_str_t
cert_path(const identity_t *id)
{
    FILE      *f;
    im_str_t   p;

    p = path();
    f = fopen((char *) p.data, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, id->cert), 1);
    assert_int_equal(fclose(f), 0);

    return p;
}


static im_str_t
key_path(const identity_t *id, const char *passphrase)
{
    FILE      *f;
    im_str_t   p;

    p = path();
    f = fopen((char *) p.data, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_PrivateKey(f, id->key,
                                          passphrase != NULL
                                          ? EVP_aes_128_cbc() : NULL,
                                          (const u_char *) passphrase,
                                          passphrase != NULL
                                          ? (int) strlen(passphrase) : 0,
                                          NULL, NULL), 1);
    assert_int_equal(fclose(f), 0);

    return p;
}


static int
group_setup(void **state)
{
    assert_non_null(mkdtemp(dir));

    ca = identity(NULL, "our CA", NULL, -DAY, DAY);
    other_ca = identity(NULL, "another CA", NULL, -DAY, DAY);
    good = identity(&ca, "redis", "DNS:redis.test,DNS:*.nodes.test,"
                    "IP:127.0.0.1,IP:::1", -DAY, DAY);
    plain = identity(&ca, "redis.test", NULL, -DAY, DAY);
    expired = identity(&ca, "redis.test", "DNS:redis.test", -2 * DAY, -DAY);
    early = identity(&ca, "redis.test", "DNS:redis.test", DAY, 2 * DAY);
    foreign = identity(&other_ca, "redis.test", "DNS:redis.test", -DAY, DAY);

    ca_file = cert_path(&ca);
    cert_file = cert_path(&good);
    key_file = key_path(&good, NULL);

    return 0;
}


static int
group_teardown(void **state)
{
    size_t       i;
    identity_t  *all[] = { &ca, &other_ca, &good, &plain, &expired, &early,
                           &foreign };

    for (i = 0; i < test_count(all); i++) {
        X509_free(all[i]->cert);
        EVP_PKEY_free(all[i]->key);
    }

    for (i = 0; i < npaths; i++) {
        (void) unlink(paths[i]);
    }

    return rmdir(dir);
}


/* the server */


static void
serve(const identity_t *id, int wants_client, int version)
{
    memset(&server, 0, sizeof(server));

    server.ctx = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server.ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server.ctx, id->key), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(server.ctx, version), 1);

    if (wants_client) {
        SSL_CTX_set_verify(server.ctx, SSL_VERIFY_PEER
                           |SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(server.ctx),
                                             ca.cert), 1);
    }

    server.ssl = SSL_new(server.ctx);
    SSL_set_bio(server.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(server.ssl);
}


static void
serve_end(void)
{
    SSL_free(server.ssl);
    SSL_CTX_free(server.ctx);
    ERR_clear_error();
}


/* The server takes bytes, and what it reads is kept. */
static void
server_takes(im_str_t bytes)
{
    int  n;

    if (bytes.len > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(server.ssl), bytes.data,
                                   (int) bytes.len), bytes.len);
    }

    if (!server.done) {
        server.done = SSL_do_handshake(server.ssl) == 1;
    }

    while (server.done
           && (n = SSL_read(server.ssl, server.read + server.nread,
                            (int) (sizeof(server.read) - server.nread))) > 0)
    {
        server.nread += (size_t) n;
    }

    ERR_clear_error();
}


/* What the server says. */
static im_str_t
server_says(void)
{
    static u_char  buf[262144];
    int            n;

    n = BIO_read(SSL_get_wbio(server.ssl), buf, sizeof(buf));
    ERR_clear_error();

    return im_str_set(buf, n > 0 ? (size_t) n : 0);
}


/* the client */


static im_link_tls_ctx_t *
context(im_str_t ca_path, im_str_t cert, im_str_t key, const char *name)
{
    im_link_tls_conf_t  conf;

    conf.ca = ca_path;
    conf.cert = cert;
    conf.key = key;
    conf.name = im_str_z(name);

    return im_link_tls_ctx_create(&conf, &fault);
}


static const im_str_t  none;


static void
client(const char *name, const char *host, int with_cert)
{
    ctx = context(ca_file, with_cert ? cert_file : none,
                  with_cert ? key_file : none, name);
    assert_non_null(ctx);
    assert_string_equal(fault.why, "");

    tls = im_link_tls_create(ctx, im_str_z(host));
    assert_non_null(tls);
    assert_false(im_link_tls_begun(tls));
    assert_int_equal(im_link_tls_output(tls).len, 0);
}


static void
client_end(void)
{
    assert_int_equal(ERR_peek_error(), 0);

    im_link_tls_destroy(tls);
    im_link_tls_ctx_destroy(ctx);
    serve_end();
}


/* Moves bytes, at most `step` at a time to the client, until nobody speaks. */
static im_int_t
handshake(size_t step)
{
    size_t    n;
    im_int_t  rc;
    im_str_t  out;

    rc = im_link_tls_handshake(tls);
    assert_true(im_link_tls_begun(tls));

    for ( ;; ) {
        out = im_link_tls_output(tls);
        server_takes(out);
        im_link_tls_sent(tls, out.len);

        out = server_says();

        if (out.len == 0 || rc == IM_ERROR) {
            return rc;
        }

        while (out.len > 0 && rc == IM_AGAIN) {
            n = im_min(step, out.len);
            im_link_tls_feed(tls, out.data, n);
            out = im_str_set(out.data + n, out.len - n);
            rc = im_link_tls_handshake(tls);
        }

        if (rc == IM_OK && out.len > 0) {
            im_link_tls_feed(tls, out.data, out.len);
        }
    }
}


static void
test_bytes(void **state)
{
    size_t       i;
    u_char       buf[IM_LINK_TLS_READ];
    static char  long_text[40000];
    im_str_t     out;
    size_t       steps[] = { 1, 7, 100000 };
    int          versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    memset(long_text, 'x', sizeof(long_text));

    for (i = 0; i < 6; i++) {
        serve(&good, 0, versions[i % 2]);
        client("", "redis.test", 0);
        assert_int_equal(handshake(steps[i / 2]), IM_OK);
        assert_true(im_link_tls_done(tls));
        assert_true(server.done);
        assert_string_equal(SSL_get_servername(server.ssl,
                                               TLSEXT_NAMETYPE_host_name),
                            "redis.test");

        /* tickets, which are not for us */
        assert_int_equal(im_link_tls_read(tls, buf), IM_AGAIN);

        assert_int_equal(im_link_tls_write(tls, "PING", 4), IM_OK);
        assert_int_equal(im_link_tls_write(tls, long_text, IM_LINK_TLS_READ),
                         IM_OK);
        out = im_link_tls_output(tls);
        server_takes(im_str_set(out.data, 100));
        im_link_tls_sent(tls, 100);
        out = im_link_tls_output(tls);
        server_takes(out);
        im_link_tls_sent(tls, out.len);
        assert_int_equal(im_link_tls_output(tls).len, 0);
        assert_int_equal(server.nread, 4 + IM_LINK_TLS_READ);
        assert_memory_equal(server.read, "PINGxxxx", 8);

        /* a part of a record gives nothing, several give all */
        assert_int_equal(SSL_write(server.ssl, "+PONG", 5), 5);
        assert_int_equal(SSL_write(server.ssl, long_text, 20000), 20000);
        out = server_says();
        im_link_tls_feed(tls, out.data, 10);
        assert_int_equal(im_link_tls_read(tls, buf), IM_AGAIN);
        im_link_tls_feed(tls, out.data + 10, out.len - 10);
        assert_int_equal(im_link_tls_read(tls, buf), 5);
        assert_memory_equal(buf, "+PONG", 5);
        assert_int_equal(im_link_tls_read(tls, buf), 16384);
        assert_int_equal(im_link_tls_read(tls, buf), 20000 - 16384);
        assert_int_equal(im_link_tls_read(tls, buf), IM_AGAIN);

        /* what is no record */
        im_link_tls_feed(tls, "-ERR what is this?", 18);
        assert_int_equal(im_link_tls_read(tls, buf), IM_ERROR);
        assert_non_null(strstr(im_link_tls_why(tls), "TLS: "));

        client_end();
    }
}


/* Handshakes that end well, or with these words. */
static void
test_certificates(void **state)
{
    size_t    i;
    im_int_t  rc;

    static const struct {
        const identity_t  *id;
        const char        *name;
        const char        *host;
        const char        *why;
    } cases[] = {
        { &good, "", "redis.test", NULL },
        { &good, "", "redis.test.", NULL },
        { &good, "", "REDIS.test", NULL },
        { &good, "", "a.nodes.test", NULL },
        { &good, "", "127.0.0.1", NULL },
        { &good, "", "::1", NULL },
        { &good, "redis.test", "10.0.0.1", NULL },
        { &good, "127.0.0.1", "other.test", NULL },
        { &plain, "", "redis.test", NULL },
        { &good, "", "other.test",
          "certificate verify failed: it is for \"redis.test, *.nodes.test, "
          "127.0.0.1, ::1\", not for \"other.test\"; name= says which name it "
          "must have" },
        { &good, "", "a.b.nodes.test", "not for \"a.b.nodes.test\"" },
        { &good, "", "10.0.0.1", "127.0.0.1, ::1\", not for \"10.0.0.1\"" },
        { &good, "other.test", "redis.test", "not for \"other.test\"" },
        { &plain, "", "127.0.0.1",
          "it is for \"redis.test\", not for \"127.0.0.1\"" },
        { &expired, "", "redis.test",
          "certificate verify failed: certificate has expired" },
        { &early, "", "redis.test",
          "certificate verify failed: certificate is not yet valid" },
        { &foreign, "", "redis.test",
          "certificate verify failed: unable to get local issuer certificate; "
          "ca= must have the CA that signed it" },
        { &other_ca, "", "redis.test",
          "certificate verify failed: self-signed certificate; ca= must" },
    };

    for (i = 0; i < test_count(cases); i++) {
        serve(cases[i].id, 0, TLS1_3_VERSION);
        client(cases[i].name, cases[i].host, 0);
        rc = handshake(100000);

        if (cases[i].why == NULL) {
            assert_string_equal(im_link_tls_why(tls), "");
            assert_int_equal(rc, IM_OK);

        } else {
            assert_int_equal(rc, IM_ERROR);
            assert_non_null(strstr(im_link_tls_why(tls), cases[i].why));
        }

        client_end();
    }
}


static void
test_client_certificate(void **state)
{
    u_char  buf[IM_LINK_TLS_READ];

    serve(&good, 1, TLS1_3_VERSION);
    client("", "redis.test", 1);
    assert_int_equal(handshake(100000), IM_OK);
    assert_true(server.done);
    client_end();

    /* in TLS 1.3 the client believes that it is done */

    serve(&good, 1, TLS1_3_VERSION);
    client("", "redis.test", 0);
    assert_int_equal(handshake(100000), IM_OK);
    assert_false(server.done);
    assert_int_equal(im_link_tls_read(tls, buf), IM_ERROR);
    assert_string_equal(im_link_tls_why(tls),
                        "TLS: tlsv13 alert certificate required");
    client_end();

    serve(&good, 1, TLS1_2_VERSION);
    client("", "redis.test", 0);
    assert_int_equal(handshake(100000), IM_ERROR);
    assert_non_null(strstr(im_link_tls_why(tls), "TLS: "));
    assert_non_null(strstr(im_link_tls_why(tls), "alert"));
    client_end();
}


static void
test_no_tls(void **state)
{
    size_t       i;
    const char  *texts[] = { "-ERR unknown command\r\n", "HTTP/1.1 400\r\n",
                             "\x16\x03\x01\xff\xffxx",
                             "\x15\x03\x03\x00\x02\x02\x28" };

    for (i = 0; i < test_count(texts); i++) {
        serve(&good, 0, TLS1_3_VERSION);
        client("", "redis.test", 0);
        assert_int_equal(im_link_tls_handshake(tls), IM_AGAIN);
        im_link_tls_feed(tls, texts[i], i >= 2 ? 7 : strlen(texts[i]));
        assert_int_equal(im_link_tls_handshake(tls), IM_ERROR);
        assert_string_not_equal(im_link_tls_why(tls), "");

        if (i < 2) {
            assert_string_equal(im_link_tls_why(tls),
                                "it does not speak TLS on this port");
        }

        client_end();
    }

    /* a server that knows old versions alone */

    serve(&good, 0, TLS1_1_VERSION);
    SSL_set_cipher_list(server.ssl, "ALL:@SECLEVEL=0");
    client("", "redis.test", 0);
    assert_int_equal(handshake(100000), IM_ERROR);
    assert_non_null(strstr(im_link_tls_why(tls), "protocol version"));
    client_end();
}


static void
refused(im_str_t ca_path, im_str_t cert, im_str_t key, const char *word,
    const char *why)
{
    assert_null(context(ca_path, cert, key, ""));
    assert_string_equal(fault.word, word);
    test_str(fault.file, (char *) (word[0] == 'k' ? key : word[1] == 'e' ? cert
                                   : ca_path).data);
    assert_string_equal(fault.why, why);
    assert_int_equal(ERR_peek_error(), 0);
}


static void
test_files(void **state)
{
    im_str_t  missing, text;

    missing = path();
    text = text_file("nothing\n");

    refused(missing, none, none, "ca=", "is not there");
    refused(im_str_z("/"), none, none, "ca=",
            "has no certificate in PEM form");
    refused(text, none, none, "ca=", "has no certificate in PEM form");
    refused(ca_file, missing, key_file, "cert=", "is not there");
    refused(ca_file, text, key_file, "cert=", "has no certificate in PEM form");
    refused(ca_file, cert_file, missing, "key=", "is not there");
    refused(ca_file, cert_file, text, "key=", "has no private key in PEM form");
    refused(ca_file, cert_file, cert_file, "key=",
            "has no private key in PEM form");
    refused(ca_file, cert_file, key_path(&plain, NULL), "key=",
            "is not the key of the certificate in cert=");
    refused(ca_file, cert_file, key_path(&good, "secret"), "key=",
            "needs a passphrase: use a key without one");

    ctx = context(ca_file, cert_path(&expired), key_path(&expired, NULL), "");
    assert_non_null(ctx);
    assert_string_equal(fault.word, "cert=");
    assert_string_equal(fault.why, "has expired");
    im_link_tls_ctx_destroy(ctx);

    ctx = context(ca_file, cert_path(&early), key_path(&early, NULL), "");
    assert_non_null(ctx);
    assert_string_equal(fault.why, "is not valid yet");
    im_link_tls_ctx_destroy(ctx);

    ctx = context(none, none, none, "");
    assert_non_null(ctx);
    assert_string_equal(fault.why, "");
    im_link_tls_ctx_destroy(ctx);

    alloc_fail_at(1);
    assert_null(context(ca_file, none, none, ""));
    assert_string_equal(fault.why, "no memory for TLS");
    alloc_fail_at(0);

    ctx = context(ca_file, none, none, "");
    alloc_fail_at(1);
    assert_null(im_link_tls_create(ctx, im_str_z("redis.test")));
    alloc_fail_at(0);
    im_link_tls_ctx_destroy(ctx);
}


/* Writes a certificate over another file. */
static void
rewrite(im_str_t file, const identity_t *id)
{
    FILE  *f;

    f = fopen((char *) file.data, "w");
    assert_non_null(f);

    if (id != NULL) {
        assert_int_equal(PEM_write_X509(f, id->cert), 1);
    }

    assert_int_equal(fclose(f), 0);
}


static im_int_t
shakes(const identity_t *id)
{
    im_int_t  rc;

    serve(id, 0, TLS1_3_VERSION);
    tls = im_link_tls_create(ctx, im_str_z("redis.test"));
    assert_non_null(tls);
    rc = handshake(100000);
    im_link_tls_destroy(tls);
    serve_end();

    return rc;
}


static void
test_renew(void **state)
{
    im_str_t  file;

    file = cert_path(&ca);
    ctx = context(file, none, none, "");
    assert_non_null(ctx);
    assert_int_equal(shakes(&good), IM_OK);
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_DECLINED);
    assert_string_equal(fault.why, "");

    rewrite(file, &other_ca);
    assert_int_equal(shakes(&good), IM_OK);
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_OK);
    assert_string_equal(fault.why, "");
    assert_int_equal(shakes(&good), IM_ERROR);
    assert_int_equal(shakes(&foreign), IM_OK);

    /* what can't be used is told once */

    rewrite(file, NULL);
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_ERROR);
    assert_string_equal(fault.word, "ca=");
    assert_string_equal(fault.why, "has no certificate in PEM form");
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_DECLINED);
    assert_int_equal(shakes(&foreign), IM_OK);

    assert_int_equal(unlink((char *) file.data), 0);
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_ERROR);
    assert_string_equal(fault.why, "is not there");
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_DECLINED);
    assert_int_equal(shakes(&foreign), IM_OK);

    rewrite(file, &ca);
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_OK);
    assert_int_equal(shakes(&good), IM_OK);
    im_link_tls_ctx_destroy(ctx);

    ctx = context(none, none, none, "");
    assert_int_equal(im_link_tls_ctx_renew(ctx, &fault), IM_DECLINED);
    im_link_tls_ctx_destroy(ctx);
}


static void
test_no_memory(void **state)
{
    serve(&good, 0, TLS1_3_VERSION);
    client("", "redis.test", 0);

    alloc_fail_all();
    assert_int_equal(im_link_tls_handshake(tls), IM_ERROR);
    assert_string_equal(im_link_tls_why(tls), "no memory");
    alloc_fail_at(0);

    client_end();
}


/* a connection */


static im_link_conn_t   conn;
static im_link_clock_t  test_clock;
static im_link_guard_t  guard;
static im_link_call_t   call;
static char             lost[512];
static int              nreplies, nwrites, close_at_reply;
static uint64_t         now;


static void *
t_connect(void *data, im_link_conn_t *c, const im_link_address_t *to,
    const char **why)
{
    return &server;
}


static void
t_close(void *socket)
{
    assert_ptr_equal(socket, &server);
}


static void
t_write(void *socket)
{
    nwrites++;
}


static uint64_t
t_now(void *data)
{
    return now;
}


static uint32_t
t_random(void *data)
{
    return 0;
}


static const im_link_transport_t  transport = {
    t_connect, t_close, t_write, NULL, t_now, t_random, NULL, NULL
};


static void
ping(void)
{
    im_link_call_start(&call, "PING");
    assert_int_equal(im_link_conn_send(&conn, &call, NULL, NULL), IM_OK);
}


static void
on_connected(im_link_conn_t *c)
{
    assert_int_equal(c->state, IM_LINK_PREPARING);
    ping();
}


static void
on_reply(im_link_conn_t *c, const im_link_reply_t *reply)
{
    nreplies++;

    if (close_at_reply) {
        im_link_conn_close(c);
    }

    assert_true(im_link_conn_answer(c, reply));
}


static void
on_lost(im_link_conn_t *c, const char *why)
{
    im_link_conn_close(c);
    im_link_conn_fail(c);
    (void) snprintf(lost, sizeof(lost), "%s", why);
}


static const im_link_conn_events_t  events = {
    on_connected, on_reply, NULL, on_lost
};


static void
open_conn(int with_tls)
{
    im_link_address_t  to;

    memset(&conn, 0, sizeof(conn));
    memset(&to, 0, sizeof(to));
    to.sockaddr.ss_family = AF_INET;

    ctx = context(ca_file, none, none, "");
    assert_non_null(ctx);

    conn.events = &events;
    conn.guard = &guard;
    conn.clock = &test_clock;
    conn.ctx = with_tls ? ctx : NULL;
    im_link_clock_init(&test_clock, &transport, NULL);
    im_link_conn_init(&conn, "commands", 1000, &transport, NULL);
    im_link_call_init(&call);

    nreplies = nwrites = close_at_reply = 0;
    lost[0] = '\0';

    assert_null(im_link_conn_open(&conn, &to, im_str_z("redis.test")));
    assert_null(im_link_conn_late(&conn, 500));
    now += 501;
    assert_string_equal(im_link_conn_late(&conn, 500),
                        "timed out while connecting");
}


static void
close_conn(void)
{
    im_link_conn_close(&conn);
    im_link_conn_fail(&conn);
    im_buf_cleanup(&conn.out);
    im_link_call_cleanup(&call);
    im_link_tls_ctx_destroy(ctx);
}


/* Bytes in both directions until nobody speaks. */
static im_int_t
talk(void)
{
    im_str_t  out;

    for ( ;; ) {
        while ((out = im_link_output(&conn)).len > 0) {
            server_takes(out);
            im_link_sent(&conn, out.len);
        }

        out = server_says();

        if (out.len == 0) {
            return IM_OK;
        }

        if (im_link_received(&conn, out.data, out.len) != IM_OK) {
            return IM_ERROR;
        }
    }
}


static void
test_conn(void **state)
{
    int     i;
    size_t  sent;

    serve(&good, 0, TLS1_3_VERSION);
    open_conn(1);

    assert_int_equal(im_link_connected(&conn), IM_OK);
    assert_int_equal(conn.state, IM_LINK_CONNECTING);
    assert_int_equal(nwrites, 1);
    assert_non_null(strstr(im_link_conn_late(&conn, 500),
                           "does the server speak"));

    assert_int_equal(talk(), IM_OK);
    assert_int_equal(conn.state, IM_LINK_PREPARING);
    now += 501;
    assert_string_equal(im_link_conn_late(&conn, 500),
                        "timed out while connecting");
    assert_memory_equal(server.read, "*1\r\n$4\r\nPING\r\n", 14);

    /* many calls, some records */

    sent = server.nread;

    for (i = 0; i < 3000; i++) {
        ping();
    }

    assert_int_equal(talk(), IM_OK);
    assert_int_equal(server.nread, sent + 3000 * 14);

    for (i = 0; i < 3001; i++) {
        assert_int_equal(SSL_write(server.ssl, "+PONG\r\n", 7), 7);
    }

    assert_int_equal(talk(), IM_OK);
    assert_int_equal(nreplies, 3001);
    assert_int_equal(conn.ncalls, 0);

    /* the owner closes it in the middle of what was read */

    ping();
    ping();
    close_at_reply = 1;
    assert_int_equal(talk(), IM_OK);
    assert_int_equal(SSL_write(server.ssl, "+PONG\r\n", 7), 7);
    assert_int_equal(SSL_write(server.ssl, "+PONG\r\n", 7), 7);
    assert_int_equal(talk(), IM_ERROR);
    assert_int_equal(nreplies, 3002);
    assert_null(conn.tls);

    close_conn();
    serve_end();
}


static void
test_conn_lost(void **state)
{
    serve(&foreign, 0, TLS1_3_VERSION);
    open_conn(1);
    assert_int_equal(im_link_connected(&conn), IM_OK);
    assert_int_equal(talk(), IM_ERROR);
    assert_non_null(strstr(lost, "unable to get local issuer"));
    close_conn();
    serve_end();

    serve(&good, 0, TLS1_3_VERSION);
    open_conn(1);
    im_link_closed(&conn, "Connection refused");
    assert_string_equal(lost, "Connection refused");
    close_conn();

    open_conn(1);
    assert_int_equal(im_link_connected(&conn), IM_OK);
    im_link_closed(&conn, "connection closed");
    assert_string_equal(lost, "connection closed in the TLS handshake");
    close_conn();

    open_conn(0);
    assert_int_equal(im_link_connected(&conn), IM_OK);
    im_link_closed(&conn, "connection closed");
    assert_string_equal(lost, "connection closed before its first answer: does "
                        "this port want TLS (tls=on)?");
    close_conn();

    open_conn(0);
    assert_int_equal(im_link_connected(&conn), IM_OK);
    assert_int_equal(im_link_received(&conn, "+PONG\r\n", 7), IM_OK);
    im_link_closed(&conn, "connection closed");
    assert_string_equal(lost, "connection closed");
    close_conn();

    serve_end();
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        alloc_test(test_bytes),
        alloc_test(test_certificates),
        alloc_test(test_client_certificate),
        alloc_test(test_no_tls),
        alloc_test(test_files),
        alloc_test(test_renew),
        alloc_test(test_no_memory),
        alloc_test(test_conn),
        alloc_test(test_conn_lost),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
