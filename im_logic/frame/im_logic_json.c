/*
 * Copyright (C) The im authors
 *
 * JSON of requests, with errors that name the culprit.
 */

#include "im_logic_request.h"
#include "im_logic_print.h"
#include "im_near.h"
#include "im_utf8.h"


#define IM_LOGIC_JSON_WHY   512
#define IM_LOGIC_JSON_NAME  64       /* bytes of a name that are shown */


static const char  im_logic_json_many[] = "elements at most";


/* By im_json_type_e: what a value must be, and how it may begin. */
static const struct {
    const char  *must;
    const char  *first;
} im_logic_json_types[] = {
    { "a string", "\"n" },
    { "an integer", "-0123456789" },
    { "true or false", "tf" },
    { "any value", NULL },
    { "an array of strings", "[" },
    { "an object", "{" },
    { "an array", "[" }
};


static const char *
im_logic_json_is(u_char first)
{
    switch (first) {

    case '"':
        return "a string";

    case '{':
        return "an object";

    case '[':
        return "an array";

    case 'n':
        return "null";

    case 't':
    case 'f':
        return "true or false";

    default:
        return "a number";
    }
}


static const char *
im_logic_json_text(const im_buf_t *b)
{
    return b->failed ? im_json_no_memory : (const char *) b->data;
}


/* An object begins with its brace. */
static im_str_t
im_logic_json_object(im_str_t json)
{
    while (json.len != 0 && json.data[0] != '{') {
        json.data++;
        json.len--;
    }

    return json;
}


static const im_json_field_t *
im_logic_json_field(const im_json_field_t *fields, im_str_t name)
{
    const im_json_field_t  *f;

    for (f = fields; f->name.data != NULL; f++) {
        if (im_str_eq(f->name, name)) {
            return f;
        }
    }

    return NULL;
}


/* "NAME", or "PATH.NAME" */
static im_str_t
im_logic_json_name(im_daemon_request_t *r, const char *path, im_str_t name)
{
    im_buf_t  *b;

    if (path == NULL) {
        return name;
    }

    b = im_daemon_buf(r, strlen(path) + 1 + name.len);
    im_logic_print(b, "%z.%s", path, name);

    return b->failed ? name : im_buf_str(b);
}


const char *
im_logic_json_most(im_daemon_request_t *r, im_str_t list, im_uint_t max)
{
    im_buf_t  *b;

    b = im_daemon_buf(r, IM_LOGIC_JSON_WHY);
    im_logic_print(b, "%j may have %u %z", list, (uint64_t) max,
                   im_logic_json_many);
    im_buf_add_u8(b, '\0');

    return im_logic_json_text(b);
}


/* NULL: the member has the type of its field. */
static const char *
im_logic_json_type(im_daemon_request_t *r, const char *path,
    const im_json_field_t *field, im_str_t value, void *dst)
{
    im_buf_t    *b;
    im_int_t     rc;
    im_str_t     object;
    const char  *why, *is;

    const im_json_strings_t  *list;

    /* alone in an object, so that only one can be the culprit */

    im_json_field_t  row[2] = { *field, im_json_end };

    b = im_daemon_buf(r, field->name.len + value.len + 8);
    im_logic_print(b, "{%j:%s}", field->name, value);
    object = im_buf_str(b);

    rc = b->failed ? IM_ERROR
                   : im_json_decode(object, row, 0,
                                    im_daemon_buf(r, object.len + 1), dst,
                                    &why);

    if (rc == IM_OK) {
        if (field->type == IM_JSON_STRINGS || field->type == IM_JSON_RAWS) {
            im_json_strings_free((void *) ((u_char *) dst + field->offset));
        }

        return NULL;
    }

    if (b->failed || why == im_json_no_memory) {
        return im_json_no_memory;
    }

    if (why == im_json_too_many) {
        list = (void *) ((u_char *) dst + field->offset);

        return im_logic_json_most(r, im_logic_json_name(r, path, field->name),
                                  list->max);
    }

    b = im_daemon_buf(r, IM_LOGIC_JSON_WHY);
    is = im_logic_json_types[field->type].first;
    is = is != NULL && strchr(is, value.data[0]) == NULL
         ? im_logic_json_is(value.data[0])
         : field->type == IM_JSON_INT ? "another number"
                                      : "an array with other elements";

    im_logic_print(b, "%j must be %z, not %z",
                   im_logic_json_name(r, path, field->name),
                   im_logic_json_types[field->type].must, is);
    im_buf_add_u8(b, '\0');

    return im_logic_json_text(b);
}


/* The text is no JSON, or a member is the culprit. */
static const char *
im_logic_json_why(im_daemon_request_t *r, const char *path, im_str_t json,
    const im_json_field_t *fields, void *dst, const char *why)
{
    size_t                  at;
    im_buf_t               *b;
    im_str_t                name, value;
    const char             *culprit;
    const im_json_field_t  *f;

    if (why == im_json_no_memory || why == im_json_no_object
        || why == im_json_too_deep)
    {
        return why;
    }

    if (!im_utf8_valid(json)) {
        return "the JSON is not UTF-8";
    }

    if (im_json_check(json) == IM_DECLINED) {
        b = im_daemon_buf(r, IM_LOGIC_JSON_WHY);
        im_logic_print(b, "not valid JSON, near byte %u",
                       (uint64_t) im_json_fault(json));
        im_buf_add_u8(b, '\0');
        return im_logic_json_text(b);
    }

    at = 0;
    b = im_daemon_buf(r, json.len + 1);
    json = im_logic_json_object(json);

    while (im_json_next_member(json, &at, b, &name, &value) == IM_OK) {
        f = im_logic_json_field(fields, name);
        culprit = f != NULL ? im_logic_json_type(r, path, f, value, dst) : NULL;

        if (culprit != NULL) {
            return culprit;
        }
    }

    return why;
}


static im_int_t
im_logic_decode_path(im_daemon_request_t *r, const char *path, im_str_t json,
    const im_json_field_t *fields, im_uint_t flags, void *dst, const char **why)
{
    im_int_t                rc;
    im_json_strings_t      *list;
    const im_json_field_t  *f;

    if (im_json_decode(json, fields, flags, im_daemon_buf(r, json.len + 1),
                       dst, why)
        != IM_OK)
    {
        *why = im_logic_json_why(r, path, json, fields, dst, *why);
        return IM_ERROR;
    }

    rc = IM_OK;

    for (f = fields; f->name.data != NULL; f++) {
        list = (void *) ((u_char *) dst + f->offset);

        if ((f->type == IM_JSON_STRINGS || f->type == IM_JSON_RAWS)
            && im_daemon_cleanup(r, im_free, list->elts) != IM_OK)
        {
            *why = im_json_no_memory;
            rc = IM_ERROR;
        }
    }

    return rc;
}


im_int_t
im_logic_decode(im_daemon_request_t *r, im_str_t json,
    const im_json_field_t *fields, im_uint_t flags, void *dst, const char **why)
{
    return im_logic_decode_path(r, NULL, json, fields, flags, dst, why);
}


im_int_t
im_logic_decode_member(im_daemon_request_t *r, const char *path, im_str_t json,
    const im_json_field_t *fields, void *dst, const char **why)
{
    return im_logic_decode_path(r, path, json, fields, 0, dst, why);
}


im_uint_t
im_logic_json_status(const char *why)
{
    size_t  len, end;

    if (why == im_json_no_memory) {
        return 503;
    }

    len = strlen(why);
    end = sizeof(im_logic_json_many) - 1;

    return len > end && strcmp(why + len - end, im_logic_json_many) == 0
           ? 413 : 400;
}


const char *
im_logic_json_known(im_daemon_request_t *r, im_str_t object,
    const im_json_field_t *fields, const char *of, const char *path)
{
    size_t                  at;
    im_buf_t               *names, *b;
    im_int_t                rc;
    im_str_t                name, value;
    im_near_t               near;
    const im_json_field_t  *f;

    at = 0;
    names = im_daemon_buf(r, object.len + 1);
    object = im_logic_json_object(object);

    while ((rc = im_json_next_member(object, &at, names, &name, &value))
           == IM_OK)
    {
        if (im_logic_json_field(fields, name) != NULL) {
            continue;
        }

        name.len = im_min(name.len, IM_LOGIC_JSON_NAME);
        b = im_daemon_buf(r, IM_LOGIC_JSON_WHY * 2);

        im_near_init(&near, name);

        for (f = fields; f->name.data != NULL; f++) {
            im_near_try(&near, f->name);
        }

        im_logic_print(b, "%z has no member %j", of,
                       im_logic_json_name(r, path, name));

        if (near.found.data != NULL) {
            im_logic_print(b, ": did you mean %j?",
                           im_logic_json_name(r, path, near.found));
        }

        for (f = fields; near.found.data == NULL && f->name.data != NULL; f++) {
            im_logic_print(b, "%z %s", f == fields ? ", but" : ",", f->name);
        }

        im_buf_add_u8(b, '\0');

        return im_logic_json_text(b);
    }

    return rc == IM_ERROR ? im_json_no_memory : NULL;
}
