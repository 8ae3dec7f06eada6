/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

Test(clock, never_runs_backwards)
{
    int64_t before = clock_monotonic_us();

    for (uint32_t i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_us();
        cr_assert_geq(now, before);
        before = now;
    }
    cr_assert_geq(clock_monotonic_ms(), before / 1000);
}

Test(clock, tells_when_in_utc_something_was)
{
    int64_t now_us = clock_monotonic_us();

    cr_assert_leq(labs(clock_utc_ms_at(now_us) - clock_utc_ms()), 60000);
    cr_assert_eq(clock_utc_ms_at(now_us + 5000) - clock_utc_ms_at(now_us), 5);
    cr_assert_leq(labs(clock_utc_ms_at(now_us + 3600000000) - clock_utc_ms() - 3600000), 60000);
    clock_shift_for_test(86400000);
    cr_assert_leq(labs(clock_utc_ms_at(now_us) - 86400000 - (int64_t)time(NULL) * 1000), 60000);
    clock_shift_for_test(0);
}

Test(clock, tells_utc_and_can_be_shifted_by_tests)
{
    int64_t libc_ms = (int64_t)time(NULL) * 1000;

    cr_assert_leq(clock_utc_ms() - libc_ms, 60000);
    cr_assert_geq(clock_utc_ms() - libc_ms, -1000);
    clock_shift_for_test(86400000);
    cr_assert_geq(clock_utc_ms() - libc_ms, 86400000 - 1000);
    clock_shift_for_test(0);
    cr_assert_leq(clock_utc_ms() - libc_ms, 60000);
}
