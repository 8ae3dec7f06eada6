/* What a second evaluation is spared: the same text, and the start of its child.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct config *load_again(struct fixture *f, const struct config *last)
{
    const struct config_source source = {.path = f->path, .last = last};
    struct config *ret = NULL;

    cr_assert_eq(config_load(&source, &f->diag, &ret), STOA_OK, "%s", f->diag.message);
    return ret;
}

static const char plain[] = BEGIN "shop = { name = 'A', url = 'https://shop.example.com' }" END;

Test(again, the_same_text_is_not_evaluated_again)
{
    struct fixture f = fixture_begin();
    struct config *again;

    cr_assert_eq(fixture_load(&f, plain), STOA_OK);
    evaluate_program = "/nonexistent"; /* who asks it fails */
    again = load_again(&f, f.config);
    cr_expect_str_eq(config_hash(again), config_hash(f.config));
    cr_expect(stoa_str_is(config_str(again, "shop.name"), "A"));
    config_destroy(again);
    fixture_end(&f);
}

Test(again, a_text_that_reads_files_is_evaluated_again)
{
    struct fixture f = fixture_begin();
    struct config *again;

    fixture_write(&f, "name.txt", "A");
    cr_assert_eq(
        fixture_load(
            &f,
            BEGIN "shop = { name = stoa.file 'name.txt', url = 'https://shop.example.com' }" END),
        STOA_OK);
    fixture_write(&f, "name.txt", "B");
    again = load_again(&f, f.config);
    cr_expect(stoa_str_is(config_str(again, "shop.name"), "B"));
    config_destroy(again);
    fixture_end(&f);
}

Test(again, another_text_is_evaluated)
{
    struct fixture f = fixture_begin();
    struct config *again;

    cr_assert_eq(fixture_load(&f, plain), STOA_OK);
    fixture_write(&f, "config.lua",
                  BEGIN "shop = { name = 'B', url = 'https://shop.example.com' }" END);
    again = load_again(&f, f.config);
    cr_expect(stoa_str_is(config_str(again, "shop.name"), "B"));
    config_destroy(again);
    fixture_end(&f);
}

/* Evaluates the same text again with another value of a secret. changed, same: paths below which it
 * shows, and does not; NULL: nobody asks. */
static void expect_with(struct fixture *f, const char *secret, const char *value,
                        const char *changed, const char *same)
{
    struct config *again;

    setenv(secret, value, 1);
    again = load_again(f, f->config);
    if (changed)
        cr_expect(!config_is_same(f->config, again, changed));
    if (same)
        cr_expect(config_is_same(f->config, again, same));
    config_destroy(again);
}

Test(again, a_secret_counts_by_its_value)
{
    static const char text[] =
        BEGIN "shop = { name = 'A', url = 'https://shop.example.com' },"
              "plugins = { user = { key = stoa.secret 'one' }, order = { key = 'plain' } }" END;
    struct fixture f = fixture_begin();

    setenv("STOA_SECRET_ONE", "before", 1);
    cr_assert_eq(fixture_load(&f, text), STOA_OK, "%s", fixture_said(&f));
    expect_with(&f, "STOA_SECRET_ONE", "after", "plugins.user", "plugins.order");
    expect_with(&f, "STOA_SECRET_ONE", "before", NULL, "plugins.user");
    fixture_end(&f);
}

Test(again, only_the_secrets_below_a_path_count)
{
    static const char text[] =
        BEGIN "cluster = { key = stoa.secret 'key' },"
              "resources = { sql = stoa.postgresql { url = stoa.secret 'url' } }" END;
    struct fixture f = fixture_begin();

    setenv("STOA_SECRET_KEY", "before", 1);
    setenv("STOA_SECRET_URL", "postgresql://shop:one@db/shop", 1);
    cr_assert_eq(fixture_load(&f, text), STOA_OK, "%s", fixture_said(&f));
    expect_with(&f, "STOA_SECRET_KEY", "after", "cluster", "resources.sql");
    expect_with(&f, "STOA_SECRET_URL", "postgresql://shop:two@db/shop", "resources.sql", NULL);
    fixture_end(&f);
}

/* ---- One configuration for both ---- */

Test(again, the_same_is_one_configuration_until_both_have_ended)
{
    struct fixture f = fixture_begin();
    struct config *again;

    cr_assert_eq(fixture_load(&f, plain), STOA_OK);
    again = load_again(&f, f.config);
    cr_expect_eq(again, f.config);
    config_destroy(f.config);
    f.config = again;
    cr_expect(stoa_str_is(config_str(f.config, "shop.name"), "A"));
    fixture_end(&f);
}

/* What source brings beside the same file makes another configuration, and counts in it. */
static void expect_other(struct fixture *f, struct config_source source, const char *path,
                         const char *value)
{
    struct config *again = NULL;

    source.path = f->path;
    source.last = f->config;
    cr_assert_eq(config_load(&source, &f->diag, &again), STOA_OK, "%s", f->diag.message);
    cr_expect_neq(again, f->config);
    cr_expect(stoa_str_is(stoa_json_str(config_json(again), path), value), "%s", path);
    config_destroy(again);
}

Test(again, what_the_command_line_says_makes_another)
{
    static const char two[] =
        BEGIN "shop = { name = 'A', url = 'https://shop.example.com' }, nodes = {"
              " all = { listen = { '127.0.0.1:1' } }, b = { listen = { '127.0.0.1:2' } } },"
              "cluster = { key = stoa.secret 'key' }" END;
    struct fixture f = fixture_begin();

    setenv("STOA_SECRET_KEY", "0123456789abcdef0123456789abcdef", 1);
    cr_assert_eq(fixture_load(&f, two), STOA_OK, "%s", fixture_said(&f));
    expect_other(&f, (struct config_source){.node = "b"}, "node.name", "b");
    expect_other(&f, (struct config_source){.listen = "127.0.0.1:3"}, "node.listen.0",
                 "127.0.0.1:3");
    expect_other(&f, (struct config_source){.data = "/srv/other"}, "data", "/srv/other");
    expect_other(&f, (struct config_source){.is_all = true}, "node.name", "all");
    setenv("STOA_NODE", "b", 1);
    expect_other(&f, (struct config_source){0}, "node.name", "b");
    fixture_end(&f);
}

Test(again, a_folder_that_a_link_has_left_makes_another)
{
    struct fixture f = fixture_begin();
    char link[80], folder[80], path[128], wanted[200];
    struct config *again;

    cr_assert_eq(fixture_load(&f, plain), STOA_OK);
    config_destroy(f.config);
    snprintf(link, sizeof link, "%s/now", f.folder);
    snprintf(folder, sizeof folder, "%s/later", f.folder);
    snprintf(path, sizeof path, "%s/config.lua", link);
    cr_assert(symlink(f.folder, link) == 0);
    struct config_source source = {.path = path};
    cr_assert_eq(config_load(&source, &f.diag, &f.config), STOA_OK);
    cr_assert(mkdir(folder, 0700) == 0 && unlink(link) == 0 && symlink(folder, link) == 0);
    fixture_write(&f, "later/config.lua", plain);
    source.last = f.config;
    cr_assert_eq(config_load(&source, &f.diag, &again), STOA_OK);
    snprintf(wanted, sizeof wanted, "%s/var", folder);
    cr_expect(stoa_str_is(config_str(again, "data"), wanted));
    config_destroy(again);
    fixture_end(&f);
}

Test(again, a_text_of_another_file_makes_another)
{
    struct fixture f = fixture_begin();
    char origin[100];

    cr_assert_eq(fixture_load(&f, plain), STOA_OK);
    fixture_write(&f, "other.lua", plain); /* beside it: below the same folder */
    snprintf(origin, sizeof origin, "%s/other.lua", f.folder);
    expect_other(&f, (struct config_source){.origin = origin}, "shop.name", "A");
    fixture_end(&f);
}

Test(again, another_working_directory_makes_another)
{
    const struct config_source first = {.data = "var"};
    struct fixture f = fixture_begin();
    char wanted[200];

    cr_assert_eq(fixture_load_as(&f, plain, first), STOA_OK);
    cr_assert_eq(chdir(f.folder), 0);
    snprintf(wanted, sizeof wanted, "%s/var", f.folder);
    expect_other(&f, first, "data", wanted);
    fixture_end(&f);
}

Test(again, another_value_in_a_secrets_file_makes_another)
{
    static const char text[] =
        BEGIN "shop = { name = 'A', url = 'https://shop.example.com' },"
              "plugins = { user = { key = stoa.secret 'one', other = stoa.secret 'two' } }" END;
    struct fixture f = fixture_begin();
    char folder[80];
    struct config *again;

    snprintf(folder, sizeof folder, "%s/secrets", f.folder);
    cr_assert_eq(mkdir(folder, 0700), 0);
    fixture_write(&f, "secrets/one", "first\n");
    fixture_write(&f, "secrets/two", "before\n");
    cr_assert_eq(fixture_load(&f, text), STOA_OK, "%s", fixture_said(&f));
    again = load_again(&f, f.config);
    cr_expect_eq(again, f.config);
    config_destroy(again);
    fixture_write(&f, "secrets/two", "after\n");
    again = load_again(&f, f.config);
    cr_expect_neq(again, f.config);
    cr_expect(stoa_str_is(config_secret(again, "plugins.user.other"), "after"));
    config_destroy(again);
    fixture_end(&f);
}

/* ---- A child that waits ---- */

Test(again, one_that_waits_evaluates_the_next_text)
{
    struct fixture f = fixture_begin();

    evaluate_prepare();
    evaluate_prepare(); /* there is one */
    evaluate_program = "/nonexistent";
    cr_expect_eq(fixture_load(&f, plain), STOA_OK, "%s", fixture_said(&f));
    cr_expect_eq(fixture_load(&f, plain), STOA_E_CONFIG);
    fixture_end(&f);
}

/* 0: none. */
static pid_t only_child(void)
{
    FILE *file = fopen("/proc/thread-self/children", "re");
    char line[64] = "";

    cr_assert(file);
    if (!fgets(line, sizeof line, file))
        line[0] = '\0';
    fclose(file);
    return (pid_t)strtol(line, NULL, 10);
}

Test(again, one_that_died_while_it_waited_is_not_missed)
{
    static const int signals[] = {SIGKILL, SIGHUP, SIGTERM};
    struct fixture f = fixture_begin();
    siginfo_t ended;
    pid_t child;

    for (uint32_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        evaluate_prepare();
        child = only_child();
        cr_assert(child > 0 && kill(child, signals[i]) == 0);
        cr_assert_eq(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT), 0);
        cr_expect_eq(fixture_load(&f, plain), STOA_OK, "%s", fixture_said(&f));
    }
    fixture_end(&f);
}

struct ender {
    pid_t child, asker;
};

static bool is_asleep(pid_t thread)
{
    char path[64], line[256] = "";
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    file = fopen(path, "re");
    if (!file || !fgets(line, sizeof line, file))
        line[0] = '\0';
    if (file)
        fclose(file);
    return strstr(line, ") S ") != NULL;
}

/* Once the other thread has told its text and waits for the answer. */
static void *end_it(void *data)
{
    const struct ender *e = data;

    while (!is_asleep(e->asker))
        sched_yield();
    kill(e->child, SIGHUP);
    kill(e->child, SIGCONT);
    return NULL;
}

Test(again, one_that_ends_before_it_answers_is_not_missed)
{
    struct fixture f = fixture_begin();
    struct ender ender;
    pthread_t thread;
    int status;

    evaluate_prepare();
    ender = (struct ender){only_child(), gettid()};
    cr_assert(ender.child > 0 && kill(ender.child, SIGSTOP) == 0);
    cr_assert_eq(waitpid(ender.child, &status, WUNTRACED), ender.child);
    cr_assert_eq(pthread_create(&thread, NULL, end_it, &ender), 0);
    cr_expect_eq(fixture_load(&f, plain), STOA_OK, "%s", fixture_said(&f));
    pthread_join(thread, NULL);
    fixture_end(&f);
}

Test(again, one_that_waits_is_in_a_group_of_its_own)
{
    evaluate_program = getenv("STOA_TEST_CONFIG_CHILD");
    evaluate_prepare();
    cr_assert_eq(getpgid(only_child()), only_child());
    evaluate_end_spare();
    evaluate_prepare();
}

Test(again, a_status_that_somebody_else_took_is_no_result)
{
    struct fixture f = fixture_begin();

    signal(SIGCHLD, SIG_IGN);
    cr_expect_eq(fixture_load(&f, plain), STOA_E_CONFIG);
    cr_expect(strstr(fixture_said(&f), "exit code 1") != NULL, "%s", fixture_said(&f));
    signal(SIGCHLD, SIG_DFL);
    fixture_end(&f);
}

Test(again, none_is_left_at_the_end)
{
    evaluate_program = getenv("STOA_TEST_CONFIG_CHILD");
    evaluate_prepare();
    evaluate_end_spare();
    evaluate_prepare();
    cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
    cr_expect_eq(errno, ECHILD);
}
