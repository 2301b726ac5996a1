/*
 * Copyright (C) The im authors
 *
 * The options that all daemons have.
 */

#include "im_daemon_conf.h"
#include "im_daemon_log.h"
#include "im_link_words.h"


/*
 * The number of words.  They have blanks between, or each has a line feed in
 * front and may have blanks in it.
 */
static im_uint_t
im_daemon_conf_split(const char *value, im_str_t *words)
{
    size_t       len;
    im_uint_t    n;
    const char  *blanks;

    blanks = value[0] == '\n' ? "\n" : " \t\r\n";

    for (n = 0; n < IM_LINK_WORDS; n++) {
        value += strspn(value, blanks);
        len = strcspn(value, blanks);

        if (len == 0) {
            break;
        }

        words[n] = im_str_set(value, len);
        value += len;
    }

    return n;
}


static const char *
im_daemon_conf_parse(im_link_words_t *w, const char *value, im_str_t *at)
{
    im_str_t  words[IM_LINK_WORDS];

    return im_link_words_parse(w, words, im_daemon_conf_split(value, words),
                               IM_DAEMON_LINK_TIMEOUT, at);
}


const char *
im_daemon_conf_redis(const char *value, im_str_t *at)
{
    im_link_words_t  w;

    return im_daemon_conf_parse(&w, value, at);
}


const char *
im_daemon_conf_prefix(const char *value)
{
    return im_prefix_valid(im_str_z(value))
           ? NULL : "must be 1 to 32 printable bytes without \"{}\" and spaces";
}


const char *
im_daemon_conf_log(const char *value)
{
    return im_daemon_log_level(value)
           ? NULL : "must be error, warn, notice, info or debug";
}


/* An option of its own in the place of a word. */
static im_int_t
im_daemon_conf_take(im_str_t *word, const char *option, const char *name)
{
    if (option == NULL) {
        return IM_OK;
    }

    if (word->len > 0) {
        im_daemon_log(IM_LOG_ERROR, "redis has a word for what redis-%s says "
                      "too: leave one out", name);
        return IM_ERROR;
    }

    *word = im_str_z(option);

    return IM_OK;
}


static im_int_t
im_daemon_conf_number(uint64_t *word, uint64_t option, const char *name)
{
    if (option != 0 && *word != 0 && *word != option) {
        im_daemon_log(IM_LOG_ERROR, "redis has another %s= than the option "
                      "says: leave one out", name);
        return IM_ERROR;
    }

    *word = im_max(*word, option);

    return IM_OK;
}


/* The only line of a file; option: that names it, or NULL where a word does. */
static im_int_t
im_daemon_conf_secret(im_str_t *password, im_str_t file, char *line,
    const char *option, const char *word)
{
    const char                      *why;
    static const im_daemon_place_t   args = { NULL, 0 };

    why = file.len > 0 ? im_link_words_secret(file, line) : NULL;

    if (why == NULL) {
        *password = file.len > 0 ? im_str_z(line) : *password;
        return IM_OK;
    }

    if (option != NULL) {
        im_daemon_option_fault(&args, "redis-password-file", option, why);

    } else {
        im_daemon_log(IM_LOG_ERROR, "redis: \"%s=%.*s\" %s", word,
                      (int) file.len, (char *) file.data, why);
    }

    return IM_ERROR;
}


/* Options of their own join the words. */
static im_int_t
im_daemon_conf_merge(im_daemon_conf_t *conf, im_link_words_t *w)
{
    im_link_conf_t  *link;

    link = &w->link;

    if (im_daemon_conf_take(&link->user, conf->user, "user") != IM_OK
        || im_daemon_conf_take(&link->password, conf->password, "password")
           != IM_OK
        || im_daemon_conf_take(&w->password_file, conf->password_file,
                               "password-file") != IM_OK
        || im_daemon_conf_number(&link->db, conf->link.db, "db") != IM_OK
        || im_daemon_conf_number(&link->partitions, conf->link.partitions,
                                 "partitions") != IM_OK)
    {
        return IM_ERROR;
    }

    if (conf->prefix != NULL) {
        link->prefix = im_str_z(conf->prefix);
    }

    return IM_OK;
}


static im_int_t
im_daemon_conf_check(const im_daemon_conf_t *conf, const im_link_words_t *w)
{
    const char  *why;

    why = im_link_words_check(w);

    if (why == NULL) {
        return IM_OK;
    }

    if (conf->password != NULL && conf->password_file != NULL) {
        why = "there are redis-password and redis-password-file: leave one "
              "out";

    } else if (conf->user != NULL && w->link.password.len == 0
               && w->password_file.len == 0)
    {
        why = "redis-user has no password: add redis-password-file";

    } else {
        im_daemon_log(IM_LOG_ERROR, "redis %s", why);
        return IM_ERROR;
    }

    im_daemon_log(IM_LOG_ERROR, "%s", why);

    return IM_ERROR;
}


static im_int_t
im_daemon_conf_tls(im_link_words_t *w)
{
    im_link_tls_fault_t  fault;

    if (!w->use_tls) {
        return IM_OK;
    }

    w->link.tls = im_link_tls_ctx_create(&w->tls, &fault);

    if (fault.why[0] != '\0') {
        im_daemon_log(w->link.tls != NULL ? IM_LOG_WARN : IM_LOG_ERROR,
                      "redis: \"%s%.*s\" %s", fault.word, (int) fault.file.len,
                      (char *) fault.file.data, fault.why);
    }

    return w->link.tls != NULL ? IM_OK : IM_ERROR;
}


im_int_t
im_daemon_conf_init(im_daemon_conf_t *conf)
{
    im_str_t         at;
    im_link_words_t  w;

    (void) im_daemon_log_level(conf->log != NULL ? conf->log : "notice");

    (void) im_daemon_conf_parse(&w, conf->redis != NULL
                                    ? conf->redis : IM_DAEMON_LINK_ADDRESS,
                                &at);

    if (im_daemon_conf_merge(conf, &w) != IM_OK
        || im_daemon_conf_check(conf, &w) != IM_OK
        || im_daemon_conf_secret(&w.link.password, w.password_file,
                                 conf->secret, conf->password_file,
                                 "password_file") != IM_OK
        || im_daemon_conf_secret(&w.link.sentinel_password,
                                 w.sentinel_password_file,
                                 conf->sentinel_secret, NULL,
                                 "sentinel_password_file") != IM_OK
        || im_daemon_conf_tls(&w) != IM_OK)
    {
        return IM_ERROR;
    }

    conf->link = w.link;

    return IM_OK;
}


void
im_daemon_conf_cleanup(im_daemon_conf_t *conf)
{
    if (conf->link.tls != NULL) {
        im_link_tls_ctx_destroy(conf->link.tls);
        conf->link.tls = NULL;
    }
}
