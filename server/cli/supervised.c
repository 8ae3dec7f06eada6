/* cli/supervised.c: `stoa run`: the supervisor, with what the configuration says it is to hold; and
 * `stoa worker`, which it starts. SPDX-License-Identifier: Apache-2.0 */
#include "apply/boot.h"
#include "base/log.h"
#include "cli/node.h"
#include "cli/process.h"
#include "supervise/link.h"
#include "supervise/notify.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 17, GIVEN_MAX = 64 };

/* ---- How the processes are called ---- */

static void make_arguments(const struct cli *cli, const char *word, const char *ret[ARGUMENTS_MAX])
{
    const char *const pairs[][2] = {{"-c", cli->config},
                                    {"--data", cli->data},
                                    {"--node", cli->node},
                                    {"--listen", cli->listen}};
    uint32_t n = 0;

    ret[n++] = cli->program;
    ret[n++] = word;
    for (uint32_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i][1]) {
            ret[n++] = pairs[i][0];
            ret[n++] = pairs[i][1];
        }
    if (cli->is_development)
        ret[n++] = "--development";
    if (cli->is_watching)
        ret[n++] = "--watch";
    ret[n] = NULL;
}

/* The path that was typed, links and all, so that an upgrade may move a link; otherwise the file
 * that runs. */
static void find_program(const struct cli *cli, char ret[PATH_MAX])
{
    char folder[PATH_MAX];
    ssize_t len;

    if (cli->program[0] == '/') {
        snprintf(ret, PATH_MAX, "%s", cli->program);
    } else if (strchr(cli->program, '/') && getcwd(folder, sizeof folder)) {
        if (snprintf(ret, PATH_MAX, "%s/%s", folder, cli->program) >= PATH_MAX)
            ret[0] = '\0';
    } else {
        len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
        ret[len > 0 ? len : 0] = '\0';
    }
}

/* ---- Configuring ---- */

static void copy(char *ret, size_t size, stoa_str text)
{
    snprintf(ret, size, "%.*s", (int)text.len, text.ptr);
}

static void read_options(const struct config *config, struct supervise_options *ret)
{
    copy(ret->data, sizeof ret->data, config_str(config, "data"));
    copy(ret->log.file, sizeof ret->log.file, config_str(config, "log.file"));
    copy(ret->log.format, sizeof ret->log.format, config_str(config, "log.format"));
    copy(ret->log.level, sizeof ret->log.level, config_str(config, "log.level"));
    ret->start_ms = config_int(config, "limits.start");
    ret->drain_ms = config_int(config, "limits.drain");
    ret->crashes_max = (uint32_t)config_int(config, "limits.plugin_crashes");
}

/* A file that cannot be read does not keep a shop closed that has once been open. */
static stoa_err configure(struct node *node, const struct cli *cli, struct supervise_options *ret,
                          struct diag *diag)
{
    struct diag ignored = {0};
    struct stoa_arena *arena;
    struct stoa_buf why;

    if (node_configure(node, cli, diag) == STOA_OK)
        return STOA_OK;
    if (node_configure_kept(node, cli, NULL, 0, &ignored) != STOA_OK)
        return STOA_E_CONFIG;
    arena = stoa_arena_create();
    stoa_buf_init(&why, arena, 512);
    diag_format(diag, &why);
    copy(ret->base.problem, sizeof ret->base.problem, stoa_buf_str(&why));
    stoa_arena_destroy(arena);
    copy(ret->data, sizeof ret->data, config_str(node->config, "data"));
    ret->base.revision = boot_newest(ret->data);
    return STOA_OK;
}

static void tell_problem(const struct supervise_options *o)
{
    if (o->base.revision)
        log_error("supervisor", "the configuration cannot be used; the newest good revision is",
                  stoa_f("why", stoa_z(o->base.problem)),
                  stoa_f("revision", stoa_i((int64_t)o->base.revision)));
}

/* ---- Sockets ---- */

static stoa_err refuse_given(const struct http_given *given, struct diag *diag)
{
    for (uint32_t i = 0; i < given->count; i++)
        if (given->fds[i] >= 0) {
            diag_set(diag, "LISTEN_FDS", 0, 0,
                     "a socket was passed that is no address in the node's listen");
            diag_hint(diag, "let ListenStream= and listen name the same addresses");
            return STOA_E_CONFIG;
        }
    return STOA_OK;
}

static stoa_err open_sockets(const struct config *config, struct handover *ret, struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    const struct http_wanted wanted = process_wanted(arena, config);
    int fds[GIVEN_MAX];
    struct http_given given = {fds, notify_listen_fds(fds, GIVEN_MAX)};
    stoa_err err = STOA_OK;

    ret->loops = process_loops(config);
    for (uint32_t i = 0; err == STOA_OK && i < wanted.listen_count; i++)
        err = http_sockets_open(wanted.listen[i].address, ret->loops, &given, diag,
                                &ret->listen[ret->listen_count++]);
    if (err == STOA_OK)
        err = refuse_given(&given, diag);
    stoa_arena_destroy(arena);
    return err;
}

/* ---- Commands ---- */

static int resume(const struct cli *cli, struct supervise_options *o,
                  struct supervise_resumed *resumed)
{
    static const char *own[ARGUMENTS_MAX], *worker[ARGUMENTS_MAX];

    STOA_IGNORE(log_configure(o->log.file, o->log.format, o->log.level)); /* else standard error */
    make_arguments(cli, "run", own);
    make_arguments(cli, "worker", worker);
    o->own_arguments = own;
    o->worker_arguments = worker;
    return supervise_resume(o, resumed);
}

static stoa_err prepare(struct node *node, const struct cli *cli, struct supervise_options *o,
                        struct diag *diag)
{
    STOA_TRY(configure(node, cli, o, diag));
    read_options(node->config, o);
    find_program(cli, o->program);
    STOA_IGNORE(process_open_log(node->config)); /* else standard error */
    tell_problem(o);
    STOA_TRY(node_lock(node, diag));
    o->base.lock = node->lock_fd;
    o->newest = boot_newest(o->data);
    return open_sockets(node->config, &o->base, diag);
}

static int supervise(const struct cli *cli)
{
    static struct supervise_options o;
    static const char *own[ARGUMENTS_MAX], *worker[ARGUMENTS_MAX];
    struct supervise_resumed *resumed;
    struct node node;
    struct diag diag = {0};
    int status;

    if (supervise_is_resumed(&o, &resumed))
        return resume(cli, &o, resumed);
    handover_init(&o.base);
    make_arguments(cli, "run", own);
    make_arguments(cli, "worker", worker);
    o.own_arguments = own;
    o.worker_arguments = worker;
    if (prepare(&node, cli, &o, &diag) != STOA_OK)
        return cli_config_error(&diag);
    node.lock_fd = -1; /* o's */
    node_close(&node);
    status = supervise_run(&o, &diag);
    return diag.message[0] ? cli_config_error(&diag) : status;
}

int command_run(const struct cli *cli)
{
    return cli->is_single ? process_serve(cli, NULL) : supervise(cli);
}

int command_worker(const struct cli *cli)
{
    static struct handover handed;

    if (link_open(&handed))
        return process_serve(cli, &handed);
    fprintf(stderr, "stoa: a worker is started by `stoa run`, not by hand\n");
    return EXIT_USAGE;
}
