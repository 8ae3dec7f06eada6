/* port/stall.c: a thread that looks from outside, as the loop itself cannot: it may never come
 * back. SPDX-License-Identifier: Apache-2.0 */
#include "port/stall.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "fiber/fiber.h"
#include "plugin/text_map.h"
#include <pthread.h>
#include <time.h>

enum { LOOK_EACH_MS = 25, LOOPS_MAX = 64 };

/* What each loop's fiber was doing when last looked at. */
struct seen {
    uint64_t turn;
    int64_t since_ms;
    bool is_told;
};

static void tell(uint32_t loop, const struct text_owner *owner, int64_t ms)
{
    metric_add(METRIC_loop_stalls_total, 1);
    log_error("stall", "a plugin keeps a loop busy", stoa_f("plugin", stoa_z(owner->name)),
              stoa_f("generation", stoa_i((int64_t)owner->generation)),
              stoa_f("loop", stoa_i(loop)), stoa_f("ms", stoa_i(ms)));
    log_flush();
}

static void look(void *data, const struct fiber_running *running)
{
    struct seen *seen = running->loop < LOOPS_MAX ? (struct seen *)data + running->loop : NULL;
    const struct text_owner *owner = text_map_find((uintptr_t)running->label);
    int64_t now = clock_monotonic_ms();

    if (!seen || !owner)
        return;
    if (seen->turn != running->turn) {
        *seen = (struct seen){running->turn, now, false};
        return;
    }
    if (seen->is_told || now - seen->since_ms < STALL_MS)
        return;
    seen->is_told = true;
    tell(running->loop, owner, now - seen->since_ms);
}

static void *thread_main(void *unused)
{
    static struct seen seen[LOOPS_MAX];
    const struct timespec pause = {0, LOOK_EACH_MS * 1000000L};

    for (;;) {
        nanosleep(&pause, NULL);
        fiber_look(look, seen);
    }
    return NULL;
}

void stall_watch(void)
{
    (void)thread_start("stall", thread_main, NULL, NULL); /* without it a stall is not told */
}
