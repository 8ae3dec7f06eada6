/* text.c: slugs and search words. Pure. SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

stoa_str lower_ascii(struct stoa_arena *arena, stoa_str s)
{
    char *out = stoa_arena_take(arena, s.len + 1);

    for (uint64_t i = 0; i < s.len; i++)
        out[i] = s.ptr[i] >= 'A' && s.ptr[i] <= 'Z' ? (char)(s.ptr[i] + 32) : s.ptr[i];
    return (stoa_str){out, s.len};
}

stoa_str pattern_of(struct stoa_arena *arena, stoa_str word)
{
    struct stoa_buf buf;

    word = lower_ascii(arena, word);
    stoa_buf_init(&buf, arena, word.len + 8);
    stoa_buf_char(&buf, '%');
    for (uint64_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '%' || word.ptr[i] == '_' || word.ptr[i] == '!')
            stoa_buf_char(&buf, '!');
        stoa_buf_char(&buf, word.ptr[i]);
    }
    stoa_buf_char(&buf, '%');
    return stoa_buf_str(&buf);
}

bool slug_is(stoa_str s)
{
    if (s.len == 0 || s.len > 80 || s.ptr[0] == '-' || s.ptr[s.len - 1] == '-')
        return false;
    for (uint64_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!plain && (c != '-' || s.ptr[i - 1] == '-'))
            return false;
    }
    return true;
}
