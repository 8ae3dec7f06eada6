/* SPDX-License-Identifier: Apache-2.0 */
#include "base/aside.h"

#include <criterion/criterion.h>
#include <sys/resource.h>
#include <unistd.h>

struct seen {
    pid_t thread;
    int nice;
};

static void look(void *arg)
{
    struct seen *seen = arg;

    *seen = (struct seen){gettid(), getpriority(PRIO_PROCESS, 0)};
}

Test(aside, waits_for_work_that_others_come_before)
{
    int nice = getpriority(PRIO_PROCESS, 0);
    struct seen seen = {0};

    aside_run(look, &seen);
    cr_assert_neq(seen.thread, gettid());
    cr_assert_neq(seen.thread, 0);
    cr_assert_geq(seen.nice, 10);
    cr_assert_eq(getpriority(PRIO_PROCESS, 0), nice, "the caller's is as it was");
}
