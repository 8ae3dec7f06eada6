/* plugin/trial.c: the parent's side. The child tells each step before it takes it, so that its end
 * has a place. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/trial.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/metrics.h"
#include "base/spawn.h"
#include "plugin/settings.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAID_MAX = 1024 };

const char *trial_program = "/proc/self/exe";

struct trial {
    const struct plugin_bits *bits;
    int settings_fd, report_fd; /* the child's standard input; what it says */
    pid_t child;
    char said[SAID_MAX];
    size_t said_len;
    int64_t deadline_ms;
    bool in_time;
    int status;
};

/* ---- What was tried before ---- */

struct key {
    unsigned char hash[crypto_hash_sha256_BYTES];
};
static struct key known[TRIAL_KEPT];
static uint32_t known_count;

static struct key key_of(const struct plugin_bits *bits, stoa_str settings)
{
    crypto_hash_sha256_state state;
    struct key key;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)bits->sha256, sizeof bits->sha256);
    crypto_hash_sha256_update(&state, (const unsigned char *)settings.ptr, settings.len);
    crypto_hash_sha256_final(&state, key.hash);
    return key;
}

static bool is_known(const struct key *key)
{
    for (uint32_t i = 0; i < known_count && i < TRIAL_KEPT; i++)
        if (memcmp(&known[i], key, sizeof *key) == 0)
            return true;
    return false;
}

/* ---- The child ---- */

static stoa_str settings_of(const struct plugin_bits *bits, const struct config *config,
                            struct stoa_arena *arena)
{
    struct stoa_json *all = stoa_json_object(arena);
    struct stoa_json *plugins = stoa_json_set(all, "plugins", stoa_json_object(arena));
    char path[64];
    struct stoa_buf out;

    snprintf(path, sizeof path, "plugins.%s", bits->name);
    if (stoa_json_get(config_json(config), path))
        stoa_json_set(plugins, bits->name,
                      stoa_json_copy(arena, settings_table(config, path, NULL, arena)));
    stoa_buf_init(&out, arena, 1024);
    stoa_json_format(all, &out);
    return stoa_buf_str(&out);
}

static bool spawn(struct trial *t, int report)
{
    char *const arguments[] = {(char *)"stoa", (char *)"__trial", (char *)t->bits->name, NULL};
    const struct spawn_fd fds[] = {
        {t->settings_fd, STDIN_FILENO}, {report, STDOUT_FILENO}, {t->bits->fd, STDERR_FILENO + 1}};

    return spawn_start(&(struct spawn){.program = trial_program,
                                       .arguments = arguments,
                                       .fds = fds,
                                       .fd_count = sizeof fds / sizeof *fds,
                                       .close_from = STDERR_FILENO + 2},
                       &t->child);
}

/* Until the child has ended or its time is up. */
static void listen_to(struct trial *t)
{
    for (;;) {
        struct pollfd wait = {.fd = t->report_fd, .events = POLLIN};
        int64_t left = t->deadline_ms - clock_monotonic_ms();
        char more[256];
        ssize_t got;

        if (left <= 0)
            return;
        if (poll(&wait, 1, (int)left) <= 0)
            continue;
        got = read(t->report_fd, more, sizeof more);
        if (got == 0) {
            t->in_time = true;
            return;
        }
        for (ssize_t i = 0; i < got && t->said_len < SAID_MAX - 1; i++)
            t->said[t->said_len++] = more[i];
    }
}

static void run(struct trial *t)
{
    listen_to(t);
    if (!t->in_time)
        kill(t->child, SIGKILL);
    while (waitpid(t->child, &t->status, 0) < 0 && errno == EINTR)
        ;
    close(t->report_fd);
}

static bool start(struct trial *t, stoa_str settings)
{
    int pipe_fds[2];
    bool ok;

    t->settings_fd = file_in_memory("settings", settings); /* it may be more than a pipe takes */
    if (t->settings_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) != 0) {
        if (t->settings_fd >= 0)
            close(t->settings_fd);
        return false;
    }
    t->report_fd = pipe_fds[0];
    ok = spawn(t, pipe_fds[1]);
    close(pipe_fds[1]);
    close(t->settings_fd);
    if (!ok)
        close(t->report_fd);
    return ok;
}

/* ---- The verdict ---- */

/* The last line: the step that it was in, "fail …" or "ok". */
static stoa_str last_line(const struct trial *t)
{
    stoa_str rest = {t->said, t->said_len}, line = {0};

    while (rest.len > 0) {
        stoa_str one = stoa_str_cut(&rest, '\n');
        line = one.len ? one : line;
    }
    return line;
}

static stoa_err judge(const struct trial *t, struct diag *diag)
{
    stoa_str line = last_line(t), why = line;
    const char *file = t->bits->path;

    if (t->in_time && WIFEXITED(t->status) && stoa_str_is(line, "ok"))
        return STOA_OK;
    if (stoa_str_is(stoa_str_cut(&why, ' '), "fail"))
        diag_set(diag, file, 0, 0, "%.*s", (int)why.len, why.ptr);
    else if (!t->in_time)
        diag_set(diag, file, 0, 0, "in its trial '%.*s' was not over when its time was up",
                 (int)line.len, line.ptr);
    else if (WIFSIGNALED(t->status))
        diag_set(diag, file, 0, 0, "in its trial '%.*s' ended with signal SIG%s", (int)line.len,
                 line.ptr, sigabbrev_np(WTERMSIG(t->status)));
    else
        diag_set(diag, file, 0, 0, "in its trial '%.*s' ended the process with status %d",
                 (int)line.len, line.ptr, WEXITSTATUS(t->status));
    diag_hint(diag, "it was tried in a process of its own, and nothing of it runs here; "
                    "limits.trial is the time it has");
    return STOA_E_PLUGIN;
}

static int64_t time_of(const struct config *config)
{
    return stoa_json_int(config_json(config), "limits.trial", TRIAL_DEFAULT_MS);
}

static stoa_err try_it(const struct plugin_bits *bits, stoa_str settings, int64_t time_ms,
                       struct diag *diag)
{
    struct trial t = {.bits = bits, .deadline_ms = clock_monotonic_ms() + time_ms};

    if (!start(&t, settings)) {
        diag_set(diag, bits->path, 0, 0, "no process could be started to try it");
        diag_hint(diag, "the system is short of processes or files");
        return STOA_E_PLUGIN;
    }
    run(&t);
    metric_add(METRIC_plugin_trials_total, 1);
    return judge(&t, diag);
}

stoa_err trial_run(const struct plugin_bits *bits, const struct config *config, struct diag *diag)
{
    struct stoa_arena *arena;
    stoa_str settings;
    struct key key;
    stoa_err err = STOA_OK;

    if (!trial_program || bits->is_shipped || bits->has_served)
        return STOA_OK;
    arena = stoa_arena_create();
    settings = settings_of(bits, config, arena);
    key = key_of(bits, settings);
    if (!is_known(&key)) {
        err = try_it(bits, settings, time_of(config), diag);
        if (err == STOA_OK)
            known[known_count++ % TRIAL_KEPT] = key;
    }
    stoa_arena_destroy(arena);
    return err;
}
