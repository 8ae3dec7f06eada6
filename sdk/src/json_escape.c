/* json_escape.c: what may not stand in a JSON text as it is, or not inside HTML: control
 * characters, quotes, '<', '>', '&', and the two line ends that JavaScript knows and JSON does not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "json_escape.h"
#include "utf8.h"

/* 0: stands for itself. 'u': \u00XX. 1: not ASCII, to be looked at. Else: the letter after '\'. */
static const unsigned char classes[256] = {
    [0 ... 7] = 'u', ['\b'] = 'b', ['\t'] = 't',  ['\n'] = 'n',        [0x0b] = 'u',
    ['\f'] = 'f',    ['\r'] = 'r', ['"'] = '"',   [14 ... 0x1f] = 'u', ['&'] = 'u',
    ['<'] = 'u',     ['>'] = 'u',  ['\\'] = '\\', [0x7f] = 'u',        [0x80 ... 0xff] = 1,
};

typedef signed char bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

/* How many of sixteen stand for themselves before the first that does not: nearly always all, at a
 * few cycles. */
static uint32_t clean_of_16(const unsigned char *p)
{
    bytes16 b;
    memcpy(&b, p, sizeof(b));
    /* As signed numbers, what is not ASCII is below 0x20 too; '"' is '&', and '<' is '>', but for
     * one bit. */
    words2 found =
        (words2)((b < 0x20) | (b == 0x7f) | (b == '\\') | ((b | 4) == '&') | ((b | 2) == '>'));
    if (__builtin_expect((found[0] | found[1]) == 0, 1))
        return 16;
    return (uint32_t)(found[0] ? __builtin_ctzll(found[0]) : 64 + __builtin_ctzll(found[1])) / 8;
}

/* The same for fewer than sixteen, in one step: the first and the last of them, which overlap. */
static bool is_clean_short(const unsigned char *p, uint64_t len)
{
    unsigned char b[16];

    if (len >= 8) {
        memcpy(b, p, 8);
        memcpy(b + 8, p + len - 8, 8);
    } else if (len >= 4) {
        memcpy(b, p, 4);
        memcpy(b + 4, p + len - 4, 4);
        memcpy(b + 8, b, 8);
    } else {
        return len == 0 || !(classes[p[0]] | classes[p[len / 2]] | classes[p[len - 1]]);
    }
    return clean_of_16(b) == 16;
}

/* memcpy() of fewer than sixteen, without a call. */
static void copy_short(char *out, const unsigned char *p, uint64_t len)
{
    if (len >= 8) {
        memcpy(out, p, 8);
        memcpy(out + len - 8, p + len - 8, 8);
    } else if (len >= 4) {
        memcpy(out, p, 4);
        memcpy(out + len - 4, p + len - 4, 4);
    } else if (len > 0) {
        out[0] = (char)p[0];
        out[len / 2] = (char)p[len / 2];
        out[len - 1] = (char)p[len - 1];
    }
}

/* The ASCII before the first byte that does not stand for itself. */
static const unsigned char *clean_ascii_end(const unsigned char *p, const unsigned char *end)
{
    for (uint32_t clean; end - p >= 16;) {
        p += clean = clean_of_16(p);
        if (clean < 16)
            return p;
    }
    if (is_clean_short(p, (uint64_t)(end - p)))
        return end;
    while (p < end && !classes[*p])
        p++;
    return p;
}

static bool is_line_separator(const unsigned char *p)
{
    return p[0] == 0xe2 && p[1] == 0x80 && (p[2] | 1) == 0xa9;
}

const unsigned char *json_clean_end(const unsigned char *p, const unsigned char *end)
{
    for (;;) {
        p = clean_ascii_end(p, end);
        if (p == end || classes[*p] != 1)
            return p;
        uint32_t len = utf8_length(p, end);
        if (!len || is_line_separator(p))
            return p;
        p += len;
    }
}

static char *put(char *out, const char *text, uint64_t len)
{
    memcpy(out, text, len);
    return out + len;
}

static char *put_ascii(char *out, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";

    *out++ = '\\';
    if (classes[c] != 'u') {
        *out++ = (char)classes[c];
        return out;
    }
    out = put(out, "u00", 3);
    *out++ = hex[c >> 4];
    *out++ = hex[c & 15];
    return out;
}

/* Escapes one character that is not ASCII if it must be. Returns how many bytes of p it took. */
static uint32_t put_other(char **out, const unsigned char *p, const unsigned char *end)
{
    uint32_t len = utf8_length(p, end);

    if (!len) {
        *out = put(*out, "\\ufffd", 6);
        return 1;
    }
    if (is_line_separator(p))
        *out = put(*out, p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
    else
        *out = put(*out, (const char *)p, len);
    return len;
}

char *json_copy_clean(char *out, const unsigned char **p, const unsigned char *end)
{
    const unsigned char *at = *p;

    for (; end - at >= 16 && clean_of_16(at) == 16; at += 16, out += 16)
        memcpy(out, at, 16);
    if (end - at < 16 && is_clean_short(at, (uint64_t)(end - at))) {
        copy_short(out, at, (uint64_t)(end - at));
        out += end - at;
        at = end;
    }
    for (; at < end && !classes[*at]; at++)
        *out++ = (char)*at;
    *p = at;
    return out;
}

char *json_escape(char *out, stoa_str s)
{
    if (!s.len)
        return out;
    const unsigned char *p = (const unsigned char *)s.ptr, *end = p + s.len;

    for (;;) {
        out = json_copy_clean(out, &p, end);
        if (p == end)
            return out;
        if (classes[*p] == 1)
            p += put_other(&out, p, end);
        else
            out = put_ascii(out, *p++);
    }
}
