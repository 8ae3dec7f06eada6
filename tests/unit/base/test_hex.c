/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include <criterion/criterion.h>

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
