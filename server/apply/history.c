/* apply/history.c: small files, each put into place whole. SPDX-License-Identifier: Apache-2.0 */
#include "apply/history.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "config/evaluate.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/time.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REVISION_MAX = 1 << 20,
    PLUGIN_MAX = 64 << 20,
    SIGNATURE_MAX = 4096,
    CHUNK = 32 << 10,
    NUMBER_LEN = 6, /* at least */
    TRIM_AT = HISTORY_KEPT + 20
};
#define NUMBER_MAX INT64_C(999999999999)

/* ---- Files ---- */

static void name_of(uint64_t number, char ret[32])
{
    snprintf(ret, 32, "%0*llu.json", NUMBER_LEN, (unsigned long long)number);
}

/* Number in "000012.json", "1000000.json"; 0 for any other name. */
static uint64_t number_of(const char *name)
{
    stoa_str rest = stoa_str_of(name), digits = stoa_str_cut(&rest, '.');
    int64_t number = 0;

    if (!stoa_str_is(rest, "json") || digits.len < NUMBER_LEN ||
        !isdigit((unsigned char)digits.ptr[0]) ||
        (digits.len > NUMBER_LEN && digits.ptr[0] == '0') ||
        stoa_str_int(digits, 1, NUMBER_MAX, &number) != STOA_OK)
        return 0;
    return (uint64_t)number;
}

static stoa_err make_folder(const char *path, struct diag *diag)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return STOA_OK;
    diag_set(diag, path, 0, 0, "the folder of revisions cannot be made: %s", strerror(errno));
    return STOA_E_CONFIG;
}

/* The newest, or the one that is known. */
static uint64_t find_last(const struct history *h)
{
    DIR *folder = opendir(h->folder);
    uint64_t last = h->last;

    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
        uint64_t number = number_of(e->d_name);
        last = number > last ? number : last;
    }
    if (folder)
        closedir(folder);
    return last;
}

stoa_err history_open(const char *data, struct diag *diag, struct history *ret)
{
    static const char *const below[] = {"", "/plugins", "/configs"};
    char folder[PATH_MAX];

    snprintf(ret->folder, sizeof ret->folder, "%s/revisions", data);
    for (uint32_t i = 0; i < sizeof below / sizeof *below; i++) {
        snprintf(folder, sizeof folder, "%s%s", ret->folder, below[i]);
        STOA_TRY(make_folder(folder, diag));
        file_sweep(folder);
    }
    ret->unsynced = 0;
    ret->unsynced_config[0] = '\0';
    ret->config = (struct history_compared){0};
    ret->changes = NULL;
    ret->last = 0;
    ret->last = find_last(ret);
    return STOA_OK;
}

/* ---- Reading ---- */

stoa_err history_read(const struct history *h, uint64_t number, struct stoa_arena *arena,
                      struct diag *diag, const struct stoa_json **ret)
{
    char path[PATH_MAX], name[32];
    stoa_str text;

    name_of(number, name);
    snprintf(path, sizeof path, "%s/%s", h->folder, name);
    if (number > 0 && evaluate_read(arena, path, REVISION_MAX, &text) == STOA_OK &&
        stoa_json_parse(arena, text, NULL, ret) == STOA_OK)
        return STOA_OK;
    diag_set(diag, path, 0, 0, "there is no revision %llu", (unsigned long long)number);
    diag_hint(diag, "`stoa history` lists those that are kept");
    return STOA_E_NOT_FOUND;
}

/* Its hash is its name: what a power cut or anybody else has changed is not taken. */
static bool read_config(const char *folder, stoa_str hash, struct stoa_arena *arena, stoa_str *ret)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char path[PATH_MAX + 96], hex[2 * sizeof digest + 1] = ""; /* hex_encode() writes no NUL */

    snprintf(path, sizeof path, "%s/%.*s.json", folder, (int)hash.len, hash.len ? hash.ptr : "");
    if (evaluate_read(arena, path, EVALUATE_RESULT_MAX, ret) != STOA_OK || ret->len == 0)
        return false;
    crypto_hash_sha256(digest, (const unsigned char *)ret->ptr, ret->len);
    hex_encode(digest, sizeof digest, hex);
    return stoa_str_is(hash, hex);
}

stoa_str history_config(const struct history *h, const struct stoa_json *revision,
                        struct stoa_arena *arena)
{
    char folder[PATH_MAX];
    stoa_str text;

    snprintf(folder, sizeof folder, "%s/configs", h->folder);
    return read_config(folder, stoa_json_str(revision, "hash"), arena, &text) ? text
                                                                              : (stoa_str){0};
}

struct stoa_json *history_list(const struct history *h, struct stoa_arena *arena)
{
    static const char *const keys[] = {"revision", "hash", "who",     "at",
                                       "why",      "file", "plugins", "changes"};
    struct stoa_json *list = stoa_json_array(arena);
    uint64_t oldest = h->last > HISTORY_KEPT ? h->last - HISTORY_KEPT + 1 : 1;

    for (uint64_t n = h->last; n >= oldest; n--) {
        const struct stoa_json *revision;
        struct diag diag;
        if (history_read(h, n, arena, &diag, &revision) != STOA_OK)
            continue;
        struct stoa_json *entry = stoa_json_push(list, stoa_json_object(arena));
        for (uint32_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (stoa_json_get(revision, keys[i]))
                stoa_json_set(entry, keys[i],
                              stoa_json_copy(arena, stoa_json_get(revision, keys[i])));
    }
    return list;
}

static void put_bits(const struct history *h, const struct stoa_json *plugin, struct stoa_json *ret,
                     struct stoa_arena *arena)
{
    stoa_str sha256 = stoa_json_str(plugin, "sha256");

    stoa_json_set_str(
        ret, "path",
        stoa_concat(arena, stoa_str_of(h->folder), STOA_STR("/plugins/"), sha256, STOA_STR(".so")));
    stoa_json_set_str(ret, "sha256", sha256);
    /* Binaries that did not write it down ran all of them in their process. */
    stoa_json_set_bool(ret, "shipped",
                       !stoa_json_member(plugin, STOA_STR("shipped")) ||
                           stoa_json_true(plugin, "shipped"));
}

struct stoa_json *history_files(const struct history *h, const struct stoa_json *revision,
                                struct stoa_arena *arena)
{
    const struct stoa_json *plugins = stoa_json_get(revision, "plugins");
    struct stoa_json *files = stoa_json_object(arena);

    for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p))
        put_bits(h, p,
                 stoa_json_set(files, stoa_cstr(arena, stoa_json_str(p, "name")),
                               stoa_json_object(arena)),
                 arena);
    return files;
}

/* ---- Writing ---- */

static bool put(const char *folder, const char *sha256, const char *ending, stoa_str bytes)
{
    char name[80];

    snprintf(name, sizeof name, "%s%s", sha256, ending);
    return file_put(folder, name, bytes);
}

static bool is_compared(const struct history *h, const char *sha256, const struct file_stamp *file)
{
    for (uint32_t i = 0; i < HISTORY_COMPARED; i++)
        if (strcmp(h->compared[i].sha256, sha256) == 0 && file_is_same(&h->compared[i].file, file))
            return true;
    return false;
}

static bool are_equal(int a, int b)
{
    char bytes_a[CHUNK], bytes_b[CHUNK];
    ssize_t n, m;

    for (off_t at = 0;; at += n) {
        n = pread(a, bytes_a, CHUNK, at);
        m = pread(b, bytes_b, CHUNK, at);
        if (n <= 0 || n != m || memcmp(bytes_a, bytes_b, (size_t)n) != 0)
            return n == 0 && m == 0;
    }
}

static bool has_bits(struct history *h, int kept, const struct generation *g)
{
    struct history_compared now = {0};
    struct stat st;

    if (fstat(kept, &st) != 0)
        return false;
    memcpy(now.sha256, g->sha256, sizeof now.sha256);
    now.file = file_stamp(&st);
    if (is_compared(h, g->sha256, &now.file))
        return true;
    if (!are_equal(kept, g->fd))
        return false;
    h->compared[h->compared_count++ % HISTORY_COMPARED] = now;
    return true;
}

/* A copy that was damaged since is written anew: going back would refuse it. */
static bool keep_bits(struct history *h, const char *folder, const struct generation *g,
                      struct stoa_arena *arena)
{
    char path[PATH_MAX + 96], running[64];
    stoa_str bytes;
    bool is_whole;
    int kept;

    snprintf(path, sizeof path, "%s/%s.so", folder, g->sha256);
    kept = open(path, O_RDONLY | O_CLOEXEC);
    is_whole = kept >= 0 && has_bits(h, kept, g);
    if (kept >= 0)
        close(kept);
    if (is_whole)
        return true;
    snprintf(running, sizeof running, "/proc/self/fd/%d", g->fd);
    return evaluate_read(arena, running, PLUGIN_MAX, &bytes) == STOA_OK &&
           put(folder, g->sha256, ".so", bytes);
}

static bool keep_signature(const char *folder, const struct generation *g, struct stoa_arena *arena)
{
    char path[PATH_MAX + 96];
    stoa_str kept;

    snprintf(path, sizeof path, "%s/%s.so.sig", folder, g->sha256);
    if (!g->signature[0]) /* one of another time would vouch for what nobody signed */
        return unlink(path) == 0 || errno == ENOENT;
    if (evaluate_read(arena, path, SIGNATURE_MAX, &kept) == STOA_OK &&
        stoa_str_is(kept, g->signature))
        return true;
    return put(folder, g->sha256, ".so.sig", stoa_str_of(g->signature));
}

/* Once for each generation: one that serves on was kept with the world before. */
static bool keep_plugin(struct history *h, struct generation *g)
{
    struct stoa_arena *arena;
    char folder[PATH_MAX];
    bool done;

    if (g->is_kept)
        return true;
    arena = stoa_arena_create();
    snprintf(folder, sizeof folder, "%s/plugins", h->folder);
    done = keep_bits(h, folder, g, arena) && keep_signature(folder, g, arena);
    stoa_arena_destroy(arena);
    g->is_kept = done;
    return done;
}

static struct history_compared config_now(const char *path, const struct config *config)
{
    struct history_compared now = {0};
    struct stat st;

    snprintf(now.sha256, sizeof now.sha256, "%s", config_hash(config));
    if (stat(path, &st) == 0)
        now.file = file_stamp(&st);
    return now;
}

static bool is_whole_still(const struct history_compared *before,
                           const struct history_compared *now)
{
    return strcmp(before->sha256, now->sha256) == 0 && file_is_same(&before->file, &now->file);
}

/* As the revision itself it is synced a moment later, by history_sync(). */
static bool keep_config(struct history *h, const struct config *config, struct stoa_arena *arena)
{
    char folder[PATH_MAX], name[80], path[PATH_MAX + 96];
    struct history_compared now;
    stoa_str kept;

    snprintf(folder, sizeof folder, "%s/configs", h->folder);
    snprintf(name, sizeof name, "%s.json", config_hash(config));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    now = config_now(path, config);
    if (config_evaluated(config).len == 0 || is_whole_still(&h->config, &now))
        return true;
    if (read_config(folder, stoa_str_of(config_hash(config)), arena, &kept)) {
        h->config = now;
        return true;
    }
    unlink(path); /* a damaged one, if any */
    return file_put_new(folder, name, config_evaluated(config)) || errno == EEXIST;
}

static struct stoa_json *plugins_json(const struct world *w, struct stoa_arena *arena)
{
    struct stoa_json *list = stoa_json_array(arena);

    for (uint32_t p = 0; p < w->plugins; p++) {
        struct stoa_json *one = stoa_json_push(list, stoa_json_object(arena));
        stoa_json_set_str(one, "name", stoa_str_of(w->generations[p]->name));
        stoa_json_set_str(one, "version", stoa_str_of(w->generations[p]->version));
        stoa_json_set_str(one, "sha256", stoa_str_of(w->generations[p]->sha256));
        stoa_json_set_bool(one, "shipped", w->generations[p]->is_ours);
    }
    return list;
}

static stoa_str format(const struct stoa_json *json, struct stoa_arena *arena)
{
    struct stoa_buf out;

    stoa_buf_init(&out, arena, 8192);
    stoa_json_format(json, &out);
    return stoa_buf_str(&out);
}

/* The same configuration with the same bits: a restart, or an apply of nothing new. */
static bool is_newest(const struct history *h, const struct stoa_json *revision,
                      struct stoa_arena *arena)
{
    const struct stoa_json *newest;
    struct diag diag;

    if (history_read(h, h->last, arena, &diag, &newest) != STOA_OK)
        return false;
    return stoa_str_eq(stoa_json_str(newest, "hash"), stoa_json_str(revision, "hash")) &&
           stoa_str_eq(stoa_json_str(newest, "text"), stoa_json_str(revision, "text")) &&
           stoa_str_eq(format(stoa_json_get(newest, "plugins"), arena),
                       format(stoa_json_get(revision, "plugins"), arena));
}

/* By the hash of a plugin's bits, or of a configuration. */
static bool is_referred(const struct history *h, const char *name)
{
    struct stoa_arena *arena = stoa_arena_create();
    stoa_str sha = {name, 64};
    bool found = false;

    for (uint64_t n = h->last; n > 0 && n + HISTORY_KEPT > h->last && !found; n--) {
        const struct stoa_json *revision = NULL;
        struct diag diag;
        if (history_read(h, n, arena, &diag, &revision) != STOA_OK)
            continue;
        const struct stoa_json *plugins = stoa_json_get(revision, "plugins");
        found = stoa_str_eq(stoa_json_str(revision, "hash"), sha);
        for (const struct stoa_json *p = stoa_json_first(plugins); p; p = stoa_json_next(p))
            found = found || stoa_str_eq(stoa_json_str(p, "sha256"), sha);
    }
    stoa_arena_destroy(arena);
    return found;
}

/* Whose names are a hash and an ending. */
static void trim_folder(const struct history *h, const char *below)
{
    char path[PATH_MAX + 300];
    DIR *folder;

    snprintf(path, sizeof path, "%s/%s", h->folder, below);
    folder = opendir(path);
    for (struct dirent *e = folder ? readdir(folder) : NULL; e; e = readdir(folder)) {
        if (strlen(e->d_name) < 67 || is_referred(h, e->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s/%s", h->folder, below, e->d_name);
        unlink(path);
    }
    if (folder)
        closedir(folder);
}

/* A few at a time, so that not every apply reads all revisions. */
static void trim(const struct history *h)
{
    char path[PATH_MAX], name[32];
    uint64_t n = h->last > HISTORY_KEPT ? h->last - HISTORY_KEPT : 0;

    if (h->last < TRIM_AT || h->last % 20 != 0)
        return;
    for (; n > 0; n--) {
        name_of(n, name);
        snprintf(path, sizeof path, "%s/%s", h->folder, name);
        if (unlink(path) != 0)
            break;
    }
    trim_folder(h, "plugins");
    trim_folder(h, "configs");
}

/* What is to reach the disk with the revision. */
static void note_unsynced(struct history *h, stoa_str hash)
{
    if (!h->unsynced)
        snprintf(h->unsynced_config, sizeof h->unsynced_config, "%.*s", (int)hash.len, hash.ptr);
    else if (!stoa_str_is(hash, h->unsynced_config))
        h->unsynced_config[0] = '\0';
    if (!h->unsynced)
        h->unsynced = h->last;
}

/* Another process may be about to end its last apply: whoever comes second has the next number. */
static bool write_revision(struct history *h, struct stoa_json *revision, struct stoa_arena *arena)
{
    char name[32];
    bool done;

    do {
        uint64_t number = h->last + 1;
        stoa_json_set_int(revision, "revision", (int64_t)number);
        name_of(number, name);
        done = file_put_new(h->folder, name, format(revision, arena));
        if (done || errno == EEXIST)
            h->last = number;
        if (!done)
            h->unsynced_config[0] = '\0'; /* another's is among them */
    } while (!done && errno == EEXIST);
    if (done) {
        note_unsynced(h, stoa_json_str(revision, "hash"));
        trim(h);
    }
    return done;
}

/* last: the name of the one that was synced before, which many revisions share. */
static bool sync_named(const struct history *h, stoa_str hash, char last[80])
{
    char folder[PATH_MAX], name[80];
    bool done = true;

    snprintf(folder, sizeof folder, "%s/configs", h->folder);
    snprintf(name, sizeof name, "%.*s.json", (int)(hash.len < 64 ? hash.len : 64),
             hash.len ? hash.ptr : "");
    if (strcmp(name, last) != 0)
        done = file_sync(folder, name) || errno == ENOENT;
    memcpy(last, name, sizeof name);
    return done;
}

/* What the revision's text said. */
static bool sync_config(const struct history *h, uint64_t number, char last[80])
{
    const struct stoa_json *revision = NULL;
    struct stoa_arena *arena;
    struct diag ignored;
    bool done = true;

    if (h->unsynced_config[0])
        return sync_named(h, stoa_str_of(h->unsynced_config), last);
    arena = stoa_arena_create();
    if (history_read(h, number, arena, &ignored, &revision) == STOA_OK)
        done = sync_named(h, stoa_json_str(revision, "hash"), last);
    stoa_arena_destroy(arena);
    return done;
}

bool history_sync(struct history *h)
{
    char name[32], config[80] = "";
    int error = 0;

    for (uint64_t n = h->unsynced; n > 0 && n <= h->last; n++) {
        name_of(n, name);
        if (!sync_config(h, n, config) || (!file_sync_bytes(h->folder, name) && errno != ENOENT))
            error = errno;
    }
    if (h->unsynced > 0 && !file_sync_folder(h->folder))
        error = errno;
    h->unsynced = 0;
    errno = error;
    return !error;
}

static bool keep(struct history *h, const struct world *world, struct stoa_json *revision,
                 struct stoa_arena *arena)
{
    uint64_t known = h->last;

    h->last = find_last(h);
    if (h->last != known)
        h->unsynced_config[0] = '\0'; /* another's may be among them */
    if (!keep_config(h, world->config, arena))
        return false;
    for (uint32_t p = 0; p < world->plugins; p++) /* the same bits may be signed anew */
        if (!keep_plugin(h, world->generations[p]))
            return false;
    return is_newest(h, revision, arena) || write_revision(h, revision, arena);
}

/* Another process that trims must not see files whose revision is still to be written. What cannot
 * be locked is kept all the same. */
static bool keep_locked(struct history *h, const struct world *world, struct stoa_json *revision,
                        struct stoa_arena *arena)
{
    int fd = open(h->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
    bool done;

    while (fd >= 0 && flock(fd, LOCK_EX) != 0 && errno == EINTR)
        ;
    done = keep(h, world, revision, arena);
    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

/* cap: the declared contract */
stoa_err history_add(struct history *h, const struct world *world, const char *who, const char *why,
                     struct diag *diag, uint64_t *ret)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *revision = stoa_json_object(arena);
    bool done;

    stoa_json_set_str(revision, "hash", stoa_str_of(config_hash(world->config)));
    stoa_json_set_str(revision, "who", stoa_str_of(who));
    stoa_json_set_str(revision, "at", stoa_time_format(arena, clock_utc_ms()));
    stoa_json_set_str(revision, "why", stoa_str_of(why));
    stoa_json_set_str(revision, "file", stoa_str_of(config_file(world->config)));
    stoa_json_set(revision, "plugins", plugins_json(world, arena));
    stoa_json_set_str(revision, "text", config_text(world->config));
    if (h->changes)
        stoa_json_set(revision, "changes", stoa_json_copy(arena, h->changes));
    h->changes = NULL;
    done = keep_locked(h, world, revision, arena);
    if (!done)
        diag_set(diag, h->folder, 0, 0, "the revision could not be written: %s", strerror(errno));
    else
        *ret = h->last;
    stoa_arena_destroy(arena);
    return done ? STOA_OK : STOA_E_STORE;
}
