/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>

static struct stoa_arena *arena;
static void start(void)
{
    arena = stoa_arena_create();
}
static void end(void)
{
    stoa_arena_destroy(arena);
}
TestSuite(metrics, .init = start, .fini = end);

static bool shows(const char *lines)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 0);
    metrics_format(&out);
    stoa_buf_char(&out, '\0');
    return strstr(out.ptr, lines) != NULL;
}

static void *count(void *arg)
{
    for (uint32_t i = 0; i < 1000; i++) {
        metric_add(METRIC_requests_total, 1);
        metric_add(METRIC_requests_in_flight, 2);
        metric_add(METRIC_requests_in_flight, -2);
    }
    return arg;
}

Test(metrics, sums_over_threads_that_live_and_that_have_ended)
{
    pthread_t threads[4];

    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < 4; i++)
            cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
        for (uint32_t i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    count(NULL);
    cr_assert_eq(metric_value(METRIC_requests_total), 13000);
    cr_assert_eq(metric_value(METRIC_requests_in_flight), 0);
}

Test(metrics, sets_gauges)
{
    metric_set(METRIC_outbox_pending, 7);
    metric_set(METRIC_outbox_pending, 5);
    cr_assert_eq(metric_value(METRIC_outbox_pending), 5);
    cr_assert(shows("\n# TYPE stoa_outbox_pending gauge\nstoa_outbox_pending 5\n"));
}

Test(metrics, puts_times_into_buckets)
{
    metric_observe_us(METRIC_request_seconds, 0);
    metric_observe_us(METRIC_request_seconds, 100);
    metric_observe_us(METRIC_request_seconds, 101);
    metric_observe_us(METRIC_request_seconds, 10000000);
    metric_observe_us(METRIC_request_seconds, 10000001);
    cr_assert_eq(metric_value(METRIC_request_seconds), 5);
    cr_assert(shows("# TYPE stoa_request_seconds histogram\n"
                    "stoa_request_seconds_bucket{le=\"0.0001\"} 2\n"
                    "stoa_request_seconds_bucket{le=\"0.00025\"} 3\n"));
    cr_assert(shows("_bucket{le=\"5\"} 3\nstoa_request_seconds_bucket{le=\"10\"} 4\n"
                    "stoa_request_seconds_bucket{le=\"+Inf\"} 5\n"
                    "stoa_request_seconds_sum 20.000202\nstoa_request_seconds_count 5\n"));
    cr_assert(shows("stoa_sql_seconds_count 0\n"), "the other histogram is apart");
}

Test(metrics, shows_all_of_the_table)
{
#define X(name, kind, help)                                                                        \
    cr_assert(shows("# HELP stoa_" #name " " help "\n# TYPE stoa_" #name " "));
    METRICS(X)
#undef X
}

Test(metrics, refuses_to_observe_a_counter, .signal = SIGABRT)
{
    metric_observe_us(METRIC_requests_total, 1);
}
