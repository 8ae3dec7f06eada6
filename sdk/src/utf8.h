/* utf8.h: one step through UTF-8 (RFC 3629). SPDX-License-Identifier: Apache-2.0 */
#ifndef UTF8_H
#define UTF8_H

#include <stdint.h>

/* Bytes of the well-formed character at p (p < end), or 0 when there is none: a stray or missing
 * continuation, an overlong form, a surrogate, or past U+10FFFF. */
static inline uint32_t utf8_length(const unsigned char *p, const unsigned char *end)
{
    static const unsigned char least[] = {0, 0, 0, 0xa0, 0x90}, most[] = {0, 0, 0, 0x9f, 0x8f};
    uint32_t len = p[0] < 0x80   ? 1
                   : p[0] < 0xc2 ? 0
                   : p[0] < 0xe0 ? 2
                   : p[0] < 0xf0 ? 3
                   : p[0] < 0xf5 ? 4
                                 : 0;

    if (len < 2)
        return len;
    if (end - p < (long)len)
        return 0;
    for (uint32_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* E0 and F0 would be overlong below, ED a surrogate and F4 beyond the last above. */
    if ((p[0] == 0xe0 || p[0] == 0xf0) && p[1] < least[len])
        return 0;
    if ((p[0] == 0xed || p[0] == 0xf4) && p[1] > most[len])
        return 0;
    return len;
}

#endif
