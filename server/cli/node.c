/* cli/node.c: the order of opening is the order of trust: configuration, data, databases, plugins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/node.h"

#include "apply/boot.h"
#include "apply/build.h"
#include "call/journal.h"
#include "fiber/fiber.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static stoa_err refuse_folder(const char *path, int error, struct diag *diag)
{
    diag_set(diag, path, 0, 0, "the data folder cannot be used: %s", strerror(error));
    diag_hint(diag, "choose another with --data DIR, or correct its owner");
    return STOA_E_CONFIG;
}

static stoa_err make_folder(const char *path, struct diag *diag)
{
    char part[4096];
    size_t len = strlen(path);

    if (len >= sizeof part)
        return refuse_folder(path, ENAMETOOLONG, diag);
    for (size_t i = 1; i <= len; i++)
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0750) != 0 && errno != EEXIST)
                return refuse_folder(part, errno, diag);
        }
    return access(path, W_OK | X_OK) == 0 ? STOA_OK : refuse_folder(path, errno, diag);
}

/* Nothing is made: that is the start's business. */
static stoa_err look_at_folder(const char *path, struct diag *diag)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return errno == ENOENT ? STOA_OK : refuse_folder(path, errno, diag);
    if (!S_ISDIR(st.st_mode))
        return refuse_folder(path, ENOTDIR, diag);
    return access(path, W_OK | X_OK) == 0 ? STOA_OK : refuse_folder(path, errno, diag);
}

/* Who this process is in leases and the journal: the same after a restart, another on another
 * machine. */
static void name_owner(struct node *node)
{
    stoa_str data = config_str(node->config, "data"), name = config_str(node->config, "node.name");
    char host[24] = "";

    gethostname(host, sizeof host - 1);
    snprintf(node->owner, sizeof node->owner, "%.*s@%s#%08x", (int)(name.len < 16 ? name.len : 16),
             name.ptr, host, (unsigned)stoa_str_hash(data));
}

static void node_init(struct node *node, const struct cli *cli)
{
    *node = (struct node){.lock_fd = -1};
    node->source = (struct config_source){.path = cli->config,
                                          .data = cli->data,
                                          .node = cli->node,
                                          .is_all = strcmp(cli->command, "run") != 0,
                                          .listen = cli->listen};
}

static void find_data(const struct node *node, char ret[PATH_MAX])
{
    stoa_str data = config_str(node->config, "data");

    snprintf(ret, PATH_MAX, "%.*s", (int)data.len, data.ptr);
}

static stoa_err configure(struct node *node, const struct cli *cli,
                          stoa_err (*see_to)(const char *folder, struct diag *diag),
                          struct diag *diag)
{
    char folder[PATH_MAX];

    node_init(node, cli);
    STOA_TRY(config_load(&node->source, diag, &node->config));
    find_data(node, folder);
    name_owner(node);
    return see_to(folder, diag);
}

stoa_err node_configure(struct node *node, const struct cli *cli, struct diag *diag)
{
    return configure(node, cli, make_folder, diag);
}

stoa_err node_configure_only(struct node *node, const struct cli *cli, struct diag *diag)
{
    return configure(node, cli, look_at_folder, diag);
}

stoa_err node_try(struct node *node, struct diag *missing, struct diag *diag)
{
    bool is_missing = false;

    STOA_TRY(resources_try(node->config, diag, &node->resources));
    STOA_TRY(build_find_missing(node->config, node->resources, diag, &is_missing));
    if (is_missing)
        *missing = *diag;
    *diag = (struct diag){0};
    return build_world(node->config, node->resources, 1, &node->choice, diag, &node->world);
}

/* A file that cannot be read does not say where its data is. */
static void guess_data(const struct cli *cli, char ret[PATH_MAX])
{
    const char *slash = strrchr(cli->config, '/');

    if (cli->data)
        snprintf(ret, PATH_MAX, "%s", cli->data);
    else
        snprintf(ret, PATH_MAX, "%.*svar", slash ? (int)(slash + 1 - cli->config) : 0, cli->config);
}

stoa_err node_configure_kept(struct node *node, const struct cli *cli, const char *data,
                             uint64_t revision, struct diag *diag)
{
    char guessed[PATH_MAX];
    struct boot boot;

    node_init(node, cli);
    if (!data) {
        guess_data(cli, guessed);
        data = guessed;
    }
    node->arena = stoa_arena_create();
    STOA_TRY(boot_load(data, revision ? revision : boot_newest(data), &node->source, node->arena,
                       diag, &boot));
    node->config = boot.config;
    node->choice.files = boot.files;
    name_owner(node);
    return STOA_OK;
}

void node_tolerate(struct node *node)
{
    char data[PATH_MAX];

    if (!node->arena)
        node->arena = stoa_arena_create();
    find_data(node, data);
    node->choice.kept = boot_kept(data, node->arena);
}

/* A killed one is gone a moment later: its worker ends with its supervisor. False with errno. */
static bool lock_soon(int fd)
{
    const struct timespec pause = {0, 10000000};
    int tries = 50;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || --tries == 0)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

stoa_err node_lock(struct node *node, struct diag *diag)
{
    char path[4200];
    stoa_str data = config_str(node->config, "data");

    snprintf(path, sizeof path, "%.*s/lock", (int)data.len, data.ptr);
    node->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (node->lock_fd >= 0 && lock_soon(node->lock_fd))
        return STOA_OK;
    diag_set(diag, path, 0, 0,
             errno == EWOULDBLOCK ? "another stoa serves this data folder"
                                  : "it cannot be locked: %s",
             strerror(errno));
    diag_hint(diag, "stop it, or use another folder with --data DIR");
    return STOA_E_CONFIG;
}

static stoa_err migrate_owner(struct node *node, struct sql *sql, const char *owner,
                              struct diag *diag, uint32_t *applied)
{
    struct sql_migration_report report = {0};
    stoa_str folder = config_str(node->config, "migration_path");
    char path[4096];

    snprintf(path, sizeof path, "%.*s", (int)folder.len, folder.ptr);
    STOA_TRY(sql_migrate(sql, path, owner, diag, &report));
    *applied += report.applied;
    return STOA_OK;
}

stoa_err node_migrate(struct node *node, struct diag *diag, uint32_t *applied)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(node->config), "plugins");
    char owner[32];

    for (uint32_t i = 0; i < node->resources->sql_count; i++)
        if (build_is_used(node->config, node->resources->sql[i]))
            STOA_TRY(migrate_owner(node, node->resources->sql[i], "host", diag, applied));
    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p)) {
        stoa_str name = stoa_json_name(p);
        struct sql *sql = build_sql_of(node->config, node->resources, name);
        snprintf(owner, sizeof owner, "%.*s", (int)name.len, name.ptr);
        if (sql && world_runs_here(node->config, name))
            STOA_TRY(migrate_owner(node, sql, owner, diag, applied));
    }
    return STOA_OK;
}

/* Rows that this node's last life left behind are free at once: the lock says that it is over. */
static stoa_err recover(struct node *node, struct diag *diag)
{
    for (uint32_t i = 0; i < node->resources->sql_count; i++)
        if (build_is_used(node->config, node->resources->sql[i]) &&
            journal_recover(node->resources->sql[i]) != STOA_OK) {
            diag_set(diag, sql_name(node->resources->sql[i]), 0, 0, "%s", sql_last_error());
            return STOA_E_STORE;
        }
    return STOA_OK;
}

/* Blocking, before the loops run. What has served a moment ago had its migrations: files of a
 * newer version, unpacked meanwhile, are not its own. */
static stoa_err prepare_databases(struct node *node, bool may_migrate, struct diag *diag)
{
    uint32_t applied = 0;

    if (!node->choice.files_have_served)
        STOA_TRY(may_migrate ? node_migrate(node, diag, &applied)
                             : build_check_migrations(node->config, node->resources, diag));
    return node->lock_fd >= 0 && !node->is_successor ? recover(node, diag) : STOA_OK;
}

stoa_err node_build(struct node *node, uint32_t loops, bool may_migrate, struct diag *diag)
{
    journal_init(node->owner);
    STOA_TRY(resources_open(node->config, loops, diag, &node->resources));
    STOA_TRY(prepare_databases(node, may_migrate, diag));
    STOA_TRY(build_world(node->config, node->resources, loops, &node->choice, diag, &node->world));
    node->loop_count = loops;
    for (uint32_t i = 0; i < loops; i++)
        node->loops[i] = loop_create(i);
    return STOA_OK;
}

void node_close(struct node *node)
{
    world_destroy(node->world);
    resources_close(node->resources); /* databases and pool still post to the loops */
    for (uint32_t i = 0; i < node->loop_count; i++)
        loop_destroy(node->loops[i]);
    config_destroy(node->config);
    if (node->arena)
        stoa_arena_destroy(node->arena);
    if (node->lock_fd >= 0)
        close(node->lock_fd);
}

struct task {
    struct loop_message message;
    struct node *node;
    int (*work)(struct node *node);
    int result;
};

static void task_run(void *arg)
{
    struct task *t = arg;

    t->result = t->work(t->node);
    loop_stop(t->node->loops[0]);
}

static void task_start(struct loop_message *message)
{
    struct task *t = (struct task *)message;

    cache_attach(t->node->resources->cache);
    world_publish(t->node->world);
    if (fiber_spawn(task_run, NULL, t, NULL) != STOA_OK)
        loop_stop(t->node->loops[0]);
}

int node_run_task(struct node *node, int (*work)(struct node *node))
{
    struct task task = {{.run = task_start}, node, work, EXIT_FAILED};

    fiber_crash_init_thread();
    loop_post(node->loops[0], &task.message);
    loop_run(node->loops[0]);
    fiber_finish_thread();
    fiber_crash_finish_thread();
    return task.result;
}
