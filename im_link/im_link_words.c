/*
 * Copyright (C) The im authors
 *
 * The words that say where Redis is and how to speak to it.
 */

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "im_key.h"
#include "im_near.h"
#include "im_link_words.h"


#define IM_LINK_WORDS_PORT      6379
#define IM_LINK_WORDS_SENTINEL  26379
#define IM_LINK_WORDS_MASTER    128          /* bytes of its name */
#define IM_LINK_WORDS_PATH      4096
#define IM_LINK_WORDS_DB        1000000
#define IM_LINK_WORDS_TIME      86400000     /* ms */
#define IM_LINK_WORDS_TIMEOUT   3600000
#define IM_LINK_WORDS_REFRESH   600000

#define IM_LINK_WORDS_NONE      "is empty"
#define IM_LINK_WORDS_PREFIX    "must be 1 to 32 printable bytes without "    \
                                "\"{}\" and spaces"


typedef enum {
    IM_WORD_TEXT = 0,
    IM_WORD_SECRET,
    IM_WORD_NUMBER,
    IM_WORD_TIME,            /* ms */
    IM_WORD_SWITCH           /* on, off */
} im_link_word_e;


/* Rows of the table below. */
typedef enum {
    IM_WORD_USER = 0,
    IM_WORD_PASSWORD_FILE,
    IM_WORD_PASSWORD,
    IM_WORD_SENTINEL_USER,
    IM_WORD_SENTINEL_PASSWORD_FILE,
    IM_WORD_SENTINEL_PASSWORD,
    IM_WORD_TLS,
    IM_WORD_CA,
    IM_WORD_CERT,
    IM_WORD_KEY,
    IM_WORD_NAME,
    IM_WORD_DB,
    IM_WORD_PREFIX,
    IM_WORD_PARTITIONS,
    IM_WORD_TIMEOUT,
    IM_WORD_REFRESH,
    IM_WORDS
} im_link_word_row_e;


typedef struct {
    im_str_t         name;       /* with "=" */
    im_link_word_e   type;
    size_t           offset;     /* in im_link_words_t */
    uint64_t         min;
    uint64_t         max;
    const char      *cure;
    const char      *near;       /* of a word that may stand for it */
} im_link_word_t;

#define im_link_word(n, type, member, min, max, cure)                         \
    { im_str(n), IM_WORD_##type, offsetof(im_link_words_t, member), min, max, \
      cure, "is unknown: do you mean " n "?" }


static const im_link_word_t  im_link_words[] = {
    [IM_WORD_USER] = im_link_word("user=", TEXT, link.user, 0, 0,
        IM_LINK_WORDS_NONE),
    [IM_WORD_PASSWORD_FILE] = im_link_word("password_file=", TEXT,
        password_file, 0, 0,
        "is empty: name a file with the password in it"),
    [IM_WORD_PASSWORD] = im_link_word("password=", SECRET, link.password, 0, 0,
        IM_LINK_WORDS_NONE),
    [IM_WORD_SENTINEL_USER] = im_link_word("sentinel_user=", TEXT,
        link.sentinel_user, 0, 0, IM_LINK_WORDS_NONE),
    [IM_WORD_SENTINEL_PASSWORD_FILE] = im_link_word("sentinel_password_file=",
        TEXT, sentinel_password_file, 0, 0,
        "is empty: name a file with the password in it"),
    [IM_WORD_SENTINEL_PASSWORD] = im_link_word("sentinel_password=", SECRET,
        link.sentinel_password, 0, 0, IM_LINK_WORDS_NONE),
    [IM_WORD_TLS] = im_link_word("tls=", SWITCH, use_tls, 0, 0,
        "must be on or off"),
    [IM_WORD_CA] = im_link_word("ca=", TEXT, tls.ca, 0, 0,
        "is empty: name a file with the certificates of CAs"),
    [IM_WORD_CERT] = im_link_word("cert=", TEXT, tls.cert, 0, 0,
        "is empty: name a file with our certificate"),
    [IM_WORD_KEY] = im_link_word("key=", TEXT, tls.key, 0, 0,
        "is empty: name a file with the key of our certificate"),
    [IM_WORD_NAME] = im_link_word("name=", TEXT, tls.name, 0, 0,
        "is empty: name the host that servers' certificates are for"),
    [IM_WORD_DB] = im_link_word("db=", NUMBER, link.db, 0, IM_LINK_WORDS_DB,
        "must be a number from 0 to " im_text(IM_LINK_WORDS_DB)),
    [IM_WORD_PREFIX] = im_link_word("prefix=", TEXT, link.prefix, 0, 0,
        IM_LINK_WORDS_PREFIX),
    [IM_WORD_PARTITIONS] = im_link_word("partitions=", NUMBER, link.partitions,
        1, IM_PARTITIONS_MAX, "must be from 1 to " im_text(IM_PARTITIONS_MAX)),
    [IM_WORD_TIMEOUT] = im_link_word("timeout=", TIME, link.timeout, 1,
        IM_LINK_WORDS_TIMEOUT, "must be a time from 1ms to 1h"),
    [IM_WORD_REFRESH] = im_link_word("refresh=", TIME, refresh, 1000,
        IM_LINK_WORDS_TIME, "must be a time from 1s to 24h")
};


/* What a word needs beside it: one of two others. */
static const struct {
    im_link_word_row_e   row;
    im_link_word_row_e   needs;
    im_link_word_row_e   instead;
    const char          *why;
} im_link_words_needs[] = {
    { IM_WORD_CERT, IM_WORD_KEY, IM_WORD_KEY, "has no key: add key=" },
    { IM_WORD_KEY, IM_WORD_CERT, IM_WORD_CERT, "has no certificate: add "
      "cert=" },
    { IM_WORD_SENTINEL_USER, IM_WORD_SENTINEL_PASSWORD_FILE,
      IM_WORD_SENTINEL_PASSWORD, "has no password: add "
      "sentinel_password_file=" }
};

#define IM_LINK_WORDS_NEEDS                                                   \
    (sizeof(im_link_words_needs) / sizeof(im_link_words_needs[0]))


/* Digits and units, such as 1m30s; seconds without one.  0: not a time. */
static int
im_link_words_time(im_str_t s, uint64_t *ms)
{
    size_t     i, from;
    uint64_t   n;
    im_uint_t  k, next;
    im_str_t   unit;
    static const struct {
        im_str_t   name;
        uint64_t   ms;
    } units[] = {
        { im_str("d"), 86400000 }, { im_str("h"), 3600000 },
        { im_str("m"), 60000 }, { im_str(""), 1000 }, { im_str("s"), 1000 },
        { im_str("ms"), 1 }
    };

    *ms = 0;
    next = 0;

    for (i = 0; i < s.len || i == 0; /* void */ ) {
        from = i;
        while (i < s.len && s.data[i] >= '0' && s.data[i] <= '9') {
            i++;
        }

        if (i - from > 12
            || im_decimal_decode(im_str_set(s.data + from, i - from), &n)
               != IM_OK)
        {
            return 0;
        }

        from = i;
        while (i < s.len && (s.data[i] < '0' || s.data[i] > '9')) {
            i++;
        }

        unit = im_str_set(s.data + from, i - from);

        for (k = next; k < sizeof(units) / sizeof(units[0]); k++) {
            if (im_str_eq(units[k].name, unit)) {
                break;
            }
        }

        if (k == sizeof(units) / sizeof(units[0])) {
            return 0;
        }

        *ms += n * units[k].ms;
        next = k + 1;
    }

    return 1;
}


/* 0: the value is not a good one. */
static int
im_link_words_set(im_link_words_t *w, const im_link_word_t *word,
    im_str_t value)
{
    void      *field;
    uint64_t   n;

    field = (u_char *) w + word->offset;
    n = 0;

    switch (word->type) {

    case IM_WORD_TEXT:
    case IM_WORD_SECRET:
        *(im_str_t *) field = value;
        return value.len > 0;

    case IM_WORD_SWITCH:
        n = im_str_eq(value, im_str_z("on"));
        *(uint64_t *) field = n;
        return n || im_str_eq(value, im_str_z("off"));

    case IM_WORD_NUMBER:
        if (im_decimal_decode(value, &n) != IM_OK) {
            return 0;
        }

        break;

    case IM_WORD_TIME:
        if (!im_link_words_time(value, &n)) {
            return 0;
        }
    }

    *(uint64_t *) field = n;

    return n >= word->min && n <= word->max;
}


/* Two texts may mean the same, and the case of a name doesn't matter. */
static int
im_link_words_same(const im_addr_t *a, const im_addr_t *b)
{
    if (a->type != b->type || a->port != b->port) {
        return 0;
    }

    if (a->type == IM_ADDR_IPV4 || a->type == IM_ADDR_IPV6) {
        return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
    }

    return a->host.len == b->host.len
           && strncasecmp((char *) a->host.data, (char *) b->host.data,
                          a->host.len) == 0;
}


static const char *
im_link_words_address(im_link_words_t *w, im_str_t text)
{
    im_uint_t        i;
    const char      *why;
    im_link_conf_t  *conf;
    im_link_seed_t  *seed;

    conf = &w->link;

    if (im_str_eq(text, im_str_z("cluster"))) {
        return "must be the first word";
    }

    if (conf->nseeds > 0 && conf->kind == IM_LINK_ONE) {
        return "is one server too many: begin with \"cluster\" or "
               "\"sentinel=NAME\" where there are several; or is a \";\" "
               "missing?";
    }

    if (conf->nseeds == IM_LINK_SEEDS) {
        return "is one too many: leave it out, as " im_text(IM_LINK_SEEDS)
               " are enough to find the others";
    }

    seed = &conf->seeds[conf->nseeds];
    seed->name = text;

    why = im_addr_parse(&seed->addr, text, IM_ADDR_CONNECT,
                        conf->kind == IM_LINK_SENTINEL
                        ? IM_LINK_WORDS_SENTINEL : IM_LINK_WORDS_PORT);
    if (why != NULL) {
        return why;
    }

    if (conf->kind != IM_LINK_ONE && seed->addr.type == IM_ADDR_UNIX) {
        return "is a unix socket, and servers tell each other's hosts and "
               "ports: use HOST:PORT";
    }

    for (i = 0; i < conf->nseeds; i++) {
        if (im_link_words_same(&conf->seeds[i].addr, &seed->addr)) {
            return "is there twice";
        }
    }

    conf->nseeds++;

    return NULL;
}


/* As Sentinel takes it. */
static const char *
im_link_words_master(im_str_t name)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '.' && c != '-' && c != '_')
        {
            break;
        }
    }

    return i == name.len && i > 0 && i <= IM_LINK_WORDS_MASTER
           ? NULL : "must name the master as the sentinels do: letters, digits "
                    "and \".-_\"";
}


/* The first word; 0: it is another one. */
static int
im_link_words_kind(im_link_words_t *w, im_str_t word, const char **why)
{
    static const im_str_t  sentinel = im_str("sentinel=");

    if (im_str_eq(word, im_str_z("cluster"))) {
        w->link.kind = IM_LINK_CLUSTER;
        return 1;
    }

    if (im_str_begins(word, sentinel)) {
        w->link.kind = IM_LINK_SENTINEL;
        w->link.master = im_str_set(word.data + sentinel.len,
                                    word.len - sentinel.len);
        *why = im_link_words_master(w->link.master);
        return 1;
    }

    return 0;
}


/* IM_WORDS: it is none of them. */
static im_uint_t
im_link_words_row(im_str_t word)
{
    im_uint_t  row;

    for (row = 0; row < IM_WORDS; row++) {
        if (im_str_begins(word, im_link_words[row].name)) {
            break;
        }
    }

    return row;
}


/*
 * What is shown of a word: no password, not even that of a URL, or of a word
 * that is spelled wrong.
 */
static im_str_t
im_link_words_shown(im_str_t word)
{
    im_uint_t      row;
    const u_char  *end;

    row = im_link_words_row(word);

    if (row < IM_WORDS) {
        return im_link_words[row].type == IM_WORD_SECRET
               ? im_link_words[row].name : word;
    }

    if (im_str_begins(word, im_str_z("sentinel="))
        || im_str_begins(word, im_str_z("unix:")))
    {
        return word;
    }

    end = im_str_chr(word, im_str_chr(word, '@') != NULL ? ':' : '=');

    return end != NULL
           ? im_str_set(word.data, (size_t) (end + 1 - word.data)) : word;
}


/* The word that was meant, or all. */
static const char *
im_link_words_unknown(im_str_t word)
{
    im_uint_t    row;
    im_near_t    near;
    const char  *why;

    why = "is unknown; there are " IM_LINK_WORDS_LIST;

    word.len = (size_t) (im_str_chr(word, '=') + 1 - word.data);
    im_near_init(&near, word);

    for (row = 0; row < IM_WORDS; row++) {
        im_near_try(&near, im_link_words[row].name);

        if (near.found.data == im_link_words[row].name.data) {
            why = im_link_words[row].near;
        }
    }

    return why;
}


static const char *
im_link_words_one(im_link_words_t *w, im_str_t word,
    im_str_t given[IM_WORDS])
{
    im_uint_t              row;
    const im_link_word_t  *found;

    row = im_link_words_row(word);

    if (row < IM_WORDS) {
        found = &im_link_words[row];

        if (given[row].len > 0) {
            return "is there twice";
        }

        given[row] = word;

        return im_link_words_set(w, found, im_str_set(word.data
                                                      + found->name.len,
                                                      word.len
                                                      - found->name.len))
               ? NULL : found->cure;
    }

    if (im_str_begins(word, im_str_z("sentinel="))) {
        return "must be the first word";
    }

    if (im_str_chr(word, '=') != NULL
        && !im_str_begins(word, im_str_z("unix:")))
    {
        return im_link_words_unknown(word);
    }

    return im_link_words_address(w, word);
}


/* Words that have no effect, or lack another one. */
static const char *
im_link_words_lack(const im_link_words_t *w, const im_str_t given[IM_WORDS],
    im_str_t *at)
{
    im_uint_t  i, row;

    for (row = IM_WORD_SENTINEL_USER; row <= IM_WORD_SENTINEL_PASSWORD; row++) {
        *at = im_link_words_shown(given[row]);

        if (at->len > 0 && w->link.kind != IM_LINK_SENTINEL) {
            return "is for sentinels alone: begin with \"sentinel=NAME\"";
        }
    }

    for (row = IM_WORD_CA; row <= IM_WORD_NAME; row++) {
        *at = given[row];

        if (at->len > 0 && !w->use_tls) {
            return "has no effect without tls=on: add it";
        }
    }

    for (i = 0; i < IM_LINK_WORDS_NEEDS; i++) {
        *at = given[im_link_words_needs[i].row];

        if (at->len > 0 && given[im_link_words_needs[i].needs].len == 0
            && given[im_link_words_needs[i].instead].len == 0)
        {
            return im_link_words_needs[i].why;
        }
    }

    return NULL;
}


/* A host without a port; an address loses its brackets. */
static int
im_link_words_host(im_str_t *name)
{
    size_t     brackets;
    im_addr_t  addr;

    if (im_addr_parse(&addr, *name, IM_ADDR_CONNECT, 1) != NULL) {
        return 0;
    }

    brackets = addr.type == IM_ADDR_IPV6 ? 2 : 0;

    if (addr.host.len + brackets != name->len) {
        return 0;
    }

    *name = addr.host;

    return 1;
}


/* Good words that don't go together. */
static const char *
im_link_words_fit(im_link_words_t *w, const im_str_t given[IM_WORDS],
    im_str_t *at)
{
    im_link_conf_t  *conf;

    conf = &w->link;

    *at = given[IM_WORD_PREFIX];

    if (!im_prefix_valid(conf->prefix)) {
        return IM_LINK_WORDS_PREFIX;
    }

    *at = given[IM_WORD_TLS];

    if (w->use_tls && conf->seeds[0].addr.type == IM_ADDR_UNIX) {
        return "can't be used: Redis has no TLS at a unix socket";
    }

    *at = given[IM_WORD_NAME];

    if (at->len > 0 && !im_link_words_host(&w->tls.name)) {
        return "is no host: use a name or an address, without a port";
    }

    return NULL;
}


static const char *
im_link_words_without(im_link_kind_e kind)
{
    static const char *const  whys[] = {
        [IM_LINK_ONE] = "has no address: name the server by HOST:PORT or "
                        "unix:/PATH",
        [IM_LINK_SENTINEL] = "has no address: name all sentinels by HOST:PORT",
        [IM_LINK_CLUSTER] = "has no address: name some nodes of the cluster by "
                            "HOST:PORT (a host called \"cluster\" needs its "
                            "port)"
    };

    return whys[kind];
}


const char *
im_link_words_parse(im_link_words_t *w, const im_str_t *words, im_uint_t n,
    uint64_t ms, im_str_t *at)
{
    im_str_t     given[IM_WORDS];
    im_uint_t    i;
    const char  *why;

    memset(w, 0, sizeof(im_link_words_t));
    memset(given, 0, sizeof(given));

    w->link.timeout = ms;
    w->link.prefix = im_str_z("im:");
    w->refresh = IM_LINK_WORDS_REFRESH;

    why = NULL;

    for (i = 0; i < n; i++) {
        if (i > 0 || !im_link_words_kind(w, words[i], &why)) {
            why = im_link_words_one(w, words[i], given);
        }

        if (why != NULL) {
            *at = im_link_words_shown(words[i]);
            return why;
        }
    }

    *at = im_str_set(NULL, 0);

    if (w->link.nseeds == 0) {
        return im_link_words_without(w->link.kind);
    }

    why = im_link_words_lack(w, given, at);

    return why != NULL ? why : im_link_words_fit(w, given, at);
}


const char *
im_link_words_check(const im_link_words_t *w)
{
    const im_link_conf_t  *conf;

    conf = &w->link;

    if (conf->password.len > 0 && w->password_file.len > 0) {
        return "has password= and password_file=: leave one out";
    }

    if (conf->sentinel_password.len > 0 && w->sentinel_password_file.len > 0) {
        return "has sentinel_password= and sentinel_password_file=: leave one "
               "out";
    }

    if (conf->user.len > 0 && conf->password.len == 0
        && w->password_file.len == 0)
    {
        return "has user= but no password: add password_file=";
    }

    if (conf->db != 0 && conf->kind == IM_LINK_CLUSTER) {
        return "has a db= that can't be used: a cluster has database 0 alone; "
               "prefix= keeps programs apart";
    }

    return NULL;
}


const char *
im_link_words_secret(im_str_t file, char *line)
{
    int      fd;
    char     text[IM_LINK_SECRET + 3], path[IM_LINK_WORDS_PATH];
    size_t   len;
    ssize_t  n;

    if (file.len >= IM_LINK_WORDS_PATH) {
        return "is too long a path";
    }

    (void) im_copy(path, file.data, file.len);
    path[file.len] = '\0';

    fd = open(path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        return errno == ENOENT ? "is not there" : "can't be read";
    }

    n = read(fd, text, sizeof(text));

    (void) close(fd);

    if (n == -1) {
        return "can't be read";
    }

    len = (size_t) n;
    len -= len > 0 && text[len - 1] == '\n';
    len -= len > 0 && text[len - 1] == '\r';

    if (len > IM_LINK_SECRET) {
        return "is longer than 1k";
    }

    if (len == 0 || memchr(text, '\n', len) != NULL
        || memchr(text, '\0', len) != NULL)
    {
        return "must have one line, the password";
    }

    memcpy(line, text, len);
    line[len] = '\0';

    return NULL;
}
