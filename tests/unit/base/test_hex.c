/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include <criterion/criterion.h>
#include <stdio.h>

Test(hex, writes_and_reads_back)
{
    uint8_t bytes[4] = {0x00, 0x9f, 0xa0, 0xff}, again[4];
    char text[8];

    hex_encode(bytes, 4, text);
    cr_assert_arr_eq(text, "009fa0ff", 8);
    cr_assert(hex_decode((stoa_str){text, 8}, again, 4));
    cr_assert_arr_eq(again, bytes, 4);
}

Test(hex, writes_every_byte_at_every_length)
{
    uint8_t bytes[256];
    char text[513], expected[513];

    for (int i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        snprintf(expected + 2 * (size_t)i, 3, "%02x", (unsigned)i);
    }
    for (uint64_t len = 0; len <= 256; len++) {
        memset(text, '?', sizeof(text));
        hex_encode(bytes, len, text);
        cr_assert_arr_eq(text, expected, 2 * len);
        cr_assert_eq(text[2 * len], '?');
    }
}

Test(hex, refuses_all_else)
{
    uint8_t bytes[4];

    cr_assert_not(hex_decode(STOA_STR("00"), bytes, 4));
    cr_assert_not(hex_decode(STOA_STR("0000000g"), bytes, 4));
    cr_assert_not(hex_decode(STOA_STR("000000FF"), bytes, 4));
    cr_assert_not(hex_is(STOA_STR("")));
    cr_assert_not(hex_is(STOA_STR("0 ")));
}

/* Eight at a time and the rest: each byte has its pair in each place. */
Test(hex, writes_every_byte_in_every_place)
{
    uint8_t bytes[19], again[19];
    char text[40], pair[3];

    for (uint32_t value = 0; value < 256; value++)
        for (uint32_t len = 1; len <= sizeof bytes; len++) {
            memset(bytes, 0, sizeof bytes);
            bytes[len - 1] = (uint8_t)value;
            memset(text, '-', sizeof text);
            hex_encode(bytes, len, text);
            snprintf(pair, sizeof pair, "%02x", value);
            cr_assert_arr_eq(text + 2 * (len - 1), pair, 2);
            cr_assert_eq(text[2 * len], '-');
            for (uint32_t i = 0; i < 2 * (len - 1); i++)
                cr_assert_eq(text[i], '0');
            cr_assert(hex_decode((stoa_str){text, 2 * len}, again, len));
            cr_assert_arr_eq(again, bytes, len);
            cr_assert(hex_is((stoa_str){text, 2 * len - 1}));
        }
}

Test(hex, takes_no_other_byte_in_any_place)
{
    uint8_t bytes[8];

    for (uint32_t value = 0; value < 256; value++)
        for (uint32_t at = 0; at < 14; at++) {
            char text[15] = "0f19a07b5cd238";
            bool is_digit = value && strchr("0123456789abcdef", (int)value);
            text[at] = (char)value;
            cr_assert_eq(hex_decode((stoa_str){text, 14}, bytes, 7), is_digit, "%u", value);
            cr_assert_eq(hex_is((stoa_str){text, 14}), is_digit, "%u", value);
        }
}
