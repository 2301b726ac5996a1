/*
 * Copyright (C) The im authors
 *
 * What a body is declared to be: Content-Type and Content-Encoding (RFC 9110).
 */

#include <strings.h>

#include "im_logic_type.h"


static int
im_logic_type_is(im_str_t s, const char *z)
{
    size_t  len;

    len = strlen(z);

    return s.len == len && strncasecmp((char *) s.data, z, len) == 0;
}


static im_str_t
im_logic_type_trim(im_str_t s)
{
    while (s.len != 0 && (s.data[0] == ' ' || s.data[0] == '\t')) {
        s.data++;
        s.len--;
    }

    while (s.len != 0
           && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
    {
        s.len--;
    }

    return s;
}


/* What stands before the next ';', which isn't in quotes.  0: no more. */
static int
im_logic_type_part(im_str_t *s, im_str_t *part)
{
    int     quoted;
    size_t  i;

    if (s->len == 0) {
        return 0;
    }

    quoted = 0;

    for (i = 0; i < s->len && (quoted || s->data[i] != ';'); i++) {
        if (s->data[i] == '"') {
            quoted = !quoted;

        } else if (s->data[i] == '\\' && quoted && i + 1 < s->len) {
            i++;
        }
    }

    *part = im_logic_type_trim(im_str_set(s->data, i));

    i = im_min(i + 1, s->len);
    s->data += i;
    s->len -= i;

    return 1;
}


static im_logic_type_e
im_logic_type_name(im_str_t name)
{
    size_t  i;

    static const im_str_t  text = im_str("text/"), json = im_str("+json"),
                           application = im_str("application/");

    for (i = 0; i < name.len; i++) {
        if (name.data[i] <= 0x20 || name.data[i] == ',') {
            return IM_TYPE_OTHER;
        }
    }

    if (im_logic_type_is(name, "application/json")) {
        return IM_TYPE_JSON;
    }

    if (im_logic_type_is(name, "application/octet-stream")) {
        return IM_TYPE_BYTES;
    }

    if (name.len > text.len
        && strncasecmp((char *) name.data, (char *) text.data, text.len) == 0)
    {
        return IM_TYPE_TEXT;
    }

    if (name.len > application.len + json.len
        && strncasecmp((char *) name.data, (char *) application.data,
                       application.len)
           == 0
        && im_logic_type_is(im_str_set(name.data + name.len - json.len,
                                       json.len),
                            "+json"))
    {
        return IM_TYPE_JSON;
    }

    return IM_TYPE_OTHER;
}


static int
im_logic_type_utf8(im_str_t part)
{
    u_char    *p;
    im_str_t   name, value;

    p = im_str_chr(part, '=');

    if (p == NULL) {
        return 1;
    }

    name = im_logic_type_trim(im_str_set(part.data, (size_t) (p - part.data)));
    p++;
    value = im_logic_type_trim(im_str_set(p, (size_t) (part.data + part.len
                                                       - p)));

    if (value.len >= 2 && value.data[0] == '"'
        && value.data[value.len - 1] == '"')
    {
        value.data++;
        value.len -= 2;
    }

    return !im_logic_type_is(name, "charset")
           || im_logic_type_is(value, "utf-8")
           || im_logic_type_is(value, "utf8")
           || im_logic_type_is(value, "us-ascii");
}


im_logic_type_e
im_logic_type(im_str_t type)
{
    im_str_t         part;
    im_logic_type_e  what;

    type = im_logic_type_trim(type);

    if (!im_logic_type_part(&type, &part)) {
        return IM_TYPE_NONE;
    }

    what = im_logic_type_name(part);

    while ((what == IM_TYPE_JSON || what == IM_TYPE_TEXT)
           && im_logic_type_part(&type, &part))
    {
        if (!im_logic_type_utf8(part)) {
            return IM_TYPE_CHARSET;
        }
    }

    return what;
}


int
im_logic_type_plain(im_str_t encoding)
{
    encoding = im_logic_type_trim(encoding);

    return encoding.len == 0 || im_logic_type_is(encoding, "identity");
}


int
im_logic_type_wide(im_str_t body)
{
    const u_char  *p;

    p = body.data;

    /* a mark, or a NUL of the first character */
    return body.len >= 2
           && ((p[0] == 0xfe && p[1] == 0xff) || (p[0] == 0xff && p[1] == 0xfe)
               || p[0] == 0 || p[1] == 0);
}
