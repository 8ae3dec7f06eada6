/* The memory of a render. SPDX-License-Identifier: Apache-2.0 */
#include "theme/memory.h"
#include <criterion/criterion.h>
#include <string.h>

Test(memory, refuses_past_its_limit)
{
    struct memory memory;

    memory_init(&memory, 100000);
    cr_expect_not_null(memory_take(&memory, 60000));
    cr_expect_null(memory_take(&memory, 60000));
    cr_expect_null(memory_take(&memory, UINT64_MAX));
    cr_expect_not_null(memory_take(&memory, 30000));
    memory_finish(&memory);
}

Test(memory, goes_back_to_a_mark)
{
    struct memory memory;
    struct memory_mark start, middle;
    char *kept;

    memory_init(&memory, 1 << 20);
    start = memory_mark(&memory);
    kept = memory_take(&memory, 10);
    memcpy(kept, "kept-here", 10);
    middle = memory_mark(&memory);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++)
            memset(memory_take(&memory, 20000), 0xAA, 20000);
        memory_release(&memory, middle);
        cr_expect_eq(memory.used, middle.used);
        cr_expect_str_eq(kept, "kept-here");
    }
    memory_release(&memory, start);
    cr_expect_eq(memory.used, 0u);
    cr_expect_eq((void *)memory_take(&memory, 10), (void *)kept);
    memory_finish(&memory);
}

Test(memory, is_aligned)
{
    struct memory memory;

    memory_init(&memory, 1000);
    (void)memory_take(&memory, 1);
    cr_expect_eq((uintptr_t)memory_take(&memory, 1) % 16, 0u);
    memory_finish(&memory);
}
