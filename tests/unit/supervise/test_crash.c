/* Last words, as they are said in a signal handler. SPDX-License-Identifier: Apache-2.0 */
#include "supervise/channel.h"
#include "supervise/crash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

static struct crash say_and_hear(const struct crash *said)
{
    static char text[CHANNEL_MESSAGE_MAX];
    struct crash heard = {0};
    int ends[2], passed, len;

    cr_assert(channel_create(ends));
    crash_send(ends[0], said);
    len = channel_receive(ends[1], text, false, &passed);
    cr_assert_gt(len, 0);
    cr_assert(crash_parse((stoa_str){text, (uint64_t)len}, &heard));
    close(ends[0]);
    close(ends[1]);
    return heard;
}

Test(crash, all_of_it_arrives)
{
    struct crash said = {
        .signal = 11, .plugin = "giftwrap", .generation = 1234567890123, .route = "/a/{b}"};
    struct crash heard;

    crash_format_address(0x55d0c0ffee, said.address);
    heard = say_and_hear(&said);
    cr_assert_eq(heard.signal, 11);
    cr_assert_str_eq(heard.plugin, "giftwrap");
    cr_assert_eq(heard.generation, 1234567890123);
    cr_assert_str_eq(heard.address, "0x00000055d0c0ffee");
    cr_assert_str_eq(heard.route, "/a/{b}");
    cr_assert(!heard.is_called);
}

Test(crash, what_is_not_known_is_empty)
{
    struct crash said = {.signal = 6, .is_called = true};
    struct crash heard = say_and_hear(&said);

    cr_assert_eq(heard.signal, 6);
    cr_assert_str_empty(heard.plugin);
    cr_assert_str_empty(heard.route);
    cr_assert(heard.is_called);
}

Test(crash, a_blank_does_not_make_two_words)
{
    struct crash said = {.signal = 4, .plugin = "p", .route = "/a b"};
    struct crash heard = say_and_hear(&said);

    cr_assert_str_eq(heard.route, "/a_b");
}

Test(crash, anything_else_is_no_crash)
{
    static const char *const texts[] = {"",
                                        "crash",
                                        "crash x y 1 0x0 /",
                                        "crashes 1 p 1 0x0 / own",
                                        "crash 11 p z 0x0 /",
                                        "crash -1 p 1 0x0 /",
                                        "crash 65 p 1 0x0 /"};
    struct crash ret;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        cr_assert(!crash_parse(stoa_str_of(texts[i]), &ret), "%s", texts[i]);
}

Test(crash, long_words_are_cut_not_overrun)
{
    char text[700];
    struct crash ret;

    snprintf(text, sizeof text, "crash 11 %0200d 7 %0100d %0300d own", 1, 2, 3);
    cr_assert(crash_parse(stoa_str_of(text), &ret));
    cr_assert_eq(strlen(ret.plugin), sizeof ret.plugin - 1);
    cr_assert_eq(strlen(ret.route), sizeof ret.route - 1);
}
