/*
 * Copyright (C) The im authors
 *
 * The words of im_redis, by tables.
 */

#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "copy.h"
#include "im_link_words.h"


#define S16  "s:1 s:2 s:3 s:4 s:5 s:6 s:7 s:8 s:9 s:10 s:11 s:12 s:13 s:14 "  \
             "s:15 s:16"


/* Each word in memory of exactly its size. */
typedef struct {
    im_str_t   list[IM_LINK_WORDS];
    im_uint_t  n;
} words_t;


static void
split(words_t *words, const char *text)
{
    size_t  len;

    for (words->n = 0; *text != '\0'; text += strspn(text, " ")) {
        len = strcspn(text, " ");
        words->list[words->n++] = copy_of(im_str_set(text, len));
        text += len;
    }
}


static void
words_free(words_t *words)
{
    im_uint_t  i;

    for (i = 0; i < words->n; i++) {
        free(words->list[i].data);
    }
}


/* The word that is shown, "" for none, and what is said of it. */
static const struct {
    const char  *text;
    const char  *at;
    const char  *why;
} bad[] = {
    { "", "", "has no address: name the server" },
    { "user=a", "", "has no address: name the server" },
    { "cluster", "", "has no address: name some nodes" },
    { "cluster tls=on", "", "has no address: name some nodes" },
    { "sentinel=im", "", "has no address: name all sentinels" },
    { "sentinel=", "sentinel=", "must name the master" },
    { "sentinel=a/b h", "sentinel=a/b", "must name the master" },
    { "h cluster", "cluster", "must be the first word" },
    { "cluster h cluster", "cluster", "must be the first word" },
    { "h sentinel=im", "sentinel=im", "must be the first word" },
    { "cluster sentinel=im h", "sentinel=im", "must be the first word" },
    { "a b", "b", "is one server too many: begin with \"cluster\"" },
    { "a:1 a:1", "a:1", "is one server too many" },
    { "cluster a:1 A:1", "A:1", "is there twice" },
    { "cluster a a:6379", "a:6379", "is there twice" },
    { "sentinel=im a a:26379", "a:26379", "is there twice" },
    { "cluster [::1] [0:0::1]", "[0:0::1]", "is there twice" },
    { "cluster " S16 " s:17", "s:17", "is one too many: leave it out, as 16" },
    { "cluster h:0", "h:0", "has no valid port" },
    { "cluster h 6380", "6380", "is a port without a host" },
    { "cluster unix:/a", "unix:/a", "is a unix socket, and servers" },
    { "sentinel=im unix:/a", "unix:/a", "is a unix socket, and servers" },
    { "h speed=1", "speed=", "is unknown; there are user= password_file=" },
    { "h pasword=secret", "pasword=", "is unknown" },
    { "rediss://im:secret@h:1", "rediss:", "is a URL: use HOST:PORT" },
    { "im:secret@h:1", "im:", "has more than one \":\"" },
    { "rediss://h", "rediss://h", "is a URL: use HOST:PORT" },
    { "=", "=", "is unknown" }, { "h tls", "tls", "is one server too many" },
    { "h user=", "user=", "is empty" },
    { "h password=", "password=", "is empty" },
    { "h password=a password=b", "password=", "is there twice" },
    { "h db=1 db=1", "db=1", "is there twice" },
    { "h password_file=", "password_file=", "is empty: name a file" },
    { "h db=-1", "db=-1", "must be a number from 0 to 1000000" },
    { "h db=", "db=", "must be a number" }, { "h db=1k", "db=1k", "must be" },
    { "h db=1000001", "db=1000001", "must be a number" },
    { "h db=99999999999999999999", "db=99999999999999999999", "must be" },
    { "h prefix=", "prefix=", "must be 1 to 32 printable bytes" },
    { "h prefix={x}", "prefix={x}", "must be 1 to 32 printable bytes" },
    { "h partitions=0", "partitions=0", "must be from 1 to 1024" },
    { "h partitions=1025", "partitions=1025", "must be from 1 to 1024" },
    { "h timeout=0", "timeout=0", "must be a time from 1ms to 1h" },
    { "h timeout=", "timeout=", "must be a time" },
    { "h timeout=5x", "timeout=5x", "must be a time" },
    { "h timeout=s", "timeout=s", "must be a time" },
    { "h timeout=1s1m", "timeout=1s1m", "must be a time" },
    { "h timeout=1s1", "timeout=1s1", "must be a time" },
    { "h timeout=1s1s", "timeout=1s1s", "must be a time" },
    { "h timeout=1ms1", "timeout=1ms1", "must be a time" },
    { "h timeout=61m", "timeout=61m", "must be a time from 1ms to 1h" },
    { "h timeout=9999999999999d", "timeout=9999999999999d", "must be a time" },
    { "h refresh=999ms", "refresh=999ms", "must be a time from 1s to 24h" },
    { "h tls=yes", "tls=yes", "must be on or off" },
    { "h tls=", "tls=", "must be on or off" },
    { "h ca=/f", "ca=/f", "has no effect without tls=on: add it" },
    { "h tls=off cert=/f key=/k", "cert=/f", "has no effect without tls=on" },
    { "h key=/f", "key=/f", "has no effect without tls=on" },
    { "h name=a", "name=a", "has no effect without tls=on" },
    { "h tls=on cert=/f", "cert=/f", "has no key: add key=" },
    { "h tls=on key=/f", "key=/f", "has no certificate: add cert=" },
    { "h tls=on ca=", "ca=", "is empty: name a file" },
    { "h tls=on name=", "name=", "is empty: name the host" },
    { "h tls=on name=a:1", "name=a:1", "is no host" },
    { "h tls=on name=[::1]:1", "name=[::1]:1", "is no host" },
    { "h tls=on name=unix:/a", "name=unix:/a", "is no host" },
    { "h tls=on name=*", "name=*", "is no host" },
    { "unix:/a tls=on", "tls=on", "Redis has no TLS at a unix socket" },
    { "h sentinel_user=a", "sentinel_user=a", "is for sentinels alone" },
    { "h tiemout=1s", "tiemout=", "is unknown: do you mean timeout=?" },
    { "h speed=1", "speed=", "is unknown; there are user= " },
    { "cluster h sentinel_password=a", "sentinel_password=", "is for sent" },
    { "h sentinel_password_file=/a", "sentinel_password_file=/a",
      "is for sentinels alone" },
    { "sentinel=im h sentinel_user=a", "sentinel_user=a", "has no password: "
      "add sentinel_password_file=" },
};


static void
test_bad(void **state)
{
    size_t            i;
    words_t           words;
    im_str_t          at;
    const char       *why;
    im_link_words_t   w;

    for (i = 0; i < test_count(bad); i++) {
        split(&words, bad[i].text);
        why = im_link_words_parse(&w, words.list, words.n, 2000, &at);

        assert_non_null(why);
        test_str(at, bad[i].at);
        assert_non_null(strstr(why, bad[i].why));

        words_free(&words);
    }
}


static void
test_one(void **state)
{
    words_t           words;
    im_str_t          at;
    im_link_words_t   w;

    split(&words, "unix:/a=b");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    assert_int_equal(w.link.kind, IM_LINK_ONE);
    assert_int_equal(w.link.nseeds, 1);
    test_str(w.link.seeds[0].name, "unix:/a=b");
    test_str(w.link.seeds[0].addr.host, "/a=b");
    test_str(w.link.prefix, "im:");
    assert_int_equal(w.link.timeout, 2000);
    assert_int_equal(w.refresh, 600000);
    assert_int_equal(w.use_tls, 0);
    assert_int_equal(w.link.password.len, 0);
    words_free(&words);

    split(&words, "h user=im password=a=b db=3 prefix=chat: partitions=64 "
          "timeout=1m30s500ms refresh=1m tls=on ca=/ca cert=/c key=/k "
          "name=redis.test");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    assert_null(im_link_words_check(&w));
    assert_int_equal(w.link.seeds[0].addr.port, 6379);
    test_str(w.link.user, "im");
    test_str(w.link.password, "a=b");
    test_str(w.link.prefix, "chat:");
    assert_int_equal(w.link.db, 3);
    assert_int_equal(w.link.partitions, 64);
    assert_int_equal(w.link.timeout, 90500);
    assert_int_equal(w.refresh, 60000);
    assert_int_equal(w.use_tls, 1);
    test_str(w.tls.ca, "/ca");
    test_str(w.tls.cert, "/c");
    test_str(w.tls.key, "/k");
    test_str(w.tls.name, "redis.test");
    words_free(&words);

    /* in any order, times with and without units */

    split(&words, "timeout=7 h:1 tls=off password_file=/p");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    assert_null(im_link_words_check(&w));
    assert_int_equal(w.link.timeout, 7000);
    assert_int_equal(w.link.seeds[0].addr.port, 1);
    test_str(w.password_file, "/p");
    words_free(&words);

    split(&words, "h tls=on name=[::1] timeout=250ms");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    test_str(w.tls.name, "::1");
    assert_int_equal(w.link.timeout, 250);
    words_free(&words);
}


static void
test_several(void **state)
{
    words_t           words;
    im_str_t          at;
    im_link_words_t   w;

    split(&words, "sentinel=my.master-1_x 10.0.0.1 [::1] s.test:5 "
          "sentinel_user=a sentinel_password=b db=2 tls=on");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    assert_null(im_link_words_check(&w));
    assert_int_equal(w.link.kind, IM_LINK_SENTINEL);
    test_str(w.link.master, "my.master-1_x");
    assert_int_equal(w.link.nseeds, 3);
    assert_int_equal(w.link.seeds[0].addr.port, 26379);
    assert_int_equal(w.link.seeds[1].addr.port, 26379);
    assert_int_equal(w.link.seeds[2].addr.port, 5);
    test_str(w.link.sentinel_user, "a");
    test_str(w.link.sentinel_password, "b");
    words_free(&words);

    split(&words, "cluster " S16 " db=0 cluster:6379");
    assert_non_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    test_str(at, "cluster:6379");
    assert_null(im_link_words_parse(&w, words.list, words.n - 1, 2000, &at));
    assert_int_equal(w.link.kind, IM_LINK_CLUSTER);
    assert_int_equal(w.link.nseeds, IM_LINK_SEEDS);
    assert_int_equal(w.link.seeds[15].addr.port, 16);
    words_free(&words);

    /* the same host may have several */

    split(&words, "cluster h:1 h:2 cluster:6379");
    assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
    assert_int_equal(w.link.nseeds, 3);
    test_str(w.link.seeds[2].addr.host, "cluster");
    words_free(&words);
}


static void
test_check(void **state)
{
    size_t            i;
    words_t           words;
    im_str_t          at;
    const char       *why;
    im_link_words_t   w;

    static const struct {
        const char  *text;
        const char  *why;
    } table[] = {
        { "h user=a", "has user= but no password: add password_file=" },
        { "h user=a password_file=/f", NULL },
        { "cluster h db=1", "has a db= that can't be used: a cluster has "
          "database 0 alone; prefix= keeps programs apart" },
        { "sentinel=im h db=1", NULL },
        { "h password=a password_file=/f",
          "has password= and password_file=: leave one out" },
        { "sentinel=im h sentinel_password=a sentinel_password_file=/f",
          "has sentinel_password= and sentinel_password_file=: leave one out" },
    };

    for (i = 0; i < test_count(table); i++) {
        split(&words, table[i].text);
        assert_null(im_link_words_parse(&w, words.list, words.n, 2000, &at));
        why = im_link_words_check(&w);

        if (table[i].why == NULL) {
            assert_null(why);

        } else {
            assert_non_null(why);
            assert_string_equal(why, table[i].why);
        }

        words_free(&words);
    }
}


static void
test_secret(void **state)
{
    FILE    *f;
    char     path[] = "/tmp/im-link-words-XXXXXX";
    char     line[IM_LINK_SECRET + 1], text[1200];
    size_t   i;
    static const struct {
        size_t       len;
        const char  *text;
        const char  *why;
    } table[] = {
        { 3, "a b", NULL }, { 4, "a b\n", NULL }, { 5, "a b\r\n", NULL },
        { 0, "", "must have one line, the password" },
        { 1, "\n", "must have one line, the password" },
        { 4, "a\nb\n", "must have one line, the password" },
        { 3, "a\0b", "must have one line, the password" },
        { 1024, NULL, NULL }, { 1026, NULL, "is longer than 1k" },
        { 1200, NULL, "is longer than 1k" },
    };

    assert_true(close(mkstemp(path)) == 0);

    memset(text, 'x', sizeof(text));

    for (i = 0; i < test_count(table); i++) {
        f = fopen(path, "w");
        assert_non_null(f);
        assert_int_equal(fwrite(table[i].text != NULL ? table[i].text : text, 1,
                                table[i].len, f), table[i].len);
        assert_int_equal(fclose(f), 0);

        if (table[i].why != NULL) {
            assert_string_equal(im_link_words_secret(im_str_z(path), line),
                                table[i].why);

        } else {
            assert_null(im_link_words_secret(im_str_z(path), line));
            assert_string_equal(line, i < 3 ? "a b" : line);
            assert_int_equal(strlen(line), i < 3 ? 3 : 1024);
        }
    }

    assert_int_equal(unlink(path), 0);
    assert_string_equal(im_link_words_secret(im_str_z(path), line),
                        "is not there");
    assert_string_equal(im_link_words_secret(im_str_z("/"), line),
                        "can't be read");

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_string_equal(im_link_words_secret(im_str_z(path), line),
                        "must have one line, the password");
    assert_int_equal(unlink(path), 0);
}


static const struct CMUnitTest  tests[] = {
    alloc_test(test_bad),
    alloc_test(test_one),
    alloc_test(test_several),
    alloc_test(test_check),
    alloc_test(test_secret)
};

test_main(tests)
