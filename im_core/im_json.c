/*
 * Copyright (C) The im authors
 *
 * JSON on top of yajl.
 *
 * yajl is kept on purpose: operators and packagers know it and review it.  A
 * scanner of our own would be about as long as this wrapper.
 *
 * yajl 2.1 accepts more than RFC 8259 allows: it takes vertical tabs and form
 * feeds for white space, accepts an unfinished token after the value, does not
 * detect overlong UTF-8, and decodes a lone surrogate to invalid UTF-8.
 * Therefore the text is checked before and after yajl, and strings are decoded
 * here.  yajl does not check its allocations, so the allocator given to it
 * jumps out instead of returning NULL.
 */

#include <setjmp.h>

#include <yajl/yajl_parse.h>

#include "im_json.h"
#include "im_base64.h"
#include "im_list.h"
#include "im_utf8.h"


/* Levels of what a value may be embedded in. */
#define IM_JSON_SPARE  4


/* Stands before each block of yajl, so that all can be freed after a jump. */
typedef struct {
    im_list_t  link;
    size_t     size;
} im_json_block_t;


typedef struct {
    im_str_t                text;
    const im_json_field_t  *fields;      /* NULL: only a check */
    im_uint_t               flags;
    im_buf_t               *arena;
    u_char                 *dst;
    const char             *why;         /* not NULL: failed */
    const im_json_field_t  *field;       /* of the member under way, or NULL */
    im_uint_t               depth;
    im_uint_t               spare;       /* levels that are left free */
    size_t                  start;       /* of that member's value */
    size_t                  end;         /* behind the whole value */
    yajl_handle             handle;
    im_list_t               blocks;
    jmp_buf                 no_memory;
    unsigned                done:1;      /* the whole value was there */
    unsigned                flushing:1;  /* all of the text has been fed */
} im_json_t;


/* IM_DECLINED: the wrong type; IM_ERROR: json->why is set. */
typedef im_int_t (*im_json_set_pt)(im_json_t *json, im_str_t value, void *dst);


/* The first byte of a value gives its type. */
typedef struct {
    const char      *first;      /* NULL: any */
    im_json_set_pt   set;
} im_json_setter_t;


const char  im_json_no_memory[] = "no memory";
const char  im_json_no_object[] = "not a JSON object";
const char  im_json_too_many[] = "too many elements";
const char  im_json_too_deep[] = "nested deeper than 32 levels";


static u_char *
im_json_utf8(u_char *dst, uint32_t c)
{
    if (c < 0x80) {
        *dst++ = (u_char) c;
        return dst;
    }

    if (c < 0x800) {
        *dst++ = (u_char) (0xc0 | c >> 6);
        *dst++ = (u_char) (0x80 | (c & 0x3f));
        return dst;
    }

    if (c < 0x10000) {
        *dst++ = (u_char) (0xe0 | c >> 12);

    } else {
        *dst++ = (u_char) (0xf0 | c >> 18);
        *dst++ = (u_char) (0x80 | (c >> 12 & 0x3f));
    }

    *dst++ = (u_char) (0x80 | (c >> 6 & 0x3f));
    *dst++ = (u_char) (0x80 | (c & 0x3f));

    return dst;
}


static uint32_t
im_json_hex(const u_char *p)
{
    uint32_t   n;
    im_uint_t  i;

    n = 0;

    for (i = 0; i < 4; i++) {
        n <<= 4;
        n |= p[i] <= '9' ? (uint32_t) (p[i] - '0')
                         : (uint32_t) ((p[i] | 0x20) - 'a' + 10);
    }

    return n;
}


/* A lone surrogate gives U+FFFD. */
static uint32_t
im_json_code_point(const u_char **src)
{
    uint32_t       c, low;
    const u_char  *p;

    p = *src;
    c = im_json_hex(p + 2);
    *src += 6;

    if (c < 0xd800 || c > 0xdfff) {
        return c;
    }

    /* at least the closing quote follows an escape */
    if (c > 0xdbff || p[6] != '\\' || p[7] != 'u') {
        return 0xfffd;
    }

    low = im_json_hex(p + 8);
    if (low < 0xdc00 || low > 0xdfff) {
        return 0xfffd;
    }

    *src += 6;

    return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}


static u_char *
im_json_unescape(u_char *dst, const u_char **src)
{
    const char  *at;

    static const char  letters[] = "bfnrt";
    static const char  means[] = "\b\f\n\r\t";

    if ((*src)[1] == 'u') {
        return im_json_utf8(dst, im_json_code_point(src));
    }

    at = strchr(letters, (*src)[1]);
    *dst++ = (u_char) (at == NULL ? (*src)[1] : means[at - letters]);
    *src += 2;

    return dst;
}


static im_int_t
im_json_decode_string(im_buf_t *arena, im_str_t quoted, im_str_t *s)
{
    u_char        *start, *dst;
    const u_char  *p, *end;

    start = im_buf_reserve(arena, quoted.len - 2);
    if (start == NULL) {
        return IM_ERROR;
    }

    dst = start;
    p = quoted.data + 1;
    end = quoted.data + quoted.len - 1;

    while (p < end) {
        if (*p == '\\') {
            dst = im_json_unescape(dst, &p);

        } else {
            *dst++ = *p++;
        }
    }

    arena->len -= quoted.len - 2 - (size_t) (dst - start);

    *s = im_str_set(start, (size_t) (dst - start));

    return IM_OK;
}


/* s may have quotes around it. */
static im_int_t
im_json_unquote(im_json_t *json, im_str_t quoted, im_str_t *s)
{
    if (im_json_decode_string(json->arena, quoted, s) != IM_OK) {
        json->why = im_json_no_memory;
        return IM_ERROR;
    }

    return IM_OK;
}


static im_int_t
im_json_set_string(im_json_t *json, im_str_t value, void *dst)
{
    return value.data[0] == 'n' ? IM_OK : im_json_unquote(json, value, dst);
}


static im_int_t
im_json_set_int(im_json_t *json, im_str_t value, void *dst)
{
    size_t     i;
    int64_t    n;
    im_uint_t  negative;

    negative = value.data[0] == '-';
    n = 0;

    /* negative, since INT64_MIN has no positive counterpart */
    for (i = negative; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9'
            || __builtin_mul_overflow(n, 10, &n)
            || __builtin_sub_overflow(n, value.data[i] - '0', &n))
        {
            return IM_DECLINED;
        }
    }

    if (!negative && n == INT64_MIN) {
        return IM_DECLINED;
    }

    *(int64_t *) dst = negative ? n : -n;

    return IM_OK;
}


static im_int_t
im_json_set_bool(im_json_t *json, im_str_t value, void *dst)
{
    *(int *) dst = value.data[0] == 't';

    return IM_OK;
}


static im_int_t
im_json_set_raw(im_json_t *json, im_str_t value, void *dst)
{
    *(im_str_t *) dst = value;

    return IM_OK;
}


static int
im_json_blank(u_char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}


/* Gives the place of the closing quote of the string at `at`. */
static size_t
im_json_string_end(im_str_t text, size_t at)
{
    size_t  i;

    for (i = at + 1; text.data[i] != '"'; i++) {
        if (text.data[i] == '\\') {
            i++;
        }
    }

    return i;
}


/*
 * Finds the next element of an array, or the next member of an object, that is
 * known to be valid; 0: no more.
 */
static int
im_json_next(im_str_t array, size_t *at, im_str_t *element)
{
    size_t     i, start;
    im_uint_t  depth;

    i = *at;

    while (im_json_blank(array.data[i]) || array.data[i] == ',') {
        i++;
    }

    start = i;
    depth = 0;

    while (depth > 0
           || (array.data[i] != ',' && array.data[i] != ']'
               && array.data[i] != '}'))
    {
        if (array.data[i] == '"') {
            i = im_json_string_end(array, i);

        } else if (array.data[i] == '[' || array.data[i] == '{') {
            depth++;

        } else if (array.data[i] == ']' || array.data[i] == '}') {
            depth--;
        }

        i++;
    }

    *at = i;

    while (i > start && im_json_blank(array.data[i - 1])) {
        i--;
    }

    *element = im_str_set(array.data + start, i - start);

    return i > start;
}


/* Replaces the list by the unchanged elements of an array. */
static im_int_t
im_json_set_raws(im_json_t *json, im_str_t array, void *dst)
{
    size_t              at;
    im_str_t            element;
    im_uint_t           n;
    im_json_strings_t  *list = dst;

    im_json_strings_free(list);

    n = 0;
    at = 1;

    while (im_json_next(array, &at, &element)) {
        if (n == list->max) {
            json->why = im_json_too_many;
            return IM_ERROR;
        }

        n++;
    }

    if (n == 0) {
        return IM_OK;
    }

    list->elts = im_alloc(n * sizeof(im_str_t));
    if (list->elts == NULL) {
        json->why = im_json_no_memory;
        return IM_ERROR;
    }

    at = 1;

    while (list->n < n && im_json_next(array, &at, &list->elts[list->n])) {
        list->n++;
    }

    return IM_OK;
}


static im_int_t
im_json_set_strings(im_json_t *json, im_str_t value, void *dst)
{
    size_t              at;
    im_str_t            element;
    im_uint_t           i;
    im_json_strings_t  *list;

    list = dst;

    at = 1;

    while (im_json_next(value, &at, &element)) {
        if (element.data[0] != '"') {
            return IM_DECLINED;
        }
    }

    if (im_json_set_raws(json, value, list) != IM_OK) {
        return IM_ERROR;
    }

    for (i = 0; i < list->n; i++) {
        if (im_json_unquote(json, list->elts[i], &list->elts[i]) != IM_OK) {
            return IM_ERROR;
        }
    }

    return IM_OK;
}


/* The decoded bytes are fewer, and take the place of the text. */
static im_int_t
im_json_set_base64(im_json_t *json, im_str_t value, void *dst)
{
    im_buf_t  b;
    im_str_t  text;

    if (value.data[0] == 'n') {
        return IM_OK;
    }

    if (im_json_unquote(json, value, &text) != IM_OK) {
        return IM_ERROR;
    }

    im_buf_fixed(&b, text.data, text.len);

    return im_base64_decode(&b, text, 0, dst);
}


/* By im_json_type_e. */
static const im_json_setter_t  im_json_setters[] = {
    { "\"n", im_json_set_string },
    { "-0123456789", im_json_set_int },
    { "tf", im_json_set_bool },
    { NULL, im_json_set_raw },
    { "[", im_json_set_strings },
    { "{", im_json_set_raw },
    { "[", im_json_set_raws },
    { NULL, im_json_set_raw },
    { "\"n", im_json_set_base64 }
};


static int
im_json_fail(im_json_t *json, const char *why)
{
    json->why = why;

    return 0;
}


/* The value of a member of the decoded object is complete. */
static int
im_json_member(im_json_t *json)
{
    im_int_t                 rc;
    im_str_t                 value;
    const im_json_field_t   *field;
    const im_json_setter_t  *setter;

    field = json->field;
    if (field == NULL) {
        return 1;
    }

    if (json->flushing) {
        return 0;
    }

    json->field = NULL;

    value = im_str_set(json->text.data + json->start,
                       yajl_get_bytes_consumed(json->handle) - json->start);

    if ((json->flags & IM_JSON_NULLS) && value.data[0] == 'n') {
        return 1;
    }

    setter = &im_json_setters[field->type];

    rc = setter->first == NULL || strchr(setter->first, value.data[0]) != NULL
             ? setter->set(json, value, json->dst + field->offset)
             : IM_DECLINED;

    if (rc == IM_DECLINED && !(json->flags & IM_JSON_LAX)) {
        return im_json_fail(json, "a member has the wrong type");
    }

    return rc != IM_ERROR;
}


static int
im_json_scalar(void *ctx)
{
    im_json_t  *json = ctx;

    if (json->depth == 0) {
        if (json->fields != NULL) {
            return im_json_fail(json, im_json_no_object);
        }

        json->done = 1;
        json->end = json->flushing ? json->text.len
                                   : yajl_get_bytes_consumed(json->handle);
        return 1;
    }

    return json->depth == 1 ? im_json_member(json) : 1;
}


static int
im_json_boolean(void *ctx, int boolean)
{
    return im_json_scalar(ctx);
}


static int
im_json_number(void *ctx, const char *text, size_t len)
{
    return im_json_scalar(ctx);
}


static int
im_json_string(void *ctx, const unsigned char *text, size_t len)
{
    return im_json_scalar(ctx);
}


static int
im_json_open(void *ctx)
{
    im_json_t  *json = ctx;

    if (json->depth == 0 && json->fields != NULL
        && json->text.data[yajl_get_bytes_consumed(json->handle) - 1] != '{')
    {
        return im_json_fail(json, im_json_no_object);
    }

    if (json->depth + json->spare == IM_JSON_MAX_DEPTH) {
        return im_json_fail(json, im_json_too_deep);
    }

    json->depth++;

    return 1;
}


static int
im_json_fold_eq(im_str_t a, im_str_t b)
{
    size_t  i;
    u_char  ca, cb;

    if (a.len != b.len) {
        return 0;
    }

    for (i = 0; i < a.len; i++) {
        ca = a.data[i];
        cb = b.data[i];

        if (ca >= 'A' && ca <= 'Z') {
            ca |= 0x20;
        }

        if (cb >= 'A' && cb <= 'Z') {
            cb |= 0x20;
        }

        if (ca != cb) {
            return 0;
        }
    }

    return 1;
}


static const im_json_field_t *
im_json_field(const im_json_t *json, im_str_t name)
{
    const im_json_field_t  *f;

    for (f = json->fields; f->name.data != NULL; f++) {
        if (im_str_eq(f->name, name)) {
            return f;
        }
    }

    if (!(json->flags & IM_JSON_ANY_CASE)) {
        return NULL;
    }

    for (f = json->fields; f->name.data != NULL; f++) {
        if (im_json_fold_eq(f->name, name)) {
            return f;
        }
    }

    return NULL;
}


static int
im_json_key(void *ctx, const unsigned char *text, size_t len)
{
    size_t      at;
    im_json_t  *json = ctx;

    if (json->depth != 1 || json->fields == NULL) {
        return 1;
    }

    json->field = im_json_field(json, im_str_set(text, len));

    /* yajl reports the end of a token: the value is behind blanks and ':' */
    at = yajl_get_bytes_consumed(json->handle);

    while (at < json->text.len
           && (im_json_blank(json->text.data[at])
               || json->text.data[at] == ':'))
    {
        at++;
    }

    json->start = at;

    return 1;
}


static int
im_json_close(void *ctx)
{
    im_json_t  *json = ctx;

    json->depth--;

    if (json->depth == 0) {
        json->done = 1;
        json->end = yajl_get_bytes_consumed(json->handle);
        return 1;
    }

    return json->depth == 1 ? im_json_member(json) : 1;
}


static yajl_callbacks  im_json_callbacks = {
    im_json_scalar,           /* null */
    im_json_boolean,
    NULL,
    NULL,
    im_json_number,
    im_json_string,
    im_json_open,             /* object */
    im_json_key,
    im_json_close,
    im_json_open,             /* array */
    im_json_close
};


/* A decoded string is never longer than its source: the arena won't move. */
static im_int_t
im_json_arena_init(im_json_t *json)
{
    if (json->arena == NULL) {
        return IM_OK;
    }

    if (im_buf_reserve(json->arena, json->text.len) == NULL) {
        json->why = im_json_no_memory;
        return IM_ERROR;
    }

    json->arena->len -= json->text.len;

    return IM_OK;
}


/* Checks what yajl does not check. */
static int
im_json_text_valid(im_str_t text)
{
    return text.len != 0
           && im_str_chr(text, '\v') == NULL
           && im_str_chr(text, '\f') == NULL
           && im_utf8_valid(text);
}


static void *
im_json_malloc(void *ctx, size_t size)
{
    im_json_t        *json = ctx;
    im_json_block_t  *block;

    block = im_alloc(sizeof(im_json_block_t) + size);
    if (block == NULL) {
        longjmp(json->no_memory, 1);
    }

    block->size = size;
    im_list_insert_tail(&json->blocks, &block->link);

    return block + 1;
}


static void
im_json_free(void *ctx, void *p)
{
    im_json_block_t  *block;

    if (p == NULL) {
        return;
    }

    block = (im_json_block_t *) p - 1;
    im_list_remove(&block->link);
    im_free(block);
}


static void *
im_json_realloc(void *ctx, void *p, size_t size)
{
    void             *fresh;
    im_json_block_t  *block;

    fresh = im_json_malloc(ctx, size);

    if (p != NULL) {
        block = (im_json_block_t *) p - 1;
        memcpy(fresh, p, im_min(block->size, size));
        im_json_free(ctx, p);
    }

    return fresh;
}


static int
im_json_feed(im_json_t *json)
{
    yajl_alloc_funcs  funcs;

    funcs.malloc = im_json_malloc;
    funcs.realloc = im_json_realloc;
    funcs.free = im_json_free;
    funcs.ctx = json;

    json->handle = yajl_alloc(&im_json_callbacks, &funcs, json);

    if (yajl_parse(json->handle, json->text.data, json->text.len)
        != yajl_status_ok)
    {
        json->end = yajl_get_bytes_consumed(json->handle);
        return 0;
    }

    /* only a number that is the whole text is unfinished here */
    json->flushing = 1;

    if (yajl_complete_parse(json->handle) != yajl_status_ok || !json->done) {
        json->end = json->text.len;
        return 0;
    }

    while (json->end < json->text.len) {
        if (!im_json_blank(json->text.data[json->end])) {
            return 0;
        }

        json->end++;
    }

    return 1;
}


static im_int_t
im_json_run(im_json_t *json)
{
    im_json_block_t  *block;

    if (!im_json_text_valid(json->text)) {
        json->why = "not valid JSON";
        return IM_ERROR;
    }

    im_list_init(&json->blocks);

    if (setjmp(json->no_memory) == 0) {
        if (!im_json_feed(json) && json->why == NULL) {
            json->why = "not valid JSON";
        }

    } else {
        json->why = im_json_no_memory;
    }

    while (!im_list_empty(&json->blocks)) {
        block = im_list_data(im_list_first(&json->blocks), im_json_block_t,
                             link);
        im_json_free(json, block + 1);
    }

    return json->why == NULL ? IM_OK : IM_ERROR;
}


im_int_t
im_json_decode(im_str_t text, const im_json_field_t *fields, im_uint_t flags,
    im_buf_t *arena, void *dst, const char **why)
{
    im_json_t               json;
    const im_json_field_t  *f;

    memset(&json, 0, sizeof(im_json_t));

    json.text = text;
    json.fields = fields;
    json.flags = flags;
    json.arena = arena;
    json.dst = dst;

    if (im_json_arena_init(&json) == IM_OK && im_json_run(&json) == IM_OK) {
        return IM_OK;
    }

    for (f = fields; f->name.data != NULL; f++) {
        if (f->type == IM_JSON_STRINGS || f->type == IM_JSON_RAWS) {
            im_json_strings_free((void *) (json.dst + f->offset));
        }
    }

    *why = json.why;

    return IM_ERROR;
}


int
im_json_valid(im_str_t text)
{
    return im_json_check(text) == IM_OK;
}


static im_int_t
im_json_check_spare(im_str_t text, im_uint_t spare)
{
    im_json_t  json;

    memset(&json, 0, sizeof(im_json_t));

    json.text = text;
    json.spare = spare;

    if (im_json_run(&json) == IM_OK) {
        return IM_OK;
    }

    return json.why == im_json_no_memory ? IM_ERROR : IM_DECLINED;
}


im_int_t
im_json_check(im_str_t text)
{
    return im_json_check_spare(text, 0);
}


int
im_json_embeds(im_str_t bytes)
{
    return bytes.len > 0 && !im_json_blank(bytes.data[0])
           && !im_json_blank(bytes.data[bytes.len - 1])
           && im_json_check_spare(bytes, IM_JSON_SPARE) == IM_OK;
}


size_t
im_json_fault(im_str_t text)
{
    im_json_t  json;

    memset(&json, 0, sizeof(im_json_t));

    json.text = text;

    return im_json_run(&json) == IM_OK ? text.len : json.end;
}


void
im_json_strings_free(im_json_strings_t *strings)
{
    im_free(strings->elts);

    strings->elts = NULL;
    strings->n = 0;
}


im_int_t
im_json_next_member(im_str_t object, size_t *at, im_buf_t *arena,
    im_str_t *name, im_str_t *value)
{
    size_t    i;
    im_str_t  member;

    *at = im_max(*at, 1);

    if (!im_json_next(object, at, &member)) {
        return IM_DECLINED;
    }

    i = im_json_string_end(member, 0) + 1;

    if (im_json_decode_string(arena, im_str_set(member.data, i), name)
        != IM_OK)
    {
        return IM_ERROR;
    }

    while (im_json_blank(member.data[i]) || member.data[i] == ':') {
        i++;
    }

    *value = im_str_set(member.data + i, member.len - i);

    return IM_OK;
}


im_int_t
im_json_next_pair(im_str_t object, size_t *at, im_buf_t *arena, im_str_t *name,
    im_str_t *value)
{
    im_int_t  rc;

    rc = im_json_next_member(object, at, arena, name, value);

    return rc != IM_OK || value->data[0] != '"'
           ? rc : im_json_decode_string(arena, *value, value);
}


im_int_t
im_json_next_string(im_str_t array, size_t *at, im_buf_t *arena, im_str_t *s)
{
    im_str_t  element;

    *at = im_max(*at, 1);

    if (!im_json_next(array, at, &element)) {
        return IM_DECLINED;
    }

    return element.data[0] == '"' ? im_json_decode_string(arena, element, s)
                                  : IM_ERROR;
}


/* Behind a string, whose first quote is at *at. */
static size_t
im_json_skip_string(im_str_t text, size_t at)
{
    for (at++; at < text.len && text.data[at] != '"'; at++) {
        if (text.data[at] == '\\') {
            at++;
        }
    }

    return at;
}


im_int_t
im_json_next_object(im_str_t text, size_t *at, im_str_t *object)
{
    size_t     i, depth;
    im_uint_t  start;

    for (start = *at; start < text.len; start++) {
        if (!im_json_blank(text.data[start])) {
            break;
        }
    }

    *at = start;

    if (start == text.len) {
        return IM_DECLINED;
    }

    for (i = start, depth = 0; i < text.len; i++) {

        switch (text.data[i]) {

        case '{':
            depth++;
            break;

        case '}':
            depth--;
            break;

        case '"':
            i = im_json_skip_string(text, i);
            break;

        default:
            break;
        }

        if (depth == 0) {
            break;
        }
    }

    if (i >= text.len || text.data[start] != '{') {
        return IM_ERROR;
    }

    *object = im_str_set(text.data + start, i + 1 - start);
    *at = i + 1;

    return IM_OK;
}


static int
im_json_absent(im_json_type_e type, const void *value)
{
    switch (type) {

    case IM_JSON_STRING:
        return ((const im_str_t *) value)->data == NULL;

    case IM_JSON_INT:
        return *(const int64_t *) value < 0;

    case IM_JSON_BOOL:
        return *(const int *) value < 0;

    case IM_JSON_STRINGS:
    case IM_JSON_RAWS:
        return ((const im_json_strings_t *) value)->elts == NULL;

    case IM_JSON_BYTES:
        return !im_json_embeds(*(const im_str_t *) value);

    default:
        return ((const im_str_t *) value)->len == 0;
    }
}


static void
im_json_add_value(im_buf_t *b, im_json_type_e type, const void *value)
{
    im_uint_t                 i;
    const im_json_strings_t  *list;

    switch (type) {

    case IM_JSON_STRING:
        im_json_add_string(b, *(const im_str_t *) value);
        break;

    case IM_JSON_INT:
        im_buf_add_int(b, *(const int64_t *) value);
        break;

    case IM_JSON_BOOL:
        im_buf_add_z(b, *(const int *) value ? "true" : "false");
        break;

    case IM_JSON_STRINGS:
    case IM_JSON_RAWS:
        list = value;

        im_buf_add_z(b, "[");

        for (i = 0; i < list->n; i++) {
            im_buf_add_z(b, i == 0 ? "" : ",");
            im_json_add_value(b, type == IM_JSON_RAWS ? IM_JSON_RAW
                                                      : IM_JSON_STRING,
                              &list->elts[i]);
        }

        im_buf_add_z(b, "]");
        break;

    case IM_JSON_BASE64:
        im_json_add_base64(b, *(const im_str_t *) value);
        break;

    default:
        im_buf_add_str(b, *(const im_str_t *) value);
    }
}


void
im_json_encode(im_buf_t *b, const im_json_field_t *fields, const void *src)
{
    im_uint_t               n;
    const u_char           *value, *done;
    const im_json_field_t  *f;

    n = 0;
    done = NULL;

    im_buf_add_z(b, "{");

    for (f = fields; f->name.data != NULL; f++) {
        value = (const u_char *) src + f->offset;

        if (value != done && !im_json_absent(f->type, value)) {
            done = f->type == IM_JSON_BYTES ? value : NULL;

            im_buf_add_z(b, n++ == 0 ? "" : ",");
            im_json_add_string(b, f->name);
            im_buf_add_z(b, ":");
            im_json_add_value(b, f->type, value);
        }
    }

    im_buf_add_z(b, "}");
}


/* Adds a character that isn't plain ASCII; gives its length in s. */
static size_t
im_json_add_char(im_buf_t *b, const u_char *p, size_t len)
{
    size_t  n;

    static const char  digits[] = "0123456789abcdef";

    if (*p >= 0x80) {
        for (n = 2; n <= 4 && n <= len; n++) {
            if (im_utf8_valid(im_str_set(p, n))) {
                im_buf_add(b, p, n);
                return n;
            }
        }

        im_buf_add(b, "\xef\xbf\xbd", 3);

        return 1;
    }

    if (*p == '"' || *p == '\\') {
        im_buf_add(b, "\\", 1);
        im_buf_add(b, p, 1);

        return 1;
    }

    im_buf_add_z(b, "\\u00");
    im_buf_add_u8(b, (uint8_t) digits[*p >> 4]);
    im_buf_add_u8(b, (uint8_t) digits[*p & 0x0f]);

    return 1;
}


void
im_json_add_string(im_buf_t *b, im_str_t s)
{
    size_t  i, clean;

    im_buf_add(b, "\"", 1);

    clean = 0;
    i = 0;

    while (i < s.len) {
        if (s.data[i] >= 0x20 && s.data[i] < 0x80 && s.data[i] != '"'
            && s.data[i] != '\\')
        {
            i++;
            continue;
        }

        im_buf_add(b, s.data + clean, i - clean);
        i += im_json_add_char(b, s.data + i, s.len - i);
        clean = i;
    }

    if (i > clean) {
        im_buf_add(b, s.data + clean, i - clean);
    }

    im_buf_add(b, "\"", 1);
}


void
im_json_add_base64(im_buf_t *b, im_str_t bytes)
{
    im_buf_add_z(b, "\"");
    im_base64_encode(b, bytes, 0);
    im_buf_add_z(b, "\"");
}
