/* base/hex.c: bytes as hexadecimal digits, many digits at once.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

/* A digit of each byte, which is a nibble: what is above 9 goes on at 'a'. */
static uint64_t digits_of(uint64_t nibbles)
{
    uint64_t letters = (nibbles + EACH(6)) >> 4 & EACH(1);

    return nibbles + EACH('0') + letters * ('a' - '0' - 10);
}

/* False when one of them is no digit. Letters have bit 6, digits do not; from what is neither there
 * is no way back. */
static bool nibbles_of(uint64_t digits, uint64_t *ret)
{
    *ret = (digits & EACH(15)) + (digits >> 6 & EACH(1)) * 9;
    return !(*ret & EACH(0xf0)) && digits_of(*ret) == digits;
}

typedef unsigned char bytes16 __attribute__((vector_size(16)));
typedef uint64_t words2 __attribute__((vector_size(16)));

/* Eight bytes at once: each half of one in a byte of its own. Every request has five such ids. */
static void put_digits_of_8(const uint8_t *p, char *out)
{
    words2 w = {0};
    bytes16 high, low, nibbles;

    memcpy(&w, p, 8);
    high = (bytes16)(w >> 4) & 15;
    low = (bytes16)w & 15;
    nibbles =
        __builtin_shufflevector(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    nibbles += '0' + ((bytes16)(nibbles > 9) & ('a' - '0' - 10));
    memcpy(out, &nibbles, sizeof(nibbles));
}

static bool decode_4(const char *digits, uint8_t *ret)
{
    uint64_t w;
    uint32_t bytes;

    memcpy(&w, digits, sizeof(w));
    if (!nibbles_of(w, &w))
        return false;
    w = (w << 4 | w >> 8) & UINT64_C(0x00ff00ff00ff00ff);
    w = (w | w >> 8) & UINT64_C(0x0000ffff0000ffff);
    bytes = (uint32_t)(w | w >> 16);
    memcpy(ret, &bytes, sizeof(bytes));
    return true;
}

void hex_encode(const void *bytes, uint64_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (; len >= 8; len -= 8, p += 8, out += 16)
        put_digits_of_8(p, out);
    for (; len > 0; len--, p++) {
        *out++ = digits[*p >> 4];
        *out++ = digits[*p & 15];
    }
}

/* Negative: it is none. */
static int32_t value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(stoa_str text, void *ret, uint64_t len)
{
    const char *at = text.ptr;
    uint8_t *out = ret;

    if (text.len != len * 2)
        return false;
    for (; len >= 4; len -= 4, at += 8, out += 4)
        if (!decode_4(at, out))
            return false;
    for (; len > 0; len--, at += 2) {
        int32_t high = value(at[0]), low = value(at[1]);
        if ((high | low) < 0)
            return false;
        *out++ = (uint8_t)((uint32_t)high << 4 | (uint32_t)low);
    }
    return true;
}

bool hex_is(stoa_str text)
{
    const char *at = text.ptr, *end = at + text.len;

    for (; end - at >= 8; at += 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof(eight));
        if (!nibbles_of(eight, &eight))
            return false;
    }
    for (; at != end; at++)
        if (value(*at) < 0)
            return false;
    return text.len > 0;
}
