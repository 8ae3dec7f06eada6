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

static void make_folder(const char *name)
{
    cr_assert_eq(mkdir(path_of(name), 0700), 0);
}

static void move(const char *from, const char *to)
{
    char path[128];

    snprintf(path, sizeof path, "%s", path_of(from));
    cr_assert_eq(rename(path, path_of(to)), 0);
}

Test(trail, notices_that_the_folder_of_all_is_another)
{
    make_folder("in");
    put("in/a", "one");
    put("in/b", "two");
    note("in/a");
    note("in/b");
    cr_expect(trail_is_same(trail));
    move("in", "away");
    cr_expect_not(trail_is_same(trail));
    make_folder("in");
    put("in/a", "one");
    put("in/b", "two");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, is_the_same_while_the_folder_of_all_is_not_there)
{
    note("in/a");
    note("in/b");
    cr_expect(trail_is_same(trail));
    make_folder("in");
    cr_expect(trail_is_same(trail));
    put("in/b", "two");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_what_is_far_apart)
{
    static const char *const names[] = {"in", "in/deep/c", "in/", "a", "in/deep", "in/e"};

    for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) {
        make_folder("in");
        make_folder("in/deep");
        put("in/deep/c", "one");
        clock_shift_for_test((int64_t)(i + 2) * FILE_SETTLED_MS);
        for (uint32_t k = 0; k < sizeof names / sizeof *names; k++)
            note(names[(i + k) % (sizeof names / sizeof *names)]);
        cr_expect(trail_is_same(trail), "%s", names[i]);
        put("in/deep/c", "two");
        cr_expect_not(trail_is_same(trail), "%s", names[i]);
        trail_destroy(trail);
        trail = trail_create();
        unlink(path_of("in/deep/c"));
        rmdir(path_of("in/deep"));
        rmdir(path_of("in"));
    }
}

Test(trail, notices_a_name_that_only_its_folder_tells_of)
{
    note("");
    note("c");
    note("d");
    cr_expect(trail_is_same(trail));
    put("d", "three");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, notices_what_comes_where_a_link_leads)
{
    make_folder("in");
    cr_assert_eq(symlink("in/c", path_of("link")), 0);
    note("");
    note("link");
    cr_expect(trail_is_same(trail));
    put("in/c", "three");
    cr_expect_not(trail_is_same(trail));
}

Test(trail, takes_the_later_look_at_a_folder_too)
{
    note("");
    put("c", "three");
    clock_shift_for_test(2 * FILE_SETTLED_MS);
    note("");
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
