/* The cart's cookie. SPDX-License-Identifier: Apache-2.0 */
#include "../storefront.h"
#include <criterion/criterion.h>

#define ID "crt_01m829c1k9ekxr5jm5b9x1pd7y"
#define TOKEN "5277f2j8m3k5q35h91n6zkknss"

Test(cookie, is_an_id_and_a_token)
{
    struct basket b;

    cr_assert(basket_parse(STOA_STR(ID "." TOKEN), &b));
    cr_assert(stoa_str_is(b.id, ID) && stoa_str_is(b.token, TOKEN));
}

Test(cookie, that_is_anything_else_is_no_cart)
{
    static const char *const bad[] = {
        "",
        ".",
        ID,
        ID ".",
        "." TOKEN,
        ID "." TOKEN "x",
        ID "." TOKEN "." TOKEN,
        "ord_01m829c1k9ekxr5jm5b9x1pd7y." TOKEN,
        "crt_../../../../etc/passwd." TOKEN,
        ID ".5277f2j8m3k5q35h91n6zkkn%0",
        ID ".5277f2j8m3k5q35h91n6zkkn\r\n",
    };
    struct basket b = {STOA_STR("kept"), STOA_STR("kept")};

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(basket_parse(stoa_str_of(bad[i]), &b), "%s", bad[i]);
    cr_assert(stoa_str_is(b.id, "kept"));
}
