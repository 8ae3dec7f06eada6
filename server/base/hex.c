/* base/hex.c: bytes as hexadecimal digits. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

static int32_t value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void hex_encode(const void *bytes, uint64_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (uint64_t i = 0; i < len; i++) {
        *out++ = digits[p[i] >> 4];
        *out++ = digits[p[i] & 15];
    }
}

bool hex_decode(stoa_str text, void *ret, uint64_t len)
{
    uint8_t *out = ret;
    int32_t all = 0; /* negative when one of them was */

    if (text.len != len * 2)
        return false;
    for (uint64_t i = 0; i < len; i++) {
        int32_t high = value(text.ptr[2 * i]), low = value(text.ptr[2 * i + 1]);
        all |= high | low;
        out[i] = (uint8_t)((uint32_t)high << 4 | ((uint32_t)low & 15));
    }
    return all >= 0;
}

bool hex_is(stoa_str text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (value(text.ptr[i]) < 0)
            return false;
    return text.len > 0;
}
