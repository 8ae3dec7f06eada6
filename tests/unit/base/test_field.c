/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"
#include <criterion/criterion.h>
#include <stdbool.h>
#include <string.h>

static bool is_fit(unsigned char c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

Test(field, finds_the_first_byte_that_no_value_holds_wherever_it_is)
{
    char text[35];

    for (int value = 0; value < 256; value++)
        for (size_t len = 1; len < sizeof text; len++)
            for (size_t at = 0; at < len; at++) {
                memset(text, at % 2 ? ' ' : '\xff', len);
                text[at] = (char)value;
                cr_assert_eq(field_value_end(text, text + len) - text,
                             is_fit((unsigned char)value) ? (ptrdiff_t)len : (ptrdiff_t)at);
            }
}

/* A byte that is one may make those behind it look so, and a tab is none. */
Test(field, is_not_misled_by_neighbours)
{
    static const unsigned char few[] = {0, '\t', 0x1f, ' ', '!', 0x7e, 0x7f, 0x80, 0xff};
    enum { FEW = sizeof few };
    unsigned char text[10];

    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < (size_t)FEW * FEW * FEW * FEW; i++) {
        const char *start = (char *)text, *end = start + sizeof text;
        ptrdiff_t expected = 0;
        text[2] = few[i % FEW];
        text[3] = few[i / FEW % FEW];
        text[4] = few[i / FEW / FEW % FEW];
        text[8] = few[i / FEW / FEW / FEW];
        while (expected < (ptrdiff_t)sizeof text && is_fit(text[expected]))
            expected++;
        cr_assert_eq(field_value_end(start, end) - start, expected);
    }
}
