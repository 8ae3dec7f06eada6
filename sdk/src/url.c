/* url.c: percent-encoding (RFC 3986 §2.1). SPDX-License-Identifier: Apache-2.0 */
#include "arena_private.h"
#include <stoa/str.h>

static int32_t hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XX" at s.ptr + i stands for, or -1. */
static int32_t escaped_byte(stoa_str s, uint64_t i)
{
    if (s.len - i < 3)
        return -1;
    int32_t high = hex_value(s.ptr[i + 1]), low = hex_value(s.ptr[i + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

stoa_err stoa_url_decode(struct stoa_arena *arena, stoa_str s, bool form, stoa_str *ret)
{
    char *out = arena_take(arena, s.len + 1);
    uint64_t len = 0;

    for (uint64_t i = 0; i < s.len; i++) {
        int32_t c = (unsigned char)s.ptr[i];
        if (c == '%') {
            c = escaped_byte(s, i);
            i += 2;
        } else if (c == '+' && form) {
            c = ' ';
        }
        if (c <= 0) /* a broken escape, or a NUL: it would end a path or a name early in C */
            return STOA_E_BAD_REQUEST;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    if (!stoa_str_is_utf8((stoa_str){out, len}))
        return STOA_E_BAD_REQUEST;
    *ret = (stoa_str){out, len};
    return STOA_OK;
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

stoa_str stoa_url_encode(struct stoa_arena *arena, stoa_str s)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_take(arena, s.len * 3 + 1);
    uint64_t len = 0;

    for (uint64_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (is_unreserved((char)c)) {
            out[len++] = (char)c;
            continue;
        }
        out[len++] = '%';
        out[len++] = hex[c >> 4];
        out[len++] = hex[c & 15];
    }
    out[len] = '\0';
    return (stoa_str){out, len};
}
