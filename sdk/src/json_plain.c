/* json_plain.c: recognises a stored document, so that one which is only passed on need not become a
 * tree: an eighth of the instructions. SPDX-License-Identifier: Apache-2.0 */
#include "json_plain.h"
#include "json_escape.h"
#include "json_private.h"

enum {
    PLAIN_TEXT_MAX = 4096,
    PLAIN_DEPTH_MAX = 8,
    PLAIN_MEMBERS_MAX = 16, /* of an object: each name is compared with those before it */
    PLAIN_DIGITS_MAX = 18,  /* surely an int64_t */
};

struct scan {
    const unsigned char *p, *end;
};

static bool scan_value(struct scan *s, uint32_t depth);

static bool scan_char(struct scan *s, char c)
{
    if (s->p == s->end || *s->p != (unsigned char)c)
        return false;
    s->p++;
    return true;
}

static bool scan_word(struct scan *s, stoa_str word)
{
    if ((uint64_t)(s->end - s->p) < word.len || memcmp(s->p, word.ptr, word.len) != 0)
        return false;
    s->p += word.len;
    return true;
}

static bool scan_string(struct scan *s, stoa_str *ret)
{
    if (!scan_char(s, '"'))
        return false;
    const unsigned char *first = s->p;
    s->p = json_clean_end(s->p, s->end);
    *ret = (stoa_str){(const char *)first, (uint64_t)(s->p - first)};
    return scan_char(s, '"');
}

static bool scan_number(struct scan *s)
{
    bool is_negative = scan_char(s, '-');
    const unsigned char *first = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    if (s->p == first || s->p - first > PLAIN_DIGITS_MAX)
        return false;
    return *first != '0' || (s->p - first == 1 && !is_negative);
}

static bool scan_array(struct scan *s, uint32_t depth)
{
    s->p++;
    if (scan_char(s, ']'))
        return true;
    do
        if (!scan_value(s, depth))
            return false;
    while (scan_char(s, ','));
    return scan_char(s, ']');
}

static bool is_new(const stoa_str *names, uint32_t count, stoa_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (stoa_str_eq(names[i], name))
            return false;
    return true;
}

static bool scan_object(struct scan *s, uint32_t depth)
{
    stoa_str names[PLAIN_MEMBERS_MAX];
    uint32_t count = 0;

    s->p++;
    if (scan_char(s, '}'))
        return true;
    do {
        stoa_str *name = &names[count];
        if (!scan_string(s, name) || name->len > JSON_NAME_MAX || !is_new(names, count, *name))
            return false;
        if (++count == PLAIN_MEMBERS_MAX || !scan_char(s, ':') || !scan_value(s, depth))
            return false;
    } while (scan_char(s, ','));
    return scan_char(s, '}');
}

static bool scan_value(struct scan *s, uint32_t depth)
{
    stoa_str unused;

    if (s->p == s->end || depth == PLAIN_DEPTH_MAX)
        return false;
    switch (*s->p) {
    case '[':
        return scan_array(s, depth + 1);
    case '{':
        return scan_object(s, depth + 1);
    case '"':
        return scan_string(s, &unused);
    case 't':
        return scan_word(s, STOA_STR("true"));
    case 'f':
        return scan_word(s, STOA_STR("false"));
    case 'n':
        return scan_word(s, STOA_STR("null"));
    default:
        return scan_number(s);
    }
}

bool json_is_plain(stoa_str text)
{
    if (text.len < 2 || text.len > PLAIN_TEXT_MAX || (text.ptr[0] != '[' && text.ptr[0] != '{'))
        return false;
    struct scan s = {(const unsigned char *)text.ptr, (const unsigned char *)text.ptr + text.len};
    return scan_value(&s, 0) && s.p == s.end;
}
