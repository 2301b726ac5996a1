/*
 * Copyright (C) The im authors
 *
 * The few types that all of im_core shares, and its door to memory.
 *
 * im_core is pure: no nginx, no sockets, no clock, no log, no globals that
 * change.  Results have nginx's values, so that a caller inside nginx can
 * pass them on.
 */

#ifndef IM_TYPES_H
#define IM_TYPES_H


#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>


#define IM_VERSION    "0.1.0"

#define IM_OK         0
#define IM_ERROR     -1
#define IM_AGAIN     -2
#define IM_DECLINED  -5


typedef intptr_t   im_int_t;
typedef uintptr_t  im_uint_t;

/* What messages are framed for: im_wire.h. */
typedef uint32_t   im_wire_id_t;


/* Borrowed bytes: not owned, not ended by NUL. */
typedef struct {
    size_t   len;
    u_char  *data;
} im_str_t;


#define im_str(s)     { sizeof(s) - 1, (u_char *) (s) }
#define im_null_str   { 0, NULL }

/* A number that a macro stands for, as text. */
#define im_text(n)    im_text_of(n)
#define im_text_of(n) #n

#define im_min(a, b)  ((a) < (b) ? (a) : (b))
#define im_max(a, b)  ((a) > (b) ? (a) : (b))


static inline im_str_t
im_str_set(const void *data, size_t len)
{
    im_str_t  s;

    s.len = len;
    s.data = (u_char *) data;

    return s;
}


static inline im_str_t
im_str_z(const char *z)
{
    return im_str_set(z, strlen(z));
}


static inline int
im_str_eq(im_str_t a, im_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


static inline im_uint_t
im_str_begins(im_str_t s, im_str_t with)
{
    return s.len >= with.len && im_str_eq(im_str_set(s.data, with.len), with);
}


/*
 * The C library's functions must not get NULL, not even with no bytes; bytes
 * that are not there are NULL here.
 */

/* The end of the copy. */
static inline u_char *
im_copy(void *dst, const void *src, size_t len)
{
    if (len > 0) {
        memcpy(dst, src, len);
    }

    return (u_char *) dst + len;
}


static inline u_char *
im_str_chr(im_str_t s, int c)
{
    return s.len > 0 ? memchr(s.data, c, s.len) : NULL;
}


/* As memcmp(): a shorter one comes before those that begin with it. */
static inline int
im_str_compare(im_str_t a, im_str_t b)
{
    int     rc;
    size_t  len;

    len = im_min(a.len, b.len);
    rc = len == 0 ? 0 : memcmp(a.data, b.data, len);

    return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}


/*
 * im_core takes all its memory from these functions.  The programs link
 * im_alloc.c; unit tests link an allocator that fails on demand.  NULL: no
 * memory.
 */
void *im_alloc(size_t size);
void *im_calloc(size_t size);
void *im_realloc(void *p, size_t size);
void im_free(void *p);


#endif /* IM_TYPES_H */
