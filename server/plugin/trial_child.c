/* plugin/trial_child.c: the child's side: `stoa __trial NAME`. Standard input has the settings,
 * descriptor 3 the sealed bits. SPDX-License-Identifier: Apache-2.0 */
#include "config/evaluate.h"
#include "plugin/preflight.h"
#include "plugin/trial.h"
#include "plugin/world.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BITS_FD = 3, REPORT_FD_MIN = 2 * TRIAL_FILES_MAX, SETTINGS_LIMIT = 2 << 20 };

static int report_fd;

static void say(const char *line)
{
    char text[600];
    int len = snprintf(text, sizeof text, "%s\n", line);

    if (write(report_fd, text, len < (int)sizeof text ? (size_t)len : sizeof text) < 0)
        _exit(1); /* nobody listens any more */
}

static int fail(const struct diag *diag)
{
    char line[sizeof diag->message + 8];

    snprintf(line, sizeof line, "fail %s", diag->message);
    say(line);
    return 0;
}

/* What the plugin prints goes where other errors go, and is not taken for a report. */
static bool open_report(void)
{
    report_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, REPORT_FD_MIN);
    return report_fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

static void limit(int resource, uint64_t value)
{
    const struct rlimit both = {value, value};

    (void)setrlimit(resource, &both);
}

static void set_limits(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, TRIAL_FILES_MAX);
    if (!preflight_is_relaxed()) /* the shadow memory of sanitizers alone is larger */
        limit(RLIMIT_AS, (uint64_t)TRIAL_MEMORY_MIB << 20);
}

/* destroy() of what create() made, as a world does it. */
static void make_and_end(struct generation *g)
{
    struct stoa_instance instance = {.arena = stoa_arena_create(), .generation = g};
    stoa_err err = STOA_OK;

    say("create");
    if (g->desc.create)
        err = g->desc.create(g->settings, &instance, &instance.self);
    say("destroy");
    if (err == STOA_OK && g->desc.destroy && instance.self)
        g->desc.destroy(instance.self);
    stoa_arena_destroy(instance.arena);
}

int trial_child_main(int argc, char **argv)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct plugin_bits bits = {.fd = BITS_FD};
    struct generation *g = NULL;
    struct config *config = NULL;
    struct diag diag = {0};
    stoa_str text;
    stoa_err err;

    if (!open_report())
        return 1;
    set_limits();
    if (argc != 3 || evaluate_read(arena, "/proc/self/fd/0", SETTINGS_LIMIT, &text) != STOA_OK ||
        config_from_json(text, &config) != STOA_OK)
        return 1;
    snprintf(bits.name, sizeof bits.name, "%s", argv[2]);
    snprintf(bits.path, sizeof bits.path, "%s", argv[2]);
    say("load");
    err = generation_map(&bits, config, &diag, &g);
    if (err ==
        STOA_E_CONFIG) { /* its settings: the load proper says so, with the place in the file */
        say("ok");
        return 0;
    }
    if (err != STOA_OK)
        return fail(&diag);
    make_and_end(g);
    say("ok");
    fflush(NULL);
    _exit(0); /* what it left behind is the kernel's */
}
