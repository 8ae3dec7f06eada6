/* base/slice.c: sched_setattr(2), which glibc 2.36 does not have. SPDX-License-Identifier:
 * Apache-2.0 */
#include "base/slice.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SERVE_NS = 100000, DEFAULT_NS = 0, LONGEST_NS = 100000000 };

/* The first version of the kernel's struct sched_attr (include/uapi/linux/sched/types.h). */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/* As it is now but for the slice. A kernel that will not have it loses nothing but that. */
static void set_slice(uint64_t ns)
{
    struct attributes now = {.size = sizeof now};

    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0)
        return;
    now.runtime = ns;
    (void)syscall(SYS_sched_setattr, 0, &now, 0);
}

void slice_serve(void)
{
    set_slice(SERVE_NS);
}

void slice_work(void)
{
    set_slice(DEFAULT_NS);
}

void slice_give_way(void)
{
    set_slice(LONGEST_NS);
}
