/* What of an address is printed. SPDX-License-Identifier: Apache-2.0 */
#include "config/config_private.h"

#include <criterion/criterion.h>

static const struct row {
    const char *text, *printed;
} rows[] = {
    {"postgresql://db:5432/shop", "postgresql://db:5432/shop"},
    {"postgresql://shop@db/shop", "postgresql://shop@db/shop"},
    {"postgresql://shop:pa55@db:5432/shop", "postgresql://shop:***@db:5432/shop"},
    {"postgresql://:pa55@db", "postgresql://:***@db"},
    {"postgresql://shop:p@a5@5@db/shop", "postgresql://shop:***@db/shop"},
    {"postgresql://shop:pa#5:5@a:1,b:2/shop", "postgresql://shop:***@a:1,b:2/shop"},
    {"postgresql://shop:pa?55@db/shop", "postgresql://***"},
    {"postgresql://shop:pa/55@db/shop", "postgresql://***"},
    {"postgresql://shop:pa55@db/shop?application_name=a@b", "postgresql://***"},
    {"postgresql://db/shop?user=shop&password=pa55", "postgresql://db/shop?user=shop&password=***"},
    {"postgresql://db/shop?password=pa@55?x", "postgresql://db/shop?password=***"},
    {"postgresql://shop:pa55@db/shop?sslpassword=pa55&sslmode=require",
     "postgresql://shop:***@db/shop?sslpassword=***&sslmode=require"},
    {"postgresql://db/shop?p%61ssword=pa55", "postgresql://db/shop?p%61ssword=***"},
    {"postgresql://db/shop?PassWord=pa&55", "postgresql://db/shop?PassWord=***&***"},
    {"postgresql://db/shop?a=&&b=c&", "postgresql://db/shop?a=&&b=c"},
    {"https://hooks.example.com/a?api_key=pa55", "https://hooks.example.com/a?api_key=***"},
};

Test(mask, hides_passwords_of_addresses_wherever_they_stand)
{
    struct stoa_arena *arena = stoa_arena_create();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        stoa_str printed = config_mask(arena, stoa_str_of(rows[i].text), i % 2);
        cr_expect(stoa_str_is(printed, rows[i].printed), "%s: %.*s", rows[i].text, (int)printed.len,
                  printed.ptr);
    }
    stoa_arena_destroy(arena);
}

Test(mask, hides_the_whole_of_a_secret_that_is_no_address)
{
    static const char *const secrets[] = {"plain", "", "host=db password=a://b", "://pa55",
                                          "pa55:x://y"};
    struct stoa_arena *arena = stoa_arena_create();

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        cr_expect(stoa_str_is(config_mask(arena, stoa_str_of(secrets[i]), true), "***"), "%s",
                  secrets[i]);
    cr_expect(stoa_str_is(config_mask(arena, STOA_STR("plain"), false), "plain"));
    stoa_arena_destroy(arena);
}
