/* SPDX-License-Identifier: Apache-2.0 */
#include "id_format.h"
#include <criterion/criterion.h>
#include <signal.h>
#include <stoa/id.h>

static const uint8_t chance[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static struct stoa_arena *arena;

static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(id, .init = start, .fini = end);

Test(id, encodes_bits_in_crockfords_alphabet)
{
    uint8_t bits[16] = {0};
    char text[ID_BODY];

    id_encode(bits, text);
    cr_assert_arr_eq(text, "00000000000000000000000000", ID_BODY);
    bits[15] = 33;
    id_encode(bits, text);
    cr_assert_arr_eq(text, "00000000000000000000000011", ID_BODY);
    memset(bits, 0xff, sizeof(bits));
    id_encode(bits, text);
    cr_assert_arr_eq(text, "7zzzzzzzzzzzzzzzzzzzzzzzzz", ID_BODY);
}

/* RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F. */
Test(id, puts_a_uuidv7_behind_its_prefix)
{
    static const uint8_t rfc[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    static const uint8_t uuid[16] = {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3,
                                     0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    stoa_str id = id_format(arena, "ord", INT64_C(0x017f22e279b0), rfc);
    char body[ID_BODY];

    id_encode(uuid, body);
    cr_assert_eq(id.len, 30);
    cr_assert(stoa_str_starts(id, STOA_STR("ord_")));
    cr_assert_arr_eq(id.ptr + 4, body, ID_BODY);
}

Test(id, sorts_by_the_time_it_was_made)
{
    static const uint8_t none[10] = {0};
    stoa_str before = id_format(arena, "ord", 1764000000000, chance);
    stoa_str after = id_format(arena, "ord", 1764000000001, none);

    cr_assert_lt(memcmp(before.ptr, after.ptr, before.len), 0);
}

Test(id, knows_its_own_form)
{
    stoa_str id = id_format(arena, "ord", 1764000000000, chance);

    cr_assert(stoa_id_is(id, "ord"));
    cr_assert_not(stoa_id_is(id, "crt"));
    cr_assert_not(stoa_id_is(id, "or"));
    cr_assert_not(stoa_id_is(stoa_str_sub(id, 0, 29), "ord"));
    cr_assert_not(stoa_id_is(stoa_concat(arena, id, STOA_STR("0")), "ord"));
    cr_assert_not(stoa_id_is(STOA_STR(""), "ord"));
    cr_assert_not(stoa_id_is(STOA_STR("ord_0000000000000000000000000u"), "ord"));
    cr_assert_not(stoa_id_is(STOA_STR("ord_0000000000000000000000000A"), "ord"));
    cr_assert_not(stoa_id_is(STOA_STR("ord_0000000000000000000000000\0"), "ord"));
    cr_assert_not(stoa_id_is(STOA_STR("ord-00000000000000000000000000"), "ord"));
}

Test(id, refuses_a_prefix_in_capitals, .signal = SIGABRT)
{
    id_format(arena, "ORD", 0, chance);
}
Test(id, refuses_a_prefix_too_long, .signal = SIGABRT)
{
    id_format(arena, "abcdefghi", 0, chance);
}
