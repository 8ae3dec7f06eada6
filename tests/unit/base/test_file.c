/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITERS = 4, ROUNDS = 50, LARGE = 100000 };

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/stoa-file-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(file, .init = make_folder, .fini = remove_folder);

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* How it begins; "" when there is none. */
static const char *read_name(const char *name)
{
    static char text[32];
    int fd = open(path_of(name), O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;

    text[len > 0 ? len : 0] = '\0';
    close(fd);
    return text;
}

static uint32_t count_files(void)
{
    DIR *dir = opendir(folder);
    uint32_t count = 0;

    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return count;
}

Test(file, is_put_and_replaced_for_its_owner_only)
{
    struct stat st;

    cr_assert(file_put(folder, "a", STOA_STR("first")));
    cr_assert(file_put(folder, "a", STOA_STR("second")));
    cr_assert_str_eq(read_name("a"), "second");
    cr_assert_eq(count_files(), 1);
    cr_assert_eq(stat(path_of("a"), &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(file, that_is_to_be_new_replaces_none)
{
    cr_assert(file_put_new(folder, "a", STOA_STR("first")));
    cr_assert_not(file_put_new(folder, "a", STOA_STR("second")));
    cr_assert_eq(errno, EEXIST);
    cr_assert_str_eq(read_name("a"), "first");
    cr_assert_eq(count_files(), 1);
}

Test(file, that_is_new_is_synced_when_asked)
{
    cr_assert(file_put_new(folder, "a", STOA_STR("first")));
    cr_assert(file_sync(folder, "a"));
    cr_assert_not(file_sync(folder, "b"));
    cr_assert_eq(errno, ENOENT);
}

Test(file, says_why_not)
{
    char name[5000];

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    cr_assert_not(file_put("/no/such/folder", "a", STOA_STR("text")));
    cr_assert_eq(errno, ENOENT);
    cr_assert_not(file_put(folder, name, STOA_STR("text")));
    cr_assert_eq(errno, ENAMETOOLONG);
    cr_assert_eq(mkdir(path_of("a"), 0700), 0);
    cr_assert_not(file_put(folder, "a", STOA_STR("text")));
    cr_assert_eq(errno, EISDIR);
    cr_assert_eq(count_files(), 1, "only the folder in the way");
}

Test(file, leaves_the_old_one_when_the_disk_is_full)
{
    struct rlimit limit = {LARGE / 2, LARGE};
    char *large = calloc(1, LARGE);

    cr_assert(file_put(folder, "a", STOA_STR("old")));
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_not(file_put(folder, "a", (stoa_str){large, LARGE}));
    cr_assert_eq(errno, EFBIG);
    cr_assert_eq(file_in_memory("large", (stoa_str){large, LARGE}), -1);
    cr_assert_str_eq(read_name("a"), "old");
    cr_assert_eq(count_files(), 1);
    free(large);
}

Test(file, leaves_no_new_name_that_is_not_synced)
{
    cr_assert_eq(fault_arm("file.sync_folder=error:STORE"), STOA_OK);
    cr_assert_not(file_put(folder, "a", STOA_STR("new")));
    cr_assert_eq(errno, EIO);
    cr_assert_eq(count_files(), 0);
    fault_clear();
    cr_assert(file_put(folder, "a", STOA_STR("old")));
    cr_assert_eq(fault_arm("file.sync_folder=error:STORE"), STOA_OK);
    cr_assert_not(file_put(folder, "a", STOA_STR("new")));
    cr_assert_str_eq(read_name("a"), "new", "as the header says");
    cr_assert_eq(count_files(), 1);
    fault_clear();
}

Test(file, that_is_new_needs_no_links)
{
    cr_assert_eq(fault_arm("file.link=error:STORE"), STOA_OK);
    cr_assert(file_put_new(folder, "a", STOA_STR("first")));
    cr_assert_not(file_put_new(folder, "a", STOA_STR("second")));
    cr_assert_eq(errno, EEXIST);
    cr_assert_str_eq(read_name("a"), "first");
    cr_assert_eq(count_files(), 1);
    fault_clear();
}

/* Each its own letter, so that a mixture shows. */
static void *write_often(void *data)
{
    char *text = malloc(LARGE);

    memset(text, *(const char *)data, LARGE);
    for (int i = 0; i < ROUNDS; i++)
        if (!file_put(folder, "a", (stoa_str){text, LARGE}))
            abort();
    free(text);
    return NULL;
}

static void expect_one_letter(void)
{
    char *text = malloc(LARGE + 1);
    int fd = open(path_of("a"), O_RDONLY | O_CLOEXEC);

    cr_assert_eq(read(fd, text, LARGE + 1), LARGE);
    for (int i = 1; i < LARGE; i++)
        cr_assert_eq(text[i], text[0]);
    close(fd);
    free(text);
}

Test(file, is_whole_when_many_write_it)
{
    pthread_t threads[WRITERS];

    write_often((void *)"x");
    for (int i = 0; i < WRITERS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, write_often, (void *)&"abcd"[i]), 0);
    for (int i = 0; i < ROUNDS; i++)
        expect_one_letter();
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(count_files(), 1);
}

Test(file, left_over_is_swept_once_it_is_old)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    cr_assert(file_put(folder, ".part-aaaaaa", STOA_STR("of a killed process")));
    cr_assert(file_put(folder, ".part-bbbbbb", STOA_STR("being written")));
    cr_assert(file_put(folder, "a", STOA_STR("kept")));
    cr_assert_eq(utimensat(AT_FDCWD, path_of(".part-aaaaaa"), old, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, path_of("a"), old, 0), 0);
    file_sweep(folder);
    cr_assert_str_eq(read_name(".part-aaaaaa"), "");
    cr_assert_str_eq(read_name(".part-bbbbbb"), "being written");
    cr_assert_str_eq(read_name("a"), "kept");
    file_sweep("/no/such/folder");
}

Test(file, in_memory_reads_from_its_beginning)
{
    char text[8] = "";
    int fd = file_in_memory("name", STOA_STR("bytes"));

    cr_assert_geq(fd, 0);
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(read(fd, text, sizeof text), 5);
    cr_assert_str_eq(text, "bytes");
    close(fd);
}

static struct file_stamp stamp_of(const char *name)
{
    struct stat st;

    cr_assert_eq(stat(path_of(name), &st), 0);
    return file_stamp(&st);
}

Test(file, stamps_only_what_has_settled)
{
    struct file_stamp fresh, settled, again;

    clock_shift_for_test(-3600000); /* whatever time the test itself takes */
    cr_assert(file_put(folder, "a", STOA_STR("one")));
    fresh = stamp_of("a");
    cr_assert_not(file_is_same(&fresh, &fresh));
    clock_shift_for_test(FILE_SETTLED_MS);
    settled = stamp_of("a");
    again = stamp_of("a");
    cr_assert(file_is_same(&settled, &again));
    cr_assert_not(file_is_same(&settled, &fresh));
}

Test(file, stamps_tell_files_and_their_states_apart)
{
    struct file_stamp before, after;

    clock_shift_for_test(FILE_SETTLED_MS);
    cr_assert(file_put(folder, "a", STOA_STR("one")));
    before = stamp_of("a");
    cr_assert(file_put(folder, "b", STOA_STR("one")));
    after = stamp_of("b");
    cr_assert_not(file_is_same(&before, &after), "another file");
    cr_assert_eq(truncate(path_of("a"), 2), 0);
    after = stamp_of("a");
    cr_assert_not(file_is_same(&before, &after), "another length");
    cr_assert_eq(chmod(path_of("a"), 0644), 0);
    before = stamp_of("a");
    cr_assert_not(file_is_same(&before, &after), "ctime is of permissions, too");
}
