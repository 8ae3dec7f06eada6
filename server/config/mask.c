/* config/mask.c: what of an address may be printed. An address that can be read in two ways is
 * hidden in both: libpq takes "?" for a part of a password, a browser does not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config_private.h"

#define STARS STOA_STR("***")

static int64_t find_last(stoa_str s, char c)
{
    int64_t at = -1;

    for (uint64_t i = 0; i < s.len; i++)
        if (s.ptr[i] == c)
            at = (int64_t)i;
    return at;
}

static bool has_word(stoa_str name, const char *word)
{
    uint64_t len = strlen(word);

    for (uint64_t i = 0; i + len <= name.len; i++)
        if (strncasecmp(name.ptr + i, word, len) == 0)
            return true;
    return false;
}

/* password, sslpassword, api_key, access_token; one that is spelled with %41 may be any of them. */
static bool is_secret_name(stoa_str name)
{
    static const char *const words[] = {"pass", "pwd", "secret", "key", "token", "%"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (has_word(name, words[i]))
            return true;
    return false;
}

/* "?user=shop&password=x" → "?user=shop&password=***". What has no name may be the end of a value.
 */
static void put_query(struct stoa_buf *out, stoa_str query)
{
    char before = '?';

    while (query.len > 0) {
        stoa_str value = stoa_str_cut(&query, '&'), name = stoa_str_cut(&value, '=');
        stoa_buf_char(out, before);
        before = '&';
        if (!value.ptr) {
            stoa_buf_put(out, name.len > 0 ? STARS : name);
            continue;
        }
        stoa_buf_put(out, name);
        stoa_buf_char(out, '=');
        stoa_buf_put(out, is_secret_name(name) ? STARS : value);
    }
}

/* rest: what stands behind "://". */
static void put_rest(struct stoa_buf *out, stoa_str rest)
{
    int64_t at = find_last(rest, '@'), colon = stoa_str_find(rest, ':', 0);
    stoa_str user = stoa_str_sub(rest, 0, at < 0 ? 0 : (uint64_t)at), value;

    if (at > 0 && colon >= 0 && colon < at) {
        if (stoa_str_find(user, '/', 0) >= 0 || stoa_str_find(user, '?', 0) >= 0) {
            stoa_buf_put(out, STARS);
            return;
        }
        stoa_buf_put(out, stoa_str_sub(rest, 0, (uint64_t)colon + 1));
        stoa_buf_put(out, STARS);
        rest = stoa_str_sub(rest, (uint64_t)at, UINT64_MAX);
    }
    value = rest;
    stoa_buf_put(out, stoa_str_cut(&value, '?'));
    put_query(out, value);
}

static bool is_scheme(stoa_str s)
{
    for (uint64_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] | 32) >= 'a' && (s.ptr[i] | 32) <= 'z') && s.ptr[i] != '+')
            return false;
    return s.len > 0;
}

stoa_str config_mask(struct stoa_arena *arena, stoa_str text, bool is_secret)
{
    const char *sign = memmem(text.ptr, text.len, "://", 3);
    uint64_t scheme = sign ? (uint64_t)(sign - text.ptr) : 0;
    struct stoa_buf out;

    if (is_secret && !is_scheme(stoa_str_sub(text, 0, scheme)))
        return STARS;
    if (!sign)
        return text;
    stoa_buf_init(&out, arena, text.len + 32);
    stoa_buf_put(&out, stoa_str_sub(text, 0, scheme + 3));
    put_rest(&out, stoa_str_sub(text, scheme + 3, UINT64_MAX));
    return stoa_buf_str(&out);
}
