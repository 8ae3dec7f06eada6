/* What was cut with its world has not failed. SPDX-License-Identifier: Apache-2.0 */
#include "call/jobs.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "call/events.h"
#include "call/journal.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "testing.h"
#include <criterion/criterion.h>

enum { PATIENCE_MS = 60000, A_MINUTE_MS = 60 * 1000, EXPIRE_EVERY_MS = 10 * A_MINUTE_MS };

static uint32_t began, expiring, complaints;
static bool is_bad, is_over;

/* The linker puts these in the real ones' places: the first time old rows are looked for at once,
 * and who sleeps for long ends with the test. */
stoa_err __real_fiber_sleep(int64_t ms); /* NOLINT */
stoa_err __wrap_fiber_sleep(int64_t ms); /* NOLINT */
stoa_err __wrap_fiber_sleep(int64_t ms)  /* NOLINT */
{
    if (ms == EXPIRE_EVERY_MS && expiring == 0)
        return STOA_OK;
    for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;) {
        STOA_TRY(__real_fiber_sleep(1));
        if (is_over)
            return STOA_E_CANCELLED;
    }
    return STOA_OK;
}

stoa_err __wrap_journal_expire(struct sql *sql); /* NOLINT */
stoa_err __wrap_journal_expire(struct sql *sql)  /* NOLINT */
{
    expiring++;
    return __wrap_fiber_sleep(A_MINUTE_MS);
}

void __real_log_put(stoa_level level, const char *area, const char *message, /* NOLINT */
                    struct stoa_fields fields);
void __wrap_log_put(stoa_level level, const char *area, const char *message, /* NOLINT */
                    struct stoa_fields fields);
void __wrap_log_put(stoa_level level, const char *area, const char *message, /* NOLINT */
                    struct stoa_fields fields)
{
    complaints += strcmp(message, "a job failed") == 0 ||
                  strcmp(message, "old rows could not be deleted") == 0;
    __real_log_put(level, area, message, fields);
}

static stoa_err dawdle(struct stoa_req *req, void *self)
{
    began++;
    return is_bad ? STOA_E_STORE : stoa_sleep(req, A_MINUTE_MS);
}

static const struct stoa_plugin_v1 toy = {
    .jobs = STOA_JOBS({"tick", dawdle, .every_ms = 100, .timeout_ms = A_MINUTE_MS})};
static const struct t_plugin plugins[] = {{"toy", &toy}};
static const struct t_shop t_shop = {plugins, 1};

static void wait_until(const uint32_t *count)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (*count == 0 && clock_monotonic_ms() < until)
        cr_assert_eq(__real_fiber_sleep(1), STOA_OK);
    cr_assert_gt(*count, 0);
}

static struct world_hold *find_hold(const char *name)
{
    struct world_hold *h = world_holds();

    while (h && !(h->name && strcmp(h->name, name) == 0))
        h = h->next;
    return h;
}

static void cut(const char *name)
{
    struct world_hold *h = find_hold(name);

    cr_assert(h && h->cut(h));
    while (find_hold(name) == h)
        cr_assert_eq(__real_fiber_sleep(1), STOA_OK);
}

/* A world without the job ends its fiber. */
static void end_all(void)
{
    is_over = true;
    t_world()->wiring->job_count = 0;
    jobs_start(t_world());
}

STOA_TEST(a_job_that_was_cut_has_not_failed)
{
    jobs_start(t_world());
    wait_until(&began);
    cut("toy.tick");
    cr_assert_eq(metric_value(METRIC_jobs_run_total), 1);
    cr_assert_eq(metric_value(METRIC_jobs_failed_total), 0);
    cr_assert_eq(complaints, 0);
    is_bad = true; /* one that fails by itself has */
    wait_until(&complaints);
    cr_assert_geq(metric_value(METRIC_jobs_failed_total), 1);
    end_all();
}

STOA_TEST(a_search_for_old_rows_that_was_cut_goes_no_further)
{
    struct resources *resources = t_world()->resources;

    resources->sql[resources->sql_count++] = t_sql(); /* twice */
    jobs_start(t_world());
    wait_until(&expiring);
    cut("journal.expire");
    cr_assert_eq(expiring, 1);
    cr_assert_eq(complaints, 0);
    resources->sql_count--;
    end_all();
}
