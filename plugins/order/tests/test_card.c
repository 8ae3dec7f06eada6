/* SPDX-License-Identifier: Apache-2.0 */
#include "card.h"

#include <criterion/criterion.h>

static bool in_json(const char *text)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct stoa_json *json;
    bool found;

    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &json), STOA_OK);
    found = card_is_in_json(json);
    stoa_arena_destroy(arena);
    return found;
}

Test(card, sees_numbers_of_the_big_issuers)
{
    static const char *const numbers[] = {
        "4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111", "5555555555554444",
        "2223003122003222", "378282246310005",     "6011111111111117",    "30569309025904",
        "3530111333300000", "6212345678901265"};

    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        cr_expect(card_is_in_text(stoa_str_of(numbers[i])), "%s", numbers[i]);
}

Test(card, sees_numbers_inside_other_text)
{
    cr_expect(card_is_in_text(STOA_STR("please use 4111 1111 1111 1111, thanks")));
    cr_expect(card_is_in_text(STOA_STR("No 12 4111 1111 1111 1111")), "after a house number");
    cr_expect(card_is_in_text(STOA_STR("4111 1111 1111 1111 12/29")), "with its expiry");
    cr_expect(card_is_in_text(STOA_STR("4111.1111.1111.1111")));
}

Test(card, lets_other_numbers_pass)
{
    static const char *const others[] = {"",
                                         "7",
                                         "4111111111111112",
                                         "+49 1512 3456789",
                                         "+4915123456789",
                                         "1234567890123456",
                                         "0711 1234567",
                                         "4111111111111111111111111",
                                         "DE89 3704 0044 0532 0130 00",
                                         "1999",
                                         "ord_01m8298nf0e928ge2rmx4e6h9k"};

    for (uint32_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_expect_not(card_is_in_text(stoa_str_of(others[i])), "%s", others[i]);
}

Test(card, does_not_believe_a_plus)
{
    cr_expect(card_is_in_text(STOA_STR("+4111111111111111")), "too long for a telephone");
}

Test(card, looks_into_every_corner_of_a_body)
{
    cr_expect(in_json("{\"a\":[{\"b\":\"4111111111111111\"}]}"));
    cr_expect(in_json("{\"a\":4111111111111111}"));
    cr_expect(in_json("{\"a\":4111111111111111.0}"));
    cr_expect(in_json("{\"4111111111111111\":1}"));
    cr_expect(in_json("{\"a\":\"\\u0034111111111111111\"}"), "escaped");
    cr_expect_not(in_json("{\"a\":[1,2.5,true,null,\"x\"],\"b\":{\"c\":-4111111111111111}}"));
    cr_expect_not(card_is_in_json(NULL));
}
