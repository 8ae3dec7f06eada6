/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ns, as the kernel has it for the calling thread. */
static uint64_t slice_now(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } now = {0};

    cr_assert_eq(syscall(SYS_sched_getattr, 0, &now, sizeof now, 0), 0);
    return now.runtime;
}

/* The first kernel with slices that a thread may choose. */
static bool kernel_has_slices(void)
{
    struct utsname name;
    int major = 0, minor = 0;

    return uname(&name) == 0 && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
           (major > 6 || (major == 6 && minor >= 12));
}

static void *tell_slice(void *ret)
{
    *(uint64_t *)ret = slice_now();
    return NULL;
}

Test(slice, is_short_for_who_serves_and_whom_it_starts)
{
    uint64_t before = slice_now(), of_child = 0;
    pthread_t child;

    if (!kernel_has_slices())
        cr_skip_test("the slice of a thread can be chosen from Linux 6.12 on");
    slice_serve();
    cr_assert_eq(slice_now(), 100000);
    cr_assert_eq(pthread_create(&child, NULL, tell_slice, &of_child), 0);
    pthread_join(child, NULL);
    cr_assert_eq(of_child, 100000);
    slice_give_way();
    cr_assert_eq(slice_now(), 100000000);
    slice_work();
    cr_assert_eq(slice_now(), before);
}

/* Where slices are not known either. */
Test(slice, changes_nothing_else)
{
    int nice_before = getpriority(PRIO_PROCESS, 0);

    slice_serve();
    cr_assert_eq(getpriority(PRIO_PROCESS, 0), nice_before);
}
