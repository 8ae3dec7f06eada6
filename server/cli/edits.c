/* cli/edits.c: folders are watched, not files: editors and `mv` put a new file in the place of the
 * old. SPDX-License-Identifier: Apache-2.0 */
#include "cli/edits.h"

#include "base/log.h"
#include "plugin/world.h"
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { EVENTS = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE, DEPTH_MAX = 6 };

struct paths {
    char config[PATH_MAX], plugins[PATH_MAX], theme[PATH_MAX];
};

struct edits {
    int fd;
    struct loop *loop;
    struct loop_io *io;
    struct loop_timer quiet;
    int config_folder; /* its watch: only one file of it counts */
    char config_name[NAME_MAX + 1];
    int watches[EDITS_FOLDERS_MAX]; /* those that live; the kernel never gives a number again */
    int count;
    void (*changed)(void *data);
    void *data;
};

static void on_quiet(struct loop_timer *timer)
{
    struct edits *w = (struct edits *)((char *)timer - offsetof(struct edits, quiet));

    w->changed(w->data);
}

/* Where in watches; count: not there. */
static int find(const struct edits *w, int wd)
{
    int i = 0;

    while (i < w->count && w->watches[i] != wd)
        i++;
    return i;
}

/* The folder is gone: the kernel has ended its watch. */
static void forget(struct edits *w, int wd)
{
    int i = find(w, wd);

    if (i < w->count)
        w->watches[i] = w->watches[--w->count];
}

static bool counts(const struct edits *w, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true; /* the kernel had no room for more: any may be among those */
    if (event->len == 0 || event->name[0] == '.')
        return false; /* what editors keep for themselves */
    if (event->wd == w->config_folder && strcmp(event->name, w->config_name) == 0)
        return true;
    return event->wd != w->config_folder && event->name[strlen(event->name) - 1] != '~';
}

static void on_ready(void *data, int ready)
{
    _Alignas(struct inotify_event) char events[8192];
    struct edits *w = data;
    bool any = false;
    ssize_t len;

    while ((len = read(w->fd, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < len;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);
            if (event->mask & IN_IGNORED)
                forget(w, event->wd);
            any = any || counts(w, event);
            at += (ssize_t)sizeof *event + event->len;
        }
    if (!any)
        return;
    loop_timer_cancel(loop_current(), &w->quiet);
    loop_timer_arm(loop_current(), &w->quiet, EDITS_QUIET_MS);
}

static int refuse(const char *path, int error)
{
    char many[64];

    snprintf(many, sizeof many, "%d are, and no more can be", EDITS_FOLDERS_MAX);
    log_warn("watch", "a folder is not watched", stoa_f("folder", stoa_z(path)),
             stoa_f("why", stoa_z(error ? strerror(error) : many)));
    return -1;
}

/* The kernel knows a folder that is watched already, and says its number again. */
static int add(struct edits *w, const char *path)
{
    int wd = inotify_add_watch(w->fd, path, EVENTS | IN_ONLYDIR);

    if (wd < 0)
        return refuse(path, errno);
    if (find(w, wd) < w->count)
        return wd;
    if (w->count == EDITS_FOLDERS_MAX) {
        (void)inotify_rm_watch(w->fd, wd);
        return refuse(path, 0);
    }
    w->watches[w->count++] = wd;
    return wd;
}

/* cap: a tree of folders is walked as it is, DEPTH_MAX deep */
static void add_tree(struct edits *w, const char *path, uint32_t depth)
{
    DIR *folder = opendir(path);
    char deeper[PATH_MAX];

    if (!folder)
        return;
    STOA_IGNORE(add(w, path));
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.' || depth == DEPTH_MAX ||
            snprintf(deeper, sizeof deeper, "%s/%s", path, e->d_name) >= PATH_MAX)
            continue;
        add_tree(w, deeper, depth + 1); /* NOLINT(misc-no-recursion) */
    }
    closedir(folder);
}

static void add_config(struct edits *w, const char *config)
{
    char path[PATH_MAX], name[PATH_MAX];

    snprintf(path, sizeof path, "%s", config);
    snprintf(name, sizeof name, "%s", config);
    snprintf(w->config_name, sizeof w->config_name, "%s", basename(name));
    w->config_folder = add(w, dirname(path));
}

static void find_paths(const struct config *config, const char *plugin_path, struct paths *ret)
{
    snprintf(ret->config, sizeof ret->config, "%s", config_file(config));
    snprintf(ret->plugins, sizeof ret->plugins, "%s", plugin_path);
    world_theme_folder(config, ret->theme);
}

struct edits *edits_watch(const struct config *config, const char *plugin_path,
                          void (*changed)(void *data), void *data)
{
    struct edits *w = calloc(1, sizeof *w);
    struct paths paths;

    *w = (struct edits){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
                        .loop = loop_current(),
                        .quiet.fire = on_quiet,
                        .changed = changed,
                        .data = data};
    if (w->fd < 0) {
        log_warn("watch", "nothing is watched", stoa_f("why", stoa_z(strerror(errno))));
        free(w);
        return NULL;
    }
    find_paths(config, plugin_path, &paths);
    add_config(w, paths.config);
    add_tree(w, paths.plugins, 0);
    add_tree(w, paths.theme, 0);
    w->io = loop_io_create(loop_current(), w->fd, on_ready, w);
    loop_io_want(w->io, LOOP_READ);
    log_info("watch", "changes are applied by themselves", stoa_f("folders", stoa_i(w->count)));
    return w;
}

struct follow {
    struct loop_message message;
    struct edits *edits;
    struct paths paths;
};

static void follow(struct loop_message *message)
{
    struct follow *f = (struct follow *)message;

    add_tree(f->edits, f->paths.plugins, 0);
    add_tree(f->edits, f->paths.theme, 0);
    free(f);
}

void edits_follow(struct edits *edits, const struct config *config, const char *plugin_path)
{
    struct follow *f = calloc(1, sizeof *f);

    f->message.run = follow;
    f->edits = edits;
    find_paths(config, plugin_path, &f->paths);
    loop_post(edits->loop, &f->message);
}
