/* base/field.c: eight bytes at a time; every head of every request and reply passes here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

static const char *end_in_rest(const char *at, const char *end)
{
    while (at != end && ((uint8_t)*at >= 0x20 || *at == '\t') && *at != 0x7f)
        at++;
    return at;
}

const char *field_value_end(const char *at, const char *end)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;

    while (end - at >= 8) {
        uint64_t word, low, del, found;
        memcpy(&word, at, 8);
        low = (word - ones * 0x20) & ~word & tops;
        del = word ^ (ones * 0x7f);
        found = low | ((del - ones) & ~del & tops);
        if (!found) {
            at += 8;
            continue;
        }
        /* The first one is one; behind it a bit may be borrowed. */
        at += __builtin_ctzll(found) / 8;
        if (*at != '\t')
            return at;
        at++;
    }
    return end_in_rest(at, end);
}
