/* order/number.c: order numbers. SPDX-License-Identifier: Apache-2.0 */
#include "number.h"

enum { DIGITS = 12, TIME_DIGITS = 7, SLOT_MS = 64, GROUP = 4 };
#define EPOCH_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static stoa_str grouped(struct stoa_arena *arena, const char *digits)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, DIGITS + DIGITS / GROUP);
    for (uint32_t i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0)
            stoa_buf_char(&out, '-');
        stoa_buf_char(&out, digits[i]);
    }
    return stoa_buf_str(&out);
}

stoa_str number_make(struct stoa_arena *arena, int64_t now_ms, uint64_t chance)
{
    uint64_t slot = now_ms > EPOCH_MS ? (uint64_t)(now_ms - EPOCH_MS) / SLOT_MS : 0;
    char digits[DIGITS];

    for (uint32_t i = 0; i < TIME_DIGITS; i++)
        digits[TIME_DIGITS - 1 - i] = alphabet[(slot >> (5 * i)) & 31];
    for (uint32_t i = TIME_DIGITS; i < DIGITS; i++, chance >>= 5)
        digits[i] = alphabet[chance & 31];
    return grouped(arena, digits);
}

/* What people read for what we print. */
static char digit_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        return '0';
    return c == 'I' || c == 'L' ? '1' : c;
}

stoa_err number_parse(struct stoa_arena *arena, stoa_str text, stoa_str *ret)
{
    char digits[DIGITS];
    uint32_t count = 0;

    for (uint64_t i = 0; i < text.len; i++) {
        char c = digit_of(text.ptr[i]);
        if (c == '-' || c == ' ')
            continue;
        if (c == '\0' || !strchr(alphabet, c) || count == DIGITS)
            return STOA_E_INVALID;
        digits[count++] = c;
    }
    if (count != DIGITS)
        return STOA_E_INVALID;
    *ret = grouped(arena, digits);
    return STOA_OK;
}
