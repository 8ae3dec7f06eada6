/* What a second evaluation is spared: the same text, and the start of its child.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config_fixture.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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
