/* The bytes that were checked are the bytes that run. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/generation.h"

#include "base/clock.h"
#include "toys.h"
#include <sodium.h>
#include <unistd.h>

static struct stoa_arena *arena;
static struct config *config;
static struct diag diag;
static char folder[] = "/tmp/stoa-generation-XXXXXX";
static const char *path;

static void start(void)
{
    cr_assert(sodium_init() >= 0);
    cr_assert_not_null(mkdtemp(folder));
    arena = stoa_arena_create();
    config = toy_config(arena, "{}");
    path = stoa_concat(arena, stoa_str_of(folder), STOA_STR("/toy.so\0")).ptr;
}

static void end(void)
{
    unlink(path);
    rmdir(folder);
    stoa_arena_destroy(arena);
}

TestSuite(generation, .init = start, .fini = end);

/* Over the file in place, as a careless deploy does it. */
static void install(const char *toy)
{
    stoa_str bytes = toy_bytes(arena, toy);
    FILE *file = fopen(path, "wbe");

    cr_assert(file && fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len);
    cr_assert_eq(fclose(file), 0);
}

static struct generation *load(void)
{
    struct generation *g = NULL;

    cr_assert_eq(generation_open(path, config, "toy", &diag, &g), STOA_OK, "%s", diag.message);
    return g;
}

/* What the code itself says that it is. */
static const char *own_version(const struct generation *g)
{
    void *self = NULL;

    cr_assert_eq(g->desc.create(g->settings, NULL, &self), STOA_OK);
    return self;
}

Test(generation, a_changed_file_is_a_mapping_of_its_own)
{
    struct generation *first, *second;

    install("toy");
    first = load();
    install("toy2");
    second = load();
    cr_assert_str_eq(first->version, "1.0.0");
    cr_assert_str_eq(second->version, "2.0.0");
    cr_assert_str_eq(own_version(second), "2.0.0");
    cr_assert_str_eq(own_version(first), "1.0.0");
    cr_assert_neq(first->number, second->number);
    cr_assert_str_neq(first->sha256, second->sha256);
    generation_close(first);
    cr_assert_str_eq(own_version(second), "2.0.0");
    generation_close(second);
}

Test(generation, the_same_file_twice_is_two_mappings)
{
    struct generation *first, *second;

    install("toy");
    first = load();
    second = load();
    cr_assert_neq(first->desc.create, second->desc.create);
    cr_assert_str_eq(first->sha256, second->sha256);
    generation_close(second);
    cr_assert_str_eq(own_version(first), "1.0.0");
    generation_close(first);
}

Test(generation, what_is_shared_stays_until_its_last_use_ends)
{
    struct generation *g;
    uint64_t alive = generation_count().alive;

    install("toy");
    g = load();
    cr_assert_eq(generation_share(g), g);
    generation_close(g);
    cr_assert_str_eq(own_version(g), "1.0.0");
    cr_assert_eq(generation_count().alive, alive + 1);
    generation_close(g);
    cr_assert_eq(generation_count().alive, alive);
}

Test(generation, rewriting_the_file_does_not_change_running_code)
{
    struct generation *g;

    install("toy");
    g = load();
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_str_eq(own_version(g), "1.0.0");
    generation_close(g);
    generation_close(NULL);
}

static void refused(const char *expected, stoa_err err, const char *message)
{
    struct generation *g = NULL;

    diag = (struct diag){0};
    cr_assert_eq(generation_open(path, config, expected, &diag, &g), err, "%s", diag.message);
    cr_assert_null(g);
    cr_assert(strstr(diag.message, message), "%s", diag.message);
}

Test(generation, a_file_of_another_name_is_refused)
{
    install("toy_other");
    refused("toy", STOA_E_PLUGIN, "its manifest says 'other', config.lua calls it 'toy'");
}

Test(generation, what_is_no_file_is_refused)
{
    refused("toy", STOA_E_PLUGIN, "cannot be opened: No such file");
    cr_assert(diag.hint[0]);
    path = folder;
    refused("toy", STOA_E_PLUGIN, "no regular file");
    path = stoa_concat(arena, stoa_str_of(folder), STOA_STR("/toy.so\0")).ptr;
    install("toy");
    cr_assert_eq(truncate(path, 5000), 0);
    refused("toy", STOA_E_PLUGIN, "cut short");
}

Test(generation, settings_that_the_schema_does_not_have_are_refused)
{
    install("toy");
    config = toy_config(arena, "{\"colour\":\"red\"}");
    refused("toy", STOA_E_CONFIG, "colour");
}

Test(generation, shorter_entries_are_extended_with_zeros)
{
    const uint16_t entries[] = {1, 2, 3};
    const struct stoa_span span = {entries, 3, sizeof(*entries)};
    uint64_t value = UINT64_MAX;

    span_read(&span, 1, &value, sizeof(value));
    cr_assert_eq(value, 2);
    uint8_t first = 0;
    span_read(&span, 2, &first, 1);
    cr_assert_eq(first, 3);
}

/* With the clock ahead, as a file that was written just now is always read again. */
Test(generation, a_file_is_recalled_until_it_is_touched)
{
    struct plugin_bits read, recalled;

    clock_shift_for_test(FILE_SETTLED_MS);
    install("toy");
    cr_assert_eq(plugin_bits_read(path, &diag, &read), STOA_OK, "%s", diag.message);
    cr_assert(plugin_bits_recall(path, &read.file, read.sha256, &recalled));
    cr_assert_str_eq(recalled.sha256, read.sha256);
    cr_assert_str_eq(recalled.path, path);
    cr_assert_eq(recalled.owner, read.owner);
    cr_assert_eq(recalled.mode, read.mode);
    cr_assert_null(recalled.bytes);
    cr_assert_eq(recalled.fd, -1);
    cr_assert_eq(truncate(path, (off_t)read.len - 1), 0);
    cr_assert_not(plugin_bits_recall(path, &read.file, read.sha256, &recalled));
    unlink(path);
    cr_assert_not(plugin_bits_recall(path, &read.file, read.sha256, &recalled));
    plugin_bits_close(&read);
}

Test(generation, a_fresh_file_is_read_again)
{
    struct plugin_bits read, recalled;

    clock_shift_for_test(-3600000); /* whatever time the test itself takes */
    install("toy");
    cr_assert_eq(plugin_bits_read(path, &diag, &read), STOA_OK, "%s", diag.message);
    cr_assert_not(plugin_bits_recall(path, &read.file, read.sha256, &recalled));
    plugin_bits_close(&read);
}
