/* stoa/str.h: slices and growing buffers. A slice is not NUL-terminated and owns nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_STR_H
#define STOA_STR_H

#include "arena.h"
#include "errors.h"
#include <string.h>

typedef struct stoa_str {
    const char *ptr; /* may be NULL when len is 0 */
    uint64_t len;    /* bytes */
} stoa_str;
static_assert(sizeof(stoa_str) == 16, "SDK ABI");

/* A slice of a string literal, in code and in static initialisers. */
#define STOA_STR(literal) ((stoa_str){"" literal, sizeof(literal) - 1})

static inline stoa_str stoa_str_of(const char *cstr) /* NULL gives the empty slice */
{
    return (stoa_str){cstr, cstr ? strlen(cstr) : 0};
}
static inline bool stoa_str_eq(stoa_str a, stoa_str b)
{
    if (a.len != b.len)
        return false;
    /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a slice with bytes has a pointer */
    return a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0;
}
static inline bool stoa_str_is(stoa_str a, const char *cstr)
{
    return stoa_str_eq(a, stoa_str_of(cstr));
}
/* The part [from, from + len), cut to what is there. */
STOA_API stoa_str stoa_str_sub(stoa_str s, uint64_t from, uint64_t len);
STOA_API bool stoa_str_starts(stoa_str s, stoa_str prefix);
STOA_API bool stoa_str_ends(stoa_str s, stoa_str suffix);
STOA_API bool stoa_str_eq_nocase(stoa_str a, stoa_str b); /* ASCII only */
/* Index of the first c at or after from, or -1. */
STOA_API int64_t stoa_str_find(stoa_str s, char c, uint64_t from);
/* Without ASCII white space at both ends. */
STOA_API stoa_str stoa_str_trim(stoa_str s);
/* Cuts *rest at the first sep and returns what stood before it; *rest is empty with ptr NULL at the
 * end. */
STOA_API stoa_str stoa_str_cut(stoa_str *rest, char sep);
/* A whole decimal number in [min, max], nothing around it. STOA_E_RANGE otherwise; *ret untouched.
 */
STOA_NODISCARD STOA_API stoa_err stoa_str_int(stoa_str s, int64_t min, int64_t max, int64_t *ret);
/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
STOA_API bool stoa_str_is_utf8(stoa_str s);
enum { STOA_EMAIL_MAX = 254 };
/* An address that a mail can be sent to; the one rule of the whole shop. ASCII, at most
 * STOA_EMAIL_MAX bytes: before the @ 1 to 64 of A-Z a-z 0-9 .!#$%&'*+-/=?^_`{|}~ with no dot first,
 * last or doubled (dot-atom, RFC 5322 §3.4.1); behind it two or more labels of 1 to 63 letters,
 * digits and hyphens, no hyphen first or last (RFC 1123 §2.1). No quoted local parts, no address
 * literals. */
STOA_API bool stoa_str_is_email(stoa_str s);
/* FNV-1a, 64 bits. Not for untrusted keys in unbounded tables. */
STOA_API uint64_t stoa_str_hash(stoa_str s);
/* Copies into the arena. The copy has a NUL behind its end. */
STOA_API stoa_str stoa_str_copy(struct stoa_arena *arena, stoa_str s);
/* As stoa_str_copy, for libc's edges. A NUL inside s ends the C string early. */
STOA_API char *stoa_cstr(struct stoa_arena *arena, stoa_str s);
/* All parts in a row, in the arena. */
STOA_API stoa_str stoa_str_join(struct stoa_arena *arena, const stoa_str *parts, uint32_t count);
#define stoa_concat(arena, ...)                                                                    \
    stoa_str_join((arena), (const stoa_str[]){__VA_ARGS__},                                        \
                  sizeof((const stoa_str[]){__VA_ARGS__}) / sizeof(stoa_str))
/* v in decimal, in the arena. */
STOA_API stoa_str stoa_str_from_int(struct stoa_arena *arena, int64_t v);
/* Percent-decodes (form = true: '+' is a space). STOA_E_BAD_REQUEST on a broken escape, a NUL or
 * bad UTF-8. */
STOA_NODISCARD STOA_API stoa_err stoa_url_decode(struct stoa_arena *arena, stoa_str s, bool form,
                                                 stoa_str *ret);
/* Percent-encodes all but RFC 3986's unreserved characters. */
STOA_API stoa_str stoa_url_encode(struct stoa_arena *arena, stoa_str s);

/* A buffer that grows in its arena; what it outgrew stays in the arena until that ends. */
struct stoa_buf {
    struct stoa_arena *arena;
    char *ptr;
    uint64_t len;
    uint64_t cap;
};
/* Starts an empty buffer with room for hint bytes. */
STOA_API void stoa_buf_init(struct stoa_buf *buf, struct stoa_arena *arena, uint64_t hint);
/* Room for at least more bytes at ptr + len. */
STOA_API char *stoa_buf_reserve(struct stoa_buf *buf, uint64_t more);
STOA_API void stoa_buf_put(struct stoa_buf *buf, stoa_str s);
STOA_API void stoa_buf_char(struct stoa_buf *buf, char c);
STOA_API void stoa_buf_int(struct stoa_buf *buf, int64_t v);
static inline stoa_str stoa_buf_str(const struct stoa_buf *buf)
{
    return (stoa_str){buf->ptr, buf->len};
}

#endif
