/* cli/node.c: the order of opening is the order of trust: configuration, data, databases, plugins.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/node.h"

#include "call/events.h"
#include "call/journal.h"
#include "call/wiring.h"
#include "fiber/fiber.h"
#include "port/port.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
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

/* Next to the binary, where the build and the package put them. */
static void find_plugins(struct node *node)
{
    stoa_str set = config_str(node->config, "plugin_path");
    char self[4000];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    self[len > 0 ? len : 0] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    if (set.len > 0)
        snprintf(node->plugin_path, sizeof node->plugin_path, "%.*s", (int)set.len, set.ptr);
    else
        snprintf(node->plugin_path, sizeof node->plugin_path, "%s/plugins", self);
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

stoa_err node_configure(struct node *node, const struct cli *cli, struct diag *diag)
{
    struct config_source source = {cli->config, cli->data, cli->node, cli->listen};
    char folder[4096];
    stoa_str data;

    *node = (struct node){.lock_fd = -1};
    STOA_TRY(config_load(&source, diag, &node->config));
    data = config_str(node->config, "data");
    snprintf(folder, sizeof folder, "%.*s", (int)data.len, data.ptr);
    find_plugins(node);
    name_owner(node);
    return make_folder(folder, diag);
}

stoa_err node_lock(struct node *node, struct diag *diag)
{
    char path[4200];
    stoa_str data = config_str(node->config, "data");

    snprintf(path, sizeof path, "%.*s/lock", (int)data.len, data.ptr);
    node->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (node->lock_fd >= 0 && flock(node->lock_fd, LOCK_EX | LOCK_NB) == 0)
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

static struct sql *sql_of(struct node *node, stoa_str plugin)
{
    char path[64];
    stoa_str name;

    snprintf(path, sizeof path, "plugins.%.*s.sql", (int)plugin.len, plugin.ptr);
    name = config_str(node->config, path);
    return resources_sql(node->resources, name.len ? name : STOA_STR("sql"));
}

stoa_err node_migrate(struct node *node, struct diag *diag, uint32_t *applied)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(node->config), "plugins");
    char owner[32];

    for (uint32_t i = 0; i < node->resources->sql_count; i++)
        STOA_TRY(migrate_owner(node, node->resources->sql[i], "host", diag, applied));
    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p)) {
        stoa_str name = stoa_json_name(p);
        struct sql *sql = sql_of(node, name);
        snprintf(owner, sizeof owner, "%.*s", (int)name.len, name.ptr);
        if (sql)
            STOA_TRY(migrate_owner(node, sql, owner, diag, applied));
    }
    return STOA_OK;
}

static stoa_err check_migrations(struct node *node, struct diag *diag)
{
    const struct stoa_json *plugins = stoa_json_get(config_json(node->config), "plugins");
    stoa_str folder = config_str(node->config, "migration_path");
    char path[4096], owner[32];
    bool pending = false;

    snprintf(path, sizeof path, "%.*s", (int)folder.len, folder.ptr);
    for (uint32_t i = 0; i < node->resources->sql_count && !pending; i++)
        STOA_TRY(sql_migrations_pending(node->resources->sql[i], path, "host", diag, &pending));
    for (const struct stoa_json *p = stoa_json_first(plugins); p && !pending;
         p = stoa_json_next(p)) {
        struct sql *sql = sql_of(node, stoa_json_name(p));
        snprintf(owner, sizeof owner, "%.*s", (int)stoa_json_name(p).len, stoa_json_name(p).ptr);
        if (sql)
            STOA_TRY(sql_migrations_pending(sql, path, owner, diag, &pending));
    }
    if (!pending)
        return STOA_OK;
    diag_hint(diag, "run `stoa migrate` with the same options first");
    return STOA_E_CONFIG;
}

static stoa_err build_world(struct node *node, uint32_t loops, struct diag *diag)
{
    const struct world_options options = {
        .config = node->config,
        .resources = node->resources,
        .plugin_path = node->plugin_path,
        .port = port_find(config_str(node->config, "port")),
        .loops = loops,
    };

    STOA_TRY(world_create(&options, diag, &node->world));
    return wiring_build(node->world, diag);
}

/* Rows that this node's last life left behind are free at once: the lock says that it is over. */
static stoa_err recover(struct node *node, struct diag *diag)
{
    for (uint32_t i = 0; i < node->resources->sql_count; i++)
        if (journal_recover(node->resources->sql[i]) != STOA_OK) {
            diag_set(diag, sql_name(node->resources->sql[i]), 0, 0, "%s", sql_last_error());
            return STOA_E_STORE;
        }
    return STOA_OK;
}

/* Blocking, before there are loops. */
static stoa_err prepare_databases(struct node *node, bool may_migrate, struct diag *diag)
{
    uint32_t applied = 0;
    stoa_err err = resources_open(node->config, 0, diag, &node->resources);

    if (err == STOA_OK)
        err = may_migrate ? node_migrate(node, diag, &applied) : check_migrations(node, diag);
    if (err == STOA_OK && node->lock_fd >= 0)
        err = recover(node, diag);
    resources_close(node->resources);
    node->resources = NULL;
    return err;
}

stoa_err node_build(struct node *node, uint32_t loops, bool may_migrate, struct diag *diag)
{
    journal_init(node->owner);
    STOA_TRY(prepare_databases(node, may_migrate, diag));
    STOA_TRY(resources_open(node->config, loops, diag, &node->resources));
    STOA_TRY(build_world(node, loops, diag));
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
