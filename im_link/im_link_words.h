/*
 * Copyright (C) The im authors
 *
 * The words that say where Redis is and how to speak to it: of im_redis, and of
 * the daemons.
 *
 *     ADDRESS                             one server
 *     sentinel=NAME ADDRESS ...           the master of that name
 *     cluster ADDRESS ...                 masters that share the slots
 *
 * followed by user=, password= and so on.
 */

#ifndef IM_LINK_WORDS_H
#define IM_LINK_WORDS_H


#include "im_link_transport.h"


#define IM_LINK_WORDS       64       /* at most, in one place */
#define IM_LINK_SECRET      1024     /* bytes of a password */

#define IM_LINK_WORDS_LIST                                                    \
    "user= password_file= password= sentinel_user= sentinel_password_file= "  \
    "sentinel_password= tls= ca= cert= key= name= db= prefix= partitions= "   \
    "timeout= refresh="


/* Borrowed from the words. */
typedef struct {
    im_link_conf_t       link;       /* the caller sets tls, and passwords of
                                        files */
    im_str_t             password_file;
    im_str_t             sentinel_password_file;
    im_link_tls_conf_t   tls;
    uint64_t             use_tls;
    uint64_t             refresh;    /* ms, of workers */
} im_link_words_t;


/*
 * Sets *w, with ms as its timeout where no word says another.  NULL: good; else
 * what is wrong and the cure, to follow the word *at in a message.  *at is NULL
 * where none is wrong by itself, and has no password in it.
 */
const char *im_link_words_parse(im_link_words_t *w, const im_str_t *words,
    im_uint_t n, uint64_t ms, im_str_t *at);

/* Of words that may come from several places. */
const char *im_link_words_check(const im_link_words_t *w);

/*
 * The only line of a file, of at most IM_LINK_SECRET bytes.  NULL, or what is
 * wrong with it.
 */
const char *im_link_words_secret(im_str_t file, char *line);


#endif /* IM_LINK_WORDS_H */
