/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stoa/str.h>

static bool is(const char *text)
{
    return stoa_str_is_email(stoa_str_of(text));
}

/* count letters between head and tail. */
static bool is_with(const char *head, size_t count, const char *tail)
{
    char text[512];
    size_t len = strlen(head);

    memcpy(text, head, len);
    memset(text + len, 'a', count);
    memcpy(text + len + count, tail, strlen(tail) + 1);
    return is(text);
}

Test(email, takes_what_a_mail_can_be_sent_to)
{
    static const char *const good[] = {"a@b.c",
                                       "ada@example.com",
                                       "a.b+c@d-e.example",
                                       "Ada.L+shop@Example.COM",
                                       "1@2.example.co",
                                       "!#$%&'*+-/=?^_`{|}~@x.yz",
                                       "a@xn--bcher-kva.example"};

    for (uint32_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_expect(is(good[i]), "%s", good[i]);
}

Test(email, refuses_what_breaks_a_header_or_comes_back)
{
    static const char *const bad[] = {
        "",          "@",         "ada",         "a@",           "@b.c",          "a@b",
        "a@b@c.d",   "a b@c.d",   "a@b.c\n",     "a@.c",         "a@b.",          "a@b..c",
        "<a@b.c>",   "a,b@c.d",   "a@b.c,d@e.f", ".a@b.c",       "john.@b.c",     "a..b@c.d",
        "a@foo_b.c", "a@-b.c",    "a@b-.c",      "a@b.c-",       "\"a b\"@c.de",  "a@[127.0.0.1]",
        "a(b)@c.d",  "a@b.c\x7f", " a@b.c",      "\xc3\xa4@b.c", "a@b\xc3\xbc.c", "a\r\n@b.c"};

    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(is(bad[i]), "%s", bad[i]);
    cr_expect_not(stoa_str_is_email(STOA_STR("a\0b@c.de")));
    cr_expect_not(stoa_str_is_email(STOA_STR("a@b.de\0")));
    cr_expect_not(stoa_str_is_email((stoa_str){NULL, 0}));
}

Test(email, keeps_to_its_limits)
{
    static const char label[] = ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    char tail[256] = "";

    cr_expect(is_with("", 64, "@b.c"));
    cr_expect_not(is_with("", 65, "@b.c"));
    cr_expect(is_with("a@", 63, ".c"));
    cr_expect_not(is_with("a@", 64, ".c"));
    for (int i = 0; i < 3; i++)
        strcat(tail, label); /* 192 bytes */
    cr_expect(is_with("ada@", 254 - 4 - 192, tail));
    cr_expect_not(is_with("ada@", 255 - 4 - 192, tail));
}
