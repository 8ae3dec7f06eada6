/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stoa/time.h>
#include <time.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(time, .init = start, .fini = end);

static void is_written(stoa_ms t, const char *text)
{
    stoa_str written = stoa_time_format(arena, t);
    cr_assert(stoa_str_is(written, text), "%s, not %s", written.ptr, text);
}

static void is_read(const char *text, stoa_ms expected)
{
    stoa_ms t = -7;

    cr_assert_eq(stoa_time_parse(stoa_str_of(text), &t), STOA_OK, "%s", text);
    cr_assert_eq(t, expected, "%s: %ld", text, (long)t);
}

Test(time, writes_known_instants)
{
    is_written(0, "1970-01-01T00:00:00.000Z");
    is_written(-1, "1969-12-31T23:59:59.999Z");
    is_written(1795369475120, "2026-11-22T17:44:35.120Z");
    is_written(951782400000, "2000-02-29T00:00:00.000Z");
    is_written(253402300799999, "9999-12-31T23:59:59.999Z");
    is_written(-62167219200000, "0000-01-01T00:00:00.000Z");
    is_written(INT64_MAX, "9999-12-31T23:59:59.999Z");
    is_written(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

Test(time, reads_what_it_writes_and_agrees_with_libc)
{
    for (stoa_ms t = -62167219200000; t < 253402300800000; t += 86400000 * 11 + 3723456) {
        stoa_str text = stoa_time_format(arena, t);
        stoa_ms again = 0;
        char expected[80];
        time_t seconds = (t - ((t % 1000) + 1000) % 1000) / 1000;
        struct tm tm;

        cr_assert_eq(stoa_time_parse(text, &again), STOA_OK);
        cr_assert_eq(again, t);
        gmtime_r(&seconds, &tm);
        snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        cr_assert(stoa_str_starts(text, stoa_str_of(expected)), "%s", expected);
        stoa_arena_reset(arena);
    }
}

Test(time, reads_offsets_fractions_and_small_letters)
{
    is_read("1970-01-01T01:00:00+01:00", 0);
    is_read("1969-12-31T18:30:00-05:30", 0);
    is_read("1970-01-01t00:00:00z", 0);
    is_read("1970-01-01T00:00:00.5Z", 500);
    is_read("1970-01-01T00:00:00.123999999999Z", 123);
    is_read("2016-12-31T23:59:60Z", 1483228800000);
    is_read("2017-01-01T05:29:60.250+05:30", 1483228800250);
    is_read("2024-02-29T00:00:00Z", 1709164800000);
}

Test(time, refuses_what_is_no_instant)
{
    static const char *const texts[] = {"",
                                        "2026-11-22",
                                        "2026-11-22T17:44:35",
                                        "2026-11-22 17:44:35Z",
                                        "2026-11-22T17:44Z",
                                        "2026-11-22T17:44:35.Z",
                                        "2026-11-22T17:44:35,5Z",
                                        "2026-11-22T24:00:00Z",
                                        "2026-11-22T17:60:00Z",
                                        "2026-11-22T17:44:61Z",
                                        "2026-11-22T17:44:60Z",
                                        "2026-13-01T00:00:00Z",
                                        "2026-00-01T00:00:00Z",
                                        "2026-11-31T00:00:00Z",
                                        "2026-11-00T00:00:00Z",
                                        "2026-02-29T00:00:00Z",
                                        "1900-02-29T00:00:00Z",
                                        "2026-11-22T17:44:35+1:00",
                                        "2026-11-22T17:44:35+24:00",
                                        "2026-11-22T17:44:35+01:60",
                                        "2026-11-22T17:44:35Zx",
                                        "2026-11-22T17:44:35Z ",
                                        "26-11-22T17:44:35Z",
                                        "+2026-11-22T17:44:35Z",
                                        "2026-11-22T17:44:35+0100",
                                        "2026-1-22T17:44:35Z"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        stoa_ms t = -7;
        cr_assert_eq(stoa_time_parse(stoa_str_of(texts[i]), &t), STOA_E_INVALID, "%s", texts[i]);
        cr_assert_eq(t, -7);
    }
}
