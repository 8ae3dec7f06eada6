/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "base/trail.h"
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];
static struct trail *trail;

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* What is written at once may have the time that the file had: until it has another. */
static void put(const char *name, const char *text)
{
    struct stat before = {0}, after;

    (void)stat(path_of(name), &before);
    do {
        FILE *file = fopen(path_of(name), "w");
        cr_assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
        cr_assert_eq(stat(path_of(name), &after), 0);
    } while (memcmp(&before.st_ctim, &after.st_ctim, sizeof after.st_ctim) == 0);
}

static void note(const char *name)
{
    struct stat st;
    bool is_there = stat(path_of(name), &st) == 0;

    trail_note(trail, path_of(name), is_there ? &st : NULL);
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/stoa-trail-XXXXXX");
    cr_assert(mkdtemp(folder));
    put("a", "one");
    put("b", "two");
    trail = trail_create();
    clock_shift_for_test(FILE_SETTLED_MS);
}

static void end(void)
{
    char command[100];

    trail_destroy(trail);
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(trail, .init = begin, .fini = end);

Test(trail, is_the_same_while_nothing_changes)
{
    note("");
    note("a");
    note("none");
    note("none/below");
    cr_expect(trail_is_same(trail));
    put("b", "2"); /* not noted, and the folder's names are the same */
    cr_expect(trail_is_same(trail));
}

Test(trail, notices_other_bytes)
{
    note("a");
    note("b");
    put("b", "TWO");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_another_file_of_the_same_name)
{
    char other[128];

    note("b");
    put("c", "two");
    snprintf(other, sizeof other, "%s", path_of("c"));
    cr_assert_eq(rename(other, path_of("b")), 0);
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_what_is_gone)
{
    note("b");
    cr_assert_eq(unlink(path_of("b")), 0);
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_what_was_not_there)
{
    note("c");
    cr_expect(trail_is_same(trail));
    put("c", "three");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_another_name_in_a_folder)
{
    note("");
    put("c", "three");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_that_a_link_leads_elsewhere)
{
    cr_assert_eq(symlink("a", path_of("link")), 0);
    note("link");
    cr_expect(trail_is_same(trail));
    cr_assert_eq(unlink(path_of("link")), 0);
    cr_assert_eq(symlink("b", path_of("link")), 0);
    cr_expect_not(trail_is_same(trail));
}

Test(trail, holds_many)
{
    for (int i = 0; i < 1000; i++)
        note(i % 2 ? "a" : "b");
    cr_expect(trail_is_same(trail));
    note("c");
    put("c", "three");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, of_what_has_just_changed_is_never_the_same)
{
    clock_shift_for_test(-3600000); /* whatever time the test itself takes */
    note("a");
    clock_shift_for_test(FILE_SETTLED_MS);
    cr_expect_not(trail_is_same(trail));
}

Test(trail, may_be_none)
{
    trail_note(NULL, "a", NULL);
    cr_expect_not(trail_is_same(NULL));
    trail_destroy(NULL);
}
