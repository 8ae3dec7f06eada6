/* port/watch.c: see watch.h. By processor time, so that a machine that is busy with other things
 * ends nobody. SPDX-License-Identifier: Apache-2.0 */
#include "port/watch.h"

#include "base/clock.h"
#include <stddef.h>
#include <time.h>

enum { PATIENCE = 10, LOOK_MIN_MS = 10, LOOK_MAX_MS = 250, LOOKS = 8 };

/* Of the whole process: offloaded work counts, too, but does not keep its loop from answering. */
static int64_t cpu_ms_of(pid_t pid)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return 0;
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static int64_t look_ms(const struct watch *w)
{
    int64_t ms = w->o.cpu_ms / LOOKS;

    return ms < LOOK_MIN_MS ? LOOK_MIN_MS : ms > LOOK_MAX_MS ? LOOK_MAX_MS : ms;
}

static void ask(struct watch *w)
{
    w->asked++;
    w->is_late = false;
    w->asked_ms = clock_monotonic_ms();
    w->asked_cpu_ms = cpu_ms_of(w->o.pid);
    w->o.ping(w->o.data, w->asked);
}

static bool is_over(const struct watch *w)
{
    return cpu_ms_of(w->o.pid) - w->asked_cpu_ms >= w->o.cpu_ms ||
           clock_monotonic_ms() - w->asked_ms >= (int64_t)w->o.cpu_ms * PATIENCE;
}

static void on_timer(struct loop_timer *timer)
{
    struct watch *w = (struct watch *)((char *)timer - offsetof(struct watch, timer));

    /* One more look: if this loop stood still, its answer lies there unread. */
    if (w->answered == w->asked) {
        ask(w);
    } else if (!w->is_late) {
        w->is_late = is_over(w);
    } else {
        watch_stop(w);
        w->o.hangs(w->o.data, "a handler kept its loop busy for longer than its limit");
        return;
    }
    if (w->is_on)
        loop_timer_arm(w->o.loop, &w->timer, look_ms(w));
}

void watch_start(struct watch *watch, const struct watch_options *options)
{
    if (watch->is_on)
        return;
    watch->o = *options;
    watch->is_on = true;
    watch->timer.fire = on_timer;
    watch->answered = watch->asked;
    loop_timer_arm(watch->o.loop, &watch->timer, look_ms(watch));
}

void watch_stop(struct watch *watch)
{
    if (!watch->is_on)
        return;
    watch->is_on = false;
    loop_timer_cancel(watch->o.loop, &watch->timer);
}

void watch_pong(struct watch *watch, uint32_t number)
{
    if (number == watch->asked)
        watch->answered = number;
}
