/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include <criterion/criterion.h>
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
