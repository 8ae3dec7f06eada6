/* SPDX-License-Identifier: Apache-2.0 */
#include "base/diag.h"
#include <criterion/criterion.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(diag, .init = start, .fini = end);

static void reads(const struct diag *diag, const char *expected)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    diag_format(diag, &out);
    cr_assert(stoa_str_is(stoa_buf_str(&out), expected), "%.*s", (int)out.len, out.ptr);
}

Test(diag, says_where_what_and_how_to_mend_it)
{
    struct diag diag;

    diag_set(&diag, "config.lua", 12, 5, "no such key: %s", "prot");
    reads(&diag, "config.lua:12:5: no such key: prot");
    diag_hint(&diag, "did you mean \"%s\"?", "port");
    strcpy(diag.source, "\tx\xc3\xa9 prot = 1");
    reads(&diag, "config.lua:12:5: no such key: prot; did you mean \"port\"?\n"
                 "    \tx\xc3\xa9 prot = 1\n    \t  ^");
}

Test(diag, leaves_out_what_it_does_not_know)
{
    struct diag diag;

    diag_set(&diag, "a.so", 0, 0, "truncated");
    reads(&diag, "a.so: truncated");
    diag_set(&diag, "a.lua", 3, 0, "odd");
    reads(&diag, "a.lua:3: odd");
    diag_set(&diag, NULL, 0, 0, "odd");
    reads(&diag, "odd");
    diag_set(&diag, "a", 1, 99, "odd");
    strcpy(diag.source, "short");
    reads(&diag, "a:1:99: odd\n    short");
}

Test(diag, cuts_what_is_too_long)
{
    char longer[2000];
    struct diag diag;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    diag_set(&diag, longer, 1, 1, "%s", longer);
    diag_hint(&diag, "%s", longer);
    cr_assert_eq(strlen(diag.file), sizeof(diag.file) - 1);
    cr_assert_eq(strlen(diag.message), sizeof(diag.message) - 1);
    cr_assert_eq(strlen(diag.hint), sizeof(diag.hint) - 1);
}

static const char *nearest(const char *word)
{
    static const char *const keys[] = {"listen",          "port", "resources",
                                       "trusted_proxies", "sql",  "a"};
    const char *found = diag_did_you_mean(word, keys, 6);
    return found ? found : "";
}

Test(diag, guesses_what_was_meant)
{
    cr_assert_str_eq(nearest("prot"), "port");
    cr_assert_str_eq(nearest("lisen"), "listen");
    cr_assert_str_eq(nearest("ressource"), "resources");
    cr_assert_str_eq(nearest("trustd_proxy"), "trusted_proxies");
    cr_assert_str_eq(nearest("sqk"), "sql");
    cr_assert_str_eq(nearest("slq"), "sql"); /* one swap, not two replacements */
    cr_assert_str_eq(nearest("port"), "port");
}

Test(diag, guesses_nothing_from_something_else)
{
    char longer[500];

    memset(longer, 'p', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    cr_assert_str_eq(nearest("banana"), "");
    cr_assert_str_eq(nearest("sun"), "");
    cr_assert_str_eq(nearest(""), "");
    cr_assert_str_eq(nearest("x"), "");
    cr_assert_str_eq(nearest(longer), "");
    cr_assert_null(diag_did_you_mean("port", NULL, 0));
}
