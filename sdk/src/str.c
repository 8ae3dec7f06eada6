/* str.c: slices of bytes. SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include "number.h"
#include "utf8.h"
#include <stoa/str.h>

stoa_str stoa_str_sub(stoa_str s, uint64_t from, uint64_t len)
{
    if (from > s.len)
        from = s.len;
    if (len > s.len - from)
        len = s.len - from;
    return (stoa_str){s.ptr ? s.ptr + from : NULL, len};
}

bool stoa_str_starts(stoa_str s, stoa_str prefix)
{
    return s.len >= prefix.len && stoa_str_eq((stoa_str){s.ptr, prefix.len}, prefix);
}

bool stoa_str_ends(stoa_str s, stoa_str suffix)
{
    return s.len >= suffix.len &&
           stoa_str_eq(stoa_str_sub(s, s.len - suffix.len, suffix.len), suffix);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool stoa_str_eq_nocase(stoa_str a, stoa_str b)
{
    if (stoa_str_eq(a, b)) /* mostly both are lower case already */
        return true;
    if (a.len != b.len)
        return false;
    for (uint64_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int64_t stoa_str_find(stoa_str s, char c, uint64_t from)
{
    if (from >= s.len)
        return -1;
    const char *at = memchr(s.ptr + from, c, s.len - from);
    return at ? at - s.ptr : -1;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

stoa_str stoa_str_trim(stoa_str s)
{
    while (s.len && is_space(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

stoa_str stoa_str_cut(stoa_str *rest, char sep)
{
    stoa_str whole = *rest;
    int64_t at = stoa_str_find(whole, sep, 0);

    if (at < 0) {
        *rest = (stoa_str){NULL, 0};
        return whole;
    }
    *rest = (stoa_str){whole.ptr + at + 1, whole.len - (uint64_t)at - 1};
    return (stoa_str){whole.ptr, (uint64_t)at};
}

stoa_err stoa_str_int(stoa_str s, int64_t min, int64_t max, int64_t *ret)
{
    int64_t v;

    if (!number_parse_int(s, &v) || v < min || v > max)
        return STOA_E_RANGE;
    *ret = v;
    return STOA_OK;
}

/* Eight bytes of ASCII at a time; most text in a shop is. */
bool stoa_str_is_utf8(stoa_str s)
{
    if (!s.len)
        return true;
    const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;

    while (p < end) {
        uint64_t word;
        while (end - p >= 8 && (memcpy(&word, p, 8), (word & UINT64_C(0x8080808080808080)) == 0))
            p += 8;
        if (p == end)
            break;
        uint32_t len = utf8_length(p, end);
        if (!len)
            return false;
        p += len;
    }
    return true;
}

uint64_t stoa_str_hash(stoa_str s)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

char *stoa_cstr(struct stoa_arena *arena, stoa_str s)
{
    char *copy = arena_take(arena, s.len + 1);

    if (s.len)
        memcpy(copy, s.ptr, s.len);
    copy[s.len] = '\0';
    return copy;
}

stoa_str stoa_str_copy(struct stoa_arena *arena, stoa_str s)
{
    return (stoa_str){stoa_cstr(arena, s), s.len};
}

stoa_str stoa_str_join(struct stoa_arena *arena, const stoa_str *parts, uint32_t count)
{
    uint64_t len = 0;
    for (uint32_t i = 0; i < count; i++)
        len += parts[i].len;

    char *whole = arena_take(arena, len + 1), *at = whole;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].len)
            memcpy(at, parts[i].ptr, parts[i].len);
        at += parts[i].len;
    }
    *at = '\0';
    return (stoa_str){whole, len};
}

stoa_str stoa_str_from_int(struct stoa_arena *arena, int64_t v)
{
    char digits[NUMBER_INT_MAX];
    return stoa_str_copy(arena, (stoa_str){digits, number_format_int(digits, v)});
}
