/* base/clock.c: the two clocks. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include <stdatomic.h>
#include <time.h>

static _Atomic int64_t utc_offset;

static int64_t read_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_utc_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000 + atomic_load_explicit(&utc_offset, memory_order_relaxed);
}

/* Another reading of the clock for each request would cost more than its line of the log. */
int64_t clock_utc_ms_at(int64_t monotonic_us)
{
    enum { KEPT_US = 100000 };
    static __thread int64_t apart_us, until_us = INT64_MIN;

    if (monotonic_us >= until_us) {
        apart_us = read_us(CLOCK_REALTIME) - read_us(CLOCK_MONOTONIC);
        until_us = monotonic_us + KEPT_US;
    }
    return (monotonic_us + apart_us) / 1000 +
           atomic_load_explicit(&utc_offset, memory_order_relaxed);
}

int64_t clock_monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}
int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_us() / 1000;
}

void clock_shift_for_test(int64_t utc_offset_ms)
{
    atomic_store_explicit(&utc_offset, utc_offset_ms, memory_order_relaxed);
}
