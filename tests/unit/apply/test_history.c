/* Revisions on disk. SPDX-License-Identifier: Apache-2.0 */
#include "apply/history.h"

#include "base/clock.h"
#include "config/config_private.h"
#include "config/evaluate.h"
#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct shelf {
    char data[64];
    struct history history;
    struct diag diag;
    struct stoa_arena *arena;
    struct config config;
    struct generation plugin;
    struct world world;
};

static struct shelf *shelf_begin(void)
{
    struct shelf *s = calloc(1, sizeof *s);

    snprintf(s->data, sizeof s->data, "/tmp/stoa-history-XXXXXX");
    cr_assert(mkdtemp(s->data));
    cr_assert_eq(history_open(s->data, &s->diag, &s->history), STOA_OK);
    s->arena = stoa_arena_create();
    s->config.file = "config.lua";
    s->config.text = STOA_STR("return 1");
    snprintf(s->config.hash, sizeof s->config.hash, "%064d", 1);
    snprintf(s->plugin.name, sizeof s->plugin.name, "made");
    snprintf(s->plugin.version, sizeof s->plugin.version, "1.0.0");
    memset(s->plugin.sha256, 'a', 64);
    s->plugin.fd = memfd_create("made", MFD_CLOEXEC);
    cr_assert_eq(write(s->plugin.fd, "bits", 4), 4);
    s->world.config = &s->config;
    s->world.plugins = 1;
    s->world.generations[0] = &s->plugin;
    return s;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

static void shelf_end(struct shelf *s)
{
    nftw(s->data, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    stoa_arena_destroy(s->arena);
    close(s->plugin.fd);
    free(s);
}

static uint64_t add(struct shelf *s, const char *why)
{
    uint64_t number = 0;

    cr_assert_eq(history_add(&s->history, &s->world, "uid 7", why, &s->diag, &number), STOA_OK);
    return number;
}

static void change_text(struct shelf *s, int n)
{
    s->config.text = stoa_concat(s->arena, STOA_STR("return "), stoa_str_from_int(s->arena, n));
}

Test(history, keeps_text_author_and_bits)
{
    struct shelf *s = shelf_begin();
    const struct stoa_json *revision, *kept;
    char path[160], bits[8] = "";
    FILE *file;

    cr_assert_eq(add(s, "apply"), 1);
    cr_assert_eq(history_read(&s->history, 1, s->arena, &s->diag, &revision), STOA_OK);
    cr_assert(stoa_str_is(stoa_json_str(revision, "text"), "return 1"));
    cr_assert(stoa_str_is(stoa_json_str(revision, "who"), "uid 7"));
    kept = stoa_json_member(history_files(&s->history, revision, s->arena), STOA_STR("made"));
    cr_assert(stoa_str_is(stoa_json_str(kept, "sha256"), s->plugin.sha256));
    snprintf(path, sizeof path, "%s", stoa_cstr(s->arena, stoa_json_str(kept, "path")));
    file = fopen(path, "re");
    cr_assert(file && fread(bits, 1, sizeof bits, file) == 4);
    fclose(file);
    cr_assert_str_eq(bits, "bits");
    shelf_end(s);
}

/* What was compared once is not compared again, unless it was touched since. */
Test(history, notices_damage_to_a_copy_that_was_whole)
{
    struct shelf *s = shelf_begin();
    char path[160];
    stoa_str kept = {0};

    clock_shift_for_test(FILE_SETTLED_MS);
    snprintf(path, sizeof path, "%s/revisions/plugins/%s.so", s->data, s->plugin.sha256);
    add(s, "start");
    for (int i = 0; i < 2; i++) {
        s->plugin.is_kept = false; /* another generation of the same bits */
        add(s, "apply");
    }
    cr_assert_eq(s->history.compared_count, 1);
    cr_assert_eq(truncate(path, 3), 0);
    s->plugin.is_kept = false;
    add(s, "apply");
    cr_assert_eq(evaluate_read(s->arena, path, 100, &kept), STOA_OK);
    cr_assert(stoa_str_is(kept, "bits"));
    shelf_end(s);
}

Test(history, counts_the_same_again_as_no_new_revision)
{
    struct shelf *s = shelf_begin();

    cr_assert_eq(add(s, "start"), 1);
    cr_assert_eq(add(s, "apply"), 1);
    change_text(s, 2);
    cr_assert_eq(add(s, "apply"), 2);
    memset(s->plugin.sha256, 'b', 64);
    cr_assert_eq(add(s, "apply"), 3, "other bits are another revision");
    shelf_end(s);
}

Test(history, keeps_the_signature_of_now_or_none)
{
    struct shelf *s = shelf_begin();
    char path[160];
    stoa_str kept = {0};

    snprintf(path, sizeof path, "%s/revisions/plugins/%s.so.sig", s->data, s->plugin.sha256);
    snprintf(s->plugin.signature, sizeof s->plugin.signature, "one");
    add(s, "start");
    snprintf(s->plugin.signature, sizeof s->plugin.signature, "two");
    s->plugin.is_kept = false; /* another generation of the same bits */
    cr_assert_eq(add(s, "apply"), 1);
    cr_assert_eq(evaluate_read(s->arena, path, 100, &kept), STOA_OK);
    cr_assert(stoa_str_is(kept, "two"));
    s->plugin.signature[0] = '\0';
    s->plugin.is_kept = false;
    add(s, "apply");
    cr_assert_eq(access(path, F_OK), -1);
    shelf_end(s);
}

Test(history, reaches_the_disk_when_it_is_told)
{
    struct shelf *s = shelf_begin();

    cr_assert(history_sync(&s->history));
    add(s, "start");
    change_text(s, 2);
    add(s, "apply");
    cr_assert_eq(s->history.unsynced, 1);
    cr_assert(history_sync(&s->history));
    cr_assert_eq(s->history.unsynced, 0);
    shelf_end(s);
}

Test(history, goes_on_counting_after_a_restart)
{
    struct shelf *s = shelf_begin();

    add(s, "start");
    cr_assert_eq(history_open(s->data, &s->diag, &s->history), STOA_OK);
    change_text(s, 2);
    cr_assert_eq(add(s, "apply"), 2);
    shelf_end(s);
}

Test(history, forgets_the_oldest_and_bits_that_nobody_needs)
{
    struct shelf *s = shelf_begin();
    const struct stoa_json *revision;
    char path[200];

    for (int n = 1; n <= HISTORY_KEPT + 40; n++) {
        change_text(s, n);
        if (n == 5) {
            memset(s->plugin.sha256, 'b', 64);
            s->plugin.is_kept = false; /* it stands for another generation now */
        }
        add(s, "apply");
    }
    cr_assert_eq(history_read(&s->history, 30, s->arena, &s->diag, &revision), STOA_E_NOT_FOUND);
    cr_assert_eq(history_read(&s->history, 41, s->arena, &s->diag, &revision), STOA_OK);
    cr_assert_eq(stoa_json_count(history_list(&s->history, s->arena)), HISTORY_KEPT);
    snprintf(path, sizeof path, "%s/plugins/%064d.so", s->history.folder, 0);
    memset(strrchr(path, '/') + 1, 'a', 64);
    cr_assert_neq(access(path, F_OK), 0);
    memset(strrchr(path, '/') + 1, 'b', 64);
    cr_assert_eq(access(path, F_OK), 0);
    shelf_end(s);
}

Test(history, adds_nothing_when_the_disk_refuses)
{
    struct shelf *s = shelf_begin();
    uint64_t number = 77;
    char folder[4096], away[4096];

    add(s, "start");
    change_text(s, 2);
    snprintf(folder, sizeof folder, "%s", s->history.folder);
    snprintf(away, sizeof away, "%s/away", s->data);
    cr_assert_eq(rename(folder, away), 0);
    cr_assert_eq(history_add(&s->history, &s->world, "uid 7", "apply", &s->diag, &number),
                 STOA_E_STORE);
    cr_assert_eq(number, 77);
    cr_assert_eq(rename(away, folder), 0);
    cr_assert_eq(add(s, "apply"), 2);
    shelf_end(s);
}

Test(history, says_what_is_not_kept)
{
    struct shelf *s = shelf_begin();
    const struct stoa_json *revision;

    cr_assert_eq(history_read(&s->history, 0, s->arena, &s->diag, &revision), STOA_E_NOT_FOUND);
    cr_assert_eq(history_read(&s->history, 9, s->arena, &s->diag, &revision), STOA_E_NOT_FOUND);
    cr_assert(strstr(s->diag.message, "no revision 9"));
    shelf_end(s);
}

static void write_file(struct shelf *s, const char *name, const char *text)
{
    char path[5000];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", s->history.folder, name);
    file = fopen(path, "we");
    cr_assert(file && fputs(text, file) >= 0);
    fclose(file);
}

Test(history, counts_beyond_six_digits)
{
    struct shelf *s = shelf_begin();
    const struct stoa_json *revision;

    write_file(s, "999999.json", "{}");
    write_file(s, "0000000001000003.json", "{}"); /* not how we write it */
    write_file(s, "99999999999999999999.json", "{}");
    cr_assert_eq(history_open(s->data, &s->diag, &s->history), STOA_OK);
    cr_assert_eq(s->history.last, 999999);
    cr_assert_eq(add(s, "apply"), 1000000);
    cr_assert_eq(history_open(s->data, &s->diag, &s->history), STOA_OK);
    cr_assert_eq(s->history.last, 1000000);
    cr_assert_eq(history_read(&s->history, 1000000, s->arena, &s->diag, &revision), STOA_OK);
    change_text(s, 2);
    cr_assert_eq(add(s, "apply"), 1000001);
    shelf_end(s);
}

Test(history, gives_two_processes_numbers_of_their_own)
{
    struct shelf *s = shelf_begin();
    struct history other;
    uint64_t number = 0;

    add(s, "start");
    cr_assert_eq(history_open(s->data, &s->diag, &other), STOA_OK);
    change_text(s, 2);
    cr_assert_eq(add(s, "apply"), 2);
    change_text(s, 3);
    cr_assert_eq(history_add(&other, &s->world, "uid 8", "start", &s->diag, &number), STOA_OK);
    cr_assert_eq(number, 3, "the other's is not overwritten");
    cr_assert_eq(add(s, "apply"), 3, "it is known, and the same");
    change_text(s, 4);
    cr_assert_eq(add(s, "apply"), 4);
    shelf_end(s);
}

Test(history, heals_a_copy_that_was_damaged)
{
    struct shelf *s = shelf_begin();
    char name[100], path[5000], bits[8] = "";
    FILE *file;

    add(s, "start");
    snprintf(name, sizeof name, "plugins/%s.so", s->plugin.sha256);
    write_file(s, name, "bats");
    change_text(s, 2);
    s->plugin.is_kept = false; /* the next generation with these bits */
    add(s, "apply");
    snprintf(path, sizeof path, "%s/%s", s->history.folder, name);
    file = fopen(path, "re");
    cr_assert(file && fread(bits, 1, sizeof bits, file) == 4);
    fclose(file);
    cr_assert_str_eq(bits, "bits");
    shelf_end(s);
}

Test(history, sees_what_others_wrote_since)
{
    struct shelf *s = shelf_begin();

    add(s, "start");
    write_file(s, "000009.json", "{}"); /* as if those between were trimmed */
    change_text(s, 2);
    cr_assert_eq(add(s, "apply"), 10);
    shelf_end(s);
}

Test(history, sees_that_another_wrote_the_same)
{
    struct shelf *s = shelf_begin();
    struct history other;
    uint64_t number = 0;

    add(s, "start");
    cr_assert_eq(history_open(s->data, &s->diag, &other), STOA_OK);
    change_text(s, 2);
    cr_assert_eq(history_add(&other, &s->world, "uid 8", "start", &s->diag, &number), STOA_OK);
    cr_assert_eq(add(s, "apply"), 2, "it is known, and the same");
    shelf_end(s);
}

Test(history, sees_that_its_folder_is_another)
{
    struct shelf *s = shelf_begin();
    char away[100];

    add(s, "start");
    change_text(s, 2);
    add(s, "apply");
    snprintf(away, sizeof away, "%s/away", s->data);
    cr_assert_eq(rename(s->history.folder, away), 0);
    cr_assert_eq(history_open(s->data, &s->diag, &(struct history){0}), STOA_OK);
    write_file(s, "000007.json", "{}");
    s->plugin.is_kept = false;
    change_text(s, 3);
    cr_assert_eq(add(s, "apply"), 8);
    shelf_end(s);
}

Test(history, writes_anew_what_was_damaged_since)
{
    struct shelf *s = shelf_begin();

    cr_assert_eq(add(s, "start"), 1);
    write_file(s, "000001.json", "{}");
    cr_assert_eq(add(s, "apply"), 2);
    cr_assert_eq(add(s, "apply"), 2);
    shelf_end(s);
}

/* Of what a text said by this hash, which then cannot be synced: whether that was tried. */
static void spoil_config(struct shelf *s, int hash)
{
    char path[5000];

    snprintf(path, sizeof path, "%s/configs/%064d.json", s->history.folder, hash);
    cr_assert_eq(symlink(path, path), 0);
}

static void add_of(struct shelf *s, struct history *history, int hash, int text)
{
    uint64_t number = 0;

    snprintf(s->config.hash, sizeof s->config.hash, "%064d", hash);
    change_text(s, text);
    cr_assert_eq(history_add(history, &s->world, "uid 7", "apply", &s->diag, &number), STOA_OK);
}

Test(history, syncs_what_the_only_text_said)
{
    struct shelf *s = shelf_begin();

    spoil_config(s, 5);
    add_of(s, &s->history, 5, 1);
    add_of(s, &s->history, 5, 2);
    cr_expect_not(history_sync(&s->history));
    add_of(s, &s->history, 6, 3);
    cr_expect(history_sync(&s->history));
    shelf_end(s);
}

Test(history, syncs_what_each_of_several_texts_said)
{
    struct shelf *s = shelf_begin();

    spoil_config(s, 6);
    add_of(s, &s->history, 5, 1);
    add_of(s, &s->history, 6, 2);
    add_of(s, &s->history, 5, 3);
    cr_expect_not(history_sync(&s->history));
    shelf_end(s);
}

Test(history, syncs_what_another_process_wrote_in_between)
{
    struct shelf *s = shelf_begin();
    struct history other;

    spoil_config(s, 6);
    add_of(s, &s->history, 5, 1);
    cr_assert_eq(history_open(s->data, &s->diag, &other), STOA_OK);
    add_of(s, &other, 6, 2);
    add_of(s, &s->history, 5, 3);
    cr_expect_not(history_sync(&s->history));
    shelf_end(s);
}
