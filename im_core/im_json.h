/*
 * Copyright (C) The im authors
 *
 * JSON in (table-driven, on yajl) and out.  No other file uses yajl.
 *
 * Decoded strings live in the arena given (an im_buf_t whose memory is
 * reserved up front to the input's length, so that it does not move); RAW
 * values borrow from the text.
 */

#ifndef IM_JSON_H
#define IM_JSON_H


#include "im_types.h"
#include "im_buf.h"


#define IM_JSON_MAX_DEPTH  32


typedef enum {
    IM_JSON_STRING,      /* im_str_t; null changes nothing */
    IM_JSON_INT,         /* int64_t */
    IM_JSON_BOOL,        /* int */
    IM_JSON_RAW,         /* im_str_t: the bytes of any value */
    IM_JSON_STRINGS,     /* im_json_strings_t */
    IM_JSON_OBJECT,      /* im_str_t: the bytes of an object */
    IM_JSON_RAWS,        /* im_json_strings_t: the bytes of values */
    IM_JSON_BYTES,       /* im_str_t: any bytes, of a value if they are one */
    IM_JSON_BASE64       /* im_str_t: any bytes, as a string in base64 */
} im_json_type_e;


typedef struct {
    im_str_t    *elts;   /* freed by im_json_strings_free() */
    im_uint_t    n;
    im_uint_t    max;    /* set by the caller before decoding */
} im_json_strings_t;


typedef struct {
    im_str_t         name;
    im_json_type_e   type;
    size_t           offset;     /* of the member in the destination */
} im_json_field_t;

#define im_json_end  { im_null_str, 0, 0 }

/* A row for a member of struct s that has the field's name, or another one. */
#define im_json_row(s, type, name)                                            \
    im_json_row_as(s, type, #name, name)
#define im_json_row_as(s, type, name, member)                                 \
    { im_str(name), IM_JSON_##type, offsetof(s, member) }

/* names match in any case, as in Go's decoder; an exact match wins */
#define IM_JSON_ANY_CASE  1
/* a member of the wrong type is no error and changes nothing */
#define IM_JSON_LAX       2
/* a member that is null counts as not given, whatever its type */
#define IM_JSON_NULLS     4


/*
 * Decodes one object into dst by the table; unknown members are skipped, the
 * last of a repeated name wins.  arena may be NULL where no string is asked
 * for; room for text.len bytes is made in it at once, so that it moves at most
 * before the first string.  IM_ERROR: not one complete JSON object, too deep,
 * wrong type, too many elements; *why is static text.  The lists in dst are
 * freed then.
 */
im_int_t im_json_decode(im_str_t text, const im_json_field_t *fields,
    im_uint_t flags, im_buf_t *arena, void *dst, const char **why);

void im_json_strings_free(im_json_strings_t *strings);

/*
 * Appends src as one object, by the same table.  Left out are strings without
 * data and lists without elements (NULL; empty ones are written), empty raw
 * values, numbers and booleans below 0, and BYTES that can't be embedded.  Of a
 * row BYTES and a row BASE64 behind it for the same member, one is written.
 */
void im_json_encode(im_buf_t *b, const im_json_field_t *fields,
    const void *src);

/*
 * Walks the members of an object that an IM_JSON_OBJECT or a RAW member has
 * given (so that it is known to be valid): *at is 0 for the first one.  The
 * name is decoded into the arena, value is its bytes as they came.
 * IM_DECLINED: no more; IM_ERROR: no memory.
 */
im_int_t im_json_next_member(im_str_t object, size_t *at, im_buf_t *arena,
    im_str_t *name, im_str_t *value);

/* The same, and a value that is a string is decoded, too. */
im_int_t im_json_next_pair(im_str_t object, size_t *at, im_buf_t *arena,
    im_str_t *name, im_str_t *value);

/*
 * The same for an array of strings.  IM_DECLINED: no more; IM_ERROR: no memory,
 * or not a string.
 */
im_int_t im_json_next_string(im_str_t array, size_t *at, im_buf_t *arena,
    im_str_t *s);

/*
 * The next one of objects that stand one after another, with or without white
 * space between them; *at is 0 for the first one.  Only its end is found: it
 * may hold anything.  IM_DECLINED: no more; IM_ERROR: *at is no object, or it
 * has no end.
 */
im_int_t im_json_next_object(im_str_t text, size_t *at, im_str_t *object);

/* Some values of *why: memory, not the text, was the problem, and others. */
extern const char  im_json_no_memory[];
extern const char  im_json_no_object[];
extern const char  im_json_too_many[];
extern const char  im_json_too_deep[];     /* IM_JSON_MAX_DEPTH */

/* About how many bytes of an invalid text are good. */
size_t im_json_fault(im_str_t text);

/* One complete, valid JSON value (RFC 8259) and nothing behind it. */
int im_json_valid(im_str_t text);

/* The same.  IM_DECLINED: not valid; IM_ERROR: no memory. */
im_int_t im_json_check(im_str_t text);

/* An object can hold these very bytes as a value. */
int im_json_embeds(im_str_t bytes);

/* Appends a quoted and escaped string; invalid UTF-8 becomes U+FFFD. */
void im_json_add_string(im_buf_t *b, im_str_t s);

/* Bytes as a string in base64. */
void im_json_add_base64(im_buf_t *b, im_str_t bytes);


#endif /* IM_JSON_H */
