/* number.c: whole numbers to and from decimal. SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

bool number_parse_int(stoa_str text, int64_t *ret)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';
    uint64_t i = negative ? 1 : 0;
    int64_t v = 0;

    if (i == text.len)
        return false;
    for (; i < text.len; i++) {
        int64_t digit = text.ptr[i] - '0';
        if (digit < 0 || digit > 9)
            return false;
        /* Counted downwards: the smallest number has no positive twin. */
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (!negative && __builtin_mul_overflow(v, -1, &v))
        return false;
    *ret = v;
    return true;
}

static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                            "25262728293031323334353637383940414243444546474849"
                            "50515253545556575859606162636465666768697071727374"
                            "75767778798081828384858687888990919293949596979899";

uint32_t number_format_int(char *out, int64_t v)
{
    char digits[NUMBER_INT_MAX], *end = digits + sizeof(digits), *at = end;
    uint64_t rest = v < 0 ? -(uint64_t)v : (uint64_t)v;

    while (rest >= 100) {
        at -= 2;
        memcpy(at, pairs + rest % 100 * 2, 2);
        rest /= 100;
    }
    if (rest >= 10) {
        at -= 2;
        memcpy(at, pairs + rest * 2, 2);
    } else {
        *--at = (char)('0' + rest);
    }
    if (v < 0)
        *--at = '-';
    memcpy(out, at, (size_t)(end - at));
    return (uint32_t)(end - at);
}
