/*
 * Copyright (C) The im authors
 *
 * Names of accounts.  No other file uses ICU.
 *
 * The keys are skeletons of Unicode's UTS 39 of the name in form KC: what looks
 * alike has the same one, in whatever script it is written.  Letters of two
 * sizes look alike by other rules than their small forms do (I and l, but not
 * i), so a name has a key as it is and one of its small letters.
 */

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include "im_logic_name.h"


#define IM_NAME_UNITS       2048     /* UTF-16, of what is made of a name */
#define IM_NAME_BRAILLE     0x2800   /* a pattern without dots */
#define IM_NAME_DOT         0x0307   /* of the small letter of U+0130 */
#define IM_NAME_TATWEEL     0x0640   /* makes an Arabic word longer */
#define IM_NAME_LAJANYALAN  0x07fa   /* the same of N'Ko */


/* Text on its way through ICU. */
typedef struct {
    UChar       s[IM_NAME_UNITS];
    int32_t     len;
    UErrorCode  error;
} im_logic_name_t;


static void
im_logic_name_read(im_logic_name_t *t, im_str_t name)
{
    t->error = U_ZERO_ERROR;
    t->len = 0;

    if (name.len > IM_NAME_UNITS) {
        t->error = U_BUFFER_OVERFLOW_ERROR;
        return;
    }

    (void) u_strFromUTF8(t->s, IM_NAME_UNITS, &t->len, (char *) name.data,
                         (int32_t) name.len, &t->error);
}


static im_int_t
im_logic_name_write(im_buf_t *b, im_logic_name_t *t)
{
    char     text[IM_NAME_KEY_BYTES];
    int32_t  len;

    len = 0;

    (void) u_strToUTF8(text, sizeof(text), &len, t->s, t->len, &t->error);

    /* that there is no NUL behind it is a warning */

    if (U_FAILURE(t->error) || len > (int32_t) sizeof(text)) {
        return IM_ERROR;
    }

    im_buf_add(b, text, (size_t) len);

    return b->failed ? IM_ERROR : IM_OK;
}


static void
im_logic_name_normalize(im_logic_name_t *t, const UNormalizer2 *form)
{
    UChar    s[IM_NAME_UNITS];
    int32_t  len;

    if (U_FAILURE(t->error)) {
        return;
    }

    len = unorm2_normalize(form, t->s, t->len, s, IM_NAME_UNITS, &t->error);

    if (U_SUCCESS(t->error)) {
        memcpy(t->s, s, (size_t) len * sizeof(UChar));
        t->len = len;
    }
}


im_int_t
im_logic_name_form(im_buf_t *b, im_str_t name)
{
    UErrorCode           error = U_ZERO_ERROR;
    im_logic_name_t      t;
    const UNormalizer2  *form;

    form = unorm2_getNFCInstance(&error);

    im_logic_name_read(&t, name);
    im_logic_name_normalize(&t, form);

    return U_FAILURE(error) || U_FAILURE(t.error)
           ? IM_ERROR : im_logic_name_write(b, &t);
}


static const char *
im_logic_name_char(UChar32 c, int first)
{
    uint32_t  mask;

    mask = U_GET_GC_MASK(c);

    if ((c != ' ' && u_hasBinaryProperty(c, UCHAR_WHITE_SPACE))
        || c == IM_NAME_BRAILLE)
    {
        return "UserName.Text:Must have no other blanks than spaces";
    }

    if (mask & (U_GC_CF_MASK | U_GC_CC_MASK | U_GC_ZL_MASK | U_GC_ZP_MASK)) {
        return "UserName.Text:Must have no invisible characters";
    }

    /* selectors of emoji are no part of the keys */

    if (u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)
        && !u_hasBinaryProperty(c, UCHAR_VARIATION_SELECTOR))
    {
        return "UserName.Text:Must have no invisible characters";
    }

    if (mask & (U_GC_CN_MASK | U_GC_CO_MASK | U_GC_CS_MASK)) {
        return "UserName.Text:Must have no characters without a meaning";
    }

    if (first && (mask & U_GC_M_MASK)) {
        return "UserName.Text:Must not begin with a mark";
    }

    return NULL;
}


/* What doesn't show, such as one mark twice. */
static const char *
im_logic_name_hidden(const im_logic_name_t *t)
{
    int32_t         found;
    UErrorCode      error = U_ZERO_ERROR;
    USpoofChecker  *checker;

    checker = uspoof_open(&error);

    uspoof_setChecks(checker, USPOOF_INVISIBLE | USPOOF_HIDDEN_OVERLAY, &error);
    found = uspoof_check(checker, t->s, t->len, NULL, &error);

    if (checker != NULL) {
        uspoof_close(checker);
    }

    return U_FAILURE(error) || found
           ? "UserName.Text:Must have no hidden marks" : NULL;
}


const char *
im_logic_name_fault(im_str_t name)
{
    int              first;
    int32_t          i;
    UChar32          c, last;
    const char      *why;
    im_logic_name_t  t;

    im_logic_name_read(&t, name);

    if (U_FAILURE(t.error)) {
        return "UserName.Text:Must be text in UTF-8";
    }

    /* a space before it would be the second one */
    last = ' ';

    for (i = 0; i < t.len; last = c) {
        first = i == 0;
        U16_NEXT(t.s, i, t.len, c);
        why = im_logic_name_char(c, first);

        if (why != NULL) {
            return why;
        }

        if (c == ' ' && last == ' ') {
            break;
        }
    }

    if (last == ' ') {
        return "UserName.Text:Must have no spaces at its ends, nor two "
               "together";
    }

    return im_logic_name_hidden(&t);
}


/* What UTS 39 leaves, but the eye doesn't see. */
static void
im_logic_name_strip(im_logic_name_t *t)
{
    UChar    c, last;
    int32_t  i, len;

    if (U_FAILURE(t->error)) {
        return;
    }

    len = 0;
    last = 0;

    for (i = 0; i < t->len; i++) {
        c = t->s[i];

        if (c == IM_NAME_TATWEEL || c == IM_NAME_LAJANYALAN
            || (c == IM_NAME_DOT && (last == 'i' || last == 'j')))
        {
            continue;
        }

        t->s[len++] = c;
        last = c;
    }

    t->len = len;
}


im_int_t
im_logic_name_key(im_buf_t *b, im_str_t name, im_uint_t i)
{
    UErrorCode           error = U_ZERO_ERROR;
    USpoofChecker       *checker;
    im_logic_name_t      t, key;
    const UNormalizer2  *form;

    form = i == 0 ? unorm2_getNFKCInstance(&error)
                  : unorm2_getNFKCCasefoldInstance(&error);

    im_logic_name_read(&t, name);
    im_logic_name_normalize(&t, form);
    im_logic_name_strip(&t);

    if (U_FAILURE(error) || U_FAILURE(t.error)) {
        return IM_ERROR;
    }

    checker = uspoof_open(&error);
    key.error = error;

    key.len = uspoof_getSkeleton(checker, 0, t.s, t.len, key.s, IM_NAME_UNITS,
                                 &key.error);

    if (checker != NULL) {
        uspoof_close(checker);
    }

    return U_FAILURE(key.error) ? IM_ERROR : im_logic_name_write(b, &key);
}
