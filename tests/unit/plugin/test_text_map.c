/* Whose code is at an address. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/text_map.h"

#include <criterion/criterion.h>
#include <dlfcn.h>

/* Any object that may be opened will do. */
static void *object(const char *file, const char *symbol, uintptr_t *at)
{
    void *dl = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    cr_assert_not_null(dl, "%s", dlerror());
    *at = (uintptr_t)dlsym(dl, symbol);
    cr_assert_neq(*at, 0);
    return dl;
}

Test(text_map, who_runs_is_not_pushed_out_by_those_that_come_and_go)
{
    uintptr_t running = 0, passing = 0;
    void *one = object("libm.so.6", "ldexp", &running);
    void *other = object("libz.so.1", "zlibVersion", &passing);

    text_map_add(one, "running", 1);
    for (uint64_t n = 2; n < 2 + 2 * TEXT_MAP_MAX; n++) {
        text_map_add(other, "passing", n);
        cr_assert_eq(text_map_find(passing)->generation, n);
        text_map_remove(n);
    }
    cr_assert_null(text_map_find(passing));
    cr_assert_not_null(text_map_find(running));
    cr_assert_str_eq(text_map_find(running)->name, "running");
    text_map_remove(1);
    cr_assert_null(text_map_find(running));
}

Test(text_map, a_full_table_loses_only_who_is_closed)
{
    uintptr_t live = 0, other = 0;
    void *one = object("libm.so.6", "ldexp", &live);
    void *two = object("libz.so.1", "zlibVersion", &other);

    text_map_add(one, "live", 1); /* the oldest */
    for (uint64_t n = 2; n <= TEXT_MAP_MAX; n++)
        text_map_add(one, "live", n);
    text_map_add(two, "late", TEXT_MAP_MAX + 1);
    cr_assert_null(text_map_find(other), "nobody makes room");
    cr_assert_eq(text_map_find(live)->generation, 1);
    text_map_close(7);
    text_map_add(two, "late", TEXT_MAP_MAX + 2);
    cr_assert_eq(text_map_find(other)->generation, TEXT_MAP_MAX + 2);
    cr_assert_eq(text_map_find(live)->generation, 1);
}
