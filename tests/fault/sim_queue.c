/* tests/fault/sim_queue.c: time and chance. SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void swap(struct event *a, struct event *b)
{
    struct event kept = *a;

    *a = *b;
    *b = kept;
}

/* A binary heap. */
void sim_at(struct sim *sim, int64_t delay_ms, struct event event)
{
    uint32_t i = sim->queue_count++;

    if (sim->queue_count > QUEUE_MAX) {
        fprintf(stderr, "simulator: seed %llu has more than %d events at once\n",
                (unsigned long long)sim->seed, QUEUE_MAX);
        abort();
    }
    event.at = sim->now + delay_ms;
    event.number = sim->numbers++;
    sim->queue[i] = event;
    for (; i > 0 && is_before(&sim->queue[i], &sim->queue[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&sim->queue[i], &sim->queue[(i - 1) / 2]);
}

bool sim_next(struct sim *sim, struct event *ret)
{
    uint32_t i = 0;

    if (sim->queue_count == 0)
        return false;
    *ret = sim->queue[0];
    sim->queue[0] = sim->queue[--sim->queue_count];
    for (;;) {
        uint32_t least = i;
        for (uint32_t child = 2 * i + 1; child <= 2 * i + 2 && child < sim->queue_count; child++)
            if (is_before(&sim->queue[child], &sim->queue[least]))
                least = child;
        if (least == i)
            return true;
        swap(&sim->queue[i], &sim->queue[least]);
        i = least;
    }
}

/* A counter through a finaliser: each seed has its own sequence, from the first number on. */
uint64_t sim_random(struct sim *sim, uint64_t below)
{
    uint64_t x = sim->random += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x ^ (x >> 31)) % below;
}

bool sim_chance(struct sim *sim, uint32_t percent)
{
    return sim->now < FAULTS_END_MS && sim_random(sim, 100) < percent;
}

void sim_note(struct sim *sim, const char *what, uint64_t a, uint64_t b)
{
    const uint64_t parts[] = {(uint64_t)sim->now, a, b};

    for (const char *c = what; *c; c++)
        sim->trace = (sim->trace ^ (uint8_t)*c) * UINT64_C(0x100000001b3);
    for (uint32_t i = 0; i < 3; i++)
        sim->trace = (sim->trace ^ parts[i]) * UINT64_C(0x100000001b3);
    if (sim->is_talkative)
        printf("%8lld ms  %-28s %llu %llu\n", (long long)sim->now, what, (unsigned long long)a,
               (unsigned long long)b);
}

void sim_fail(struct sim *sim, const char *why)
{
    sim_note(sim, why, 0, 0);
    if (!sim->failure)
        sim->failure = why;
}
