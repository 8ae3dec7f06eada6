/* base/hex.c: bytes as hexadecimal digits. SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

static int32_t value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

/* Four bytes at once: each half of one in a byte of its own, and what is above 9 goes on at 'a'. */
static uint64_t digits_of_4(const uint8_t *p)
{
    uint32_t bytes;
    uint64_t w, letters;

    memcpy(&bytes, p, sizeof(bytes));
    w = bytes;
    w = (w | w << 16) & UINT64_C(0x0000ffff0000ffff);
    w = (w | w << 8) & UINT64_C(0x00ff00ff00ff00ff);
    w = (w >> 4 & UINT64_C(0x000f000f000f000f)) | (w & UINT64_C(0x000f000f000f000f)) << 8;
    letters = (w + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return w + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10);
}

void hex_encode(const void *bytes, uint64_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (; len >= 4; len -= 4, p += 4, out += 8) {
        uint64_t eight = digits_of_4(p);
        memcpy(out, &eight, sizeof(eight));
    }
    for (; len > 0; len--, p++) {
        *out++ = digits[*p >> 4];
        *out++ = digits[*p & 15];
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
