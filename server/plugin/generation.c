/* plugin/generation.c: the bytes that were checked are the bytes that run: they go into a sealed
 * memfd of their own, so that a deploy rewriting the file cannot change running code, and dlopen()
 * cannot hand back an older mapping of the same inode. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/generation.h"

#include "plugin/preflight.h"
#include "plugin/settings.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PLUGIN_FILE_MAX = 64 << 20 };

static _Atomic uint64_t alive, kept;

struct file_bytes {
    char *ptr; /* aligned by malloc, as the ELF reader wants it */
    size_t len;
};

static stoa_err read_fd(int fd, const char *path, struct diag *diag, struct file_bytes *ret)
{
    struct stat st;
    size_t got = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > PLUGIN_FILE_MAX) {
        diag_set(diag, path, 0, 0, "it is no regular file of at most 64 MiB");
        return STOA_E_PLUGIN;
    }
    ret->len = (size_t)st.st_size;
    ret->ptr = malloc(ret->len + 1);
    while (got < ret->len) {
        ssize_t n = read(fd, ret->ptr + got, ret->len - got);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        got += n > 0 ? (size_t)n : 0;
    }
    if (got == ret->len)
        return STOA_OK;
    diag_set(diag, path, 0, 0, "it changed while it was read");
    diag_hint(diag, "try again; install plugins with mv, not cp, over the old file");
    return STOA_E_PLUGIN;
}

static stoa_err read_file(const char *path, struct diag *diag, struct file_bytes *ret)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    stoa_err err;

    if (fd < 0) {
        diag_set(diag, path, 0, 0, "cannot be opened: %s", strerror(errno));
        diag_hint(diag, "is the plugin installed? The folder is plugin_path in config.lua");
        return STOA_E_PLUGIN;
    }
    err = read_fd(fd, path, diag, ret);
    close(fd);
    return err;
}

static void hash_hex(const struct file_bytes *bytes, char ret[65])
{
    unsigned char digest[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(digest, (const unsigned char *)bytes->ptr, bytes->len);
    sodium_bin2hex(ret, 65, digest, sizeof digest);
}

/* A new inode that nobody can write any more. -1 when the machine does not have it. */
static int sealed_copy(const char *name, const struct file_bytes *bytes)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t put = 0;

    if (fd < 0)
        return -1;
    while (put < bytes->len) {
        ssize_t n = write(fd, bytes->ptr + put, bytes->len - put);
        if (n < 0 && errno != EINTR)
            break;
        put += n > 0 ? (size_t)n : 0;
    }
    if (put == bytes->len &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

void span_read(const struct stoa_span *span, uint32_t index, void *ret, uint32_t size)
{
    stoa_assert(index < span->count);
    memset(ret, 0, size);
    memcpy(ret, (const char *)span->ptr + (size_t)index * span->stride,
           span->stride < size ? span->stride : size);
}

static stoa_err read_descriptor(struct generation *g, const char *path, struct diag *diag)
{
    const struct stoa_plugin_v1 *desc = dlsym(g->dl, "stoa_plugin");

    if (!desc || desc->abi_major != STOA_ABI_MAJOR || desc->abi_minor > STOA_ABI_MINOR ||
        desc->size < offsetof(struct stoa_plugin_v1, create)) {
        diag_set(diag, path, 0, 0, "its descriptor does not fit this host's ABI %d.%d",
                 STOA_ABI_MAJOR, STOA_ABI_MINOR);
        diag_hint(diag, "build it again with this host's SDK");
        return STOA_E_ABI;
    }
    memcpy(&g->desc, desc, desc->size < sizeof g->desc ? desc->size : sizeof g->desc);
    return STOA_OK;
}

/* A library built with -Ofast sets the processor's rounding for whoever loads it. */
static void *open_with_own_fenv(const char *path)
{
    fenv_t before;
    void *dl;

    fegetenv(&before);
    dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    fesetenv(&before);
    return dl;
}

static stoa_err map(struct generation *g, const char *path, const struct file_bytes *bytes,
                    struct diag *diag)
{
    char own[64];

    g->fd = sealed_copy(g->name, bytes);
    if (g->fd < 0) {
        diag_set(diag, path, 0, 0, "no private copy could be made: %s", strerror(errno));
        return STOA_E_PLUGIN;
    }
    snprintf(own, sizeof own, "/proc/self/fd/%d", g->fd);
    g->dl = open_with_own_fenv(own);
    if (!g->dl) {
        diag_set(diag, path, 0, 0, "it cannot be loaded: %s", dlerror());
        diag_hint(
            diag,
            "build it with this host's SDK; it may use a function that this host does not have");
        return STOA_E_PLUGIN;
    }
    return read_descriptor(g, path, diag);
}

static stoa_err check_name(struct generation *g, const char *path, const char *expected,
                           struct diag *diag)
{
    if (strcmp(g->name, expected) == 0)
        return STOA_OK;
    diag_set(diag, path, 0, 0, "its manifest says '%s', config.lua calls it '%s'", g->name,
             expected);
    diag_hint(diag, "name the file and the key in config.lua after the manifest");
    return STOA_E_PLUGIN;
}

static struct generation *generation_new(const struct preflight *checked)
{
    static _Atomic uint64_t numbers;
    struct generation *g = calloc(1, sizeof *g);

    g->fd = -1;
    g->is_pure = checked->is_pure;
    atomic_fetch_add(&alive, 1);
    g->number = atomic_fetch_add(&numbers, 1) + 1;
    memcpy(g->name, checked->manifest.name, sizeof g->name);
    memcpy(g->version, checked->manifest.version, sizeof g->version);
    memcpy(g->capabilities, checked->manifest.capabilities, sizeof g->capabilities);
    return g;
}

stoa_err generation_open(const char *path, const struct config *config, const char *expected_name,
                         struct diag *diag, struct generation **ret)
{
    struct file_bytes bytes = {0};
    struct preflight checked;
    struct generation *g = NULL;
    char config_path[64];
    stoa_err err;

    err = read_file(path, diag, &bytes);
    if (err == STOA_OK)
        err = preflight_check(path, (stoa_str){bytes.ptr, bytes.len}, diag, &checked);
    if (err != STOA_OK)
        goto out;
    g = generation_new(&checked);
    hash_hex(&bytes, g->sha256);
    err = check_name(g, path, expected_name, diag);
    if (err == STOA_OK)
        err = map(g, path, &bytes, diag);
    if (err != STOA_OK)
        goto out;
    snprintf(config_path, sizeof config_path, "plugins.%s", g->name);
    err = settings_create(config, config_path, &g->desc.settings, diag, &g->settings);
    if (err != STOA_OK)
        goto out;
    *ret = g;
    g = NULL;
out:
    free(bytes.ptr);
    generation_close(g);
    return err;
}

static void own_path(const struct generation *g, char ret[64])
{
    snprintf(ret, 64, "/proc/self/fd/%d", g->fd);
}

/* False: it is still mapped. Its descriptor then stays open for good, as dlopen() would take the
 * next copy with the same number for this one. */
static bool unmap(struct generation *g)
{
    char path[64];
    void *again;

    if (!g->is_pure)
        return false;
    own_path(g, path);
    dlclose(g->dl);
    again = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (again)
        dlclose(again);
    return !again;
}

static void close_copy(struct generation *g)
{
    if (g->fd >= 0)
        close(g->fd);
}

void generation_close(struct generation *generation)
{
    if (!generation)
        return;
    settings_destroy(generation->settings);
    if (!generation->dl || unmap(generation))
        close_copy(generation);
    else
        atomic_fetch_add(&kept, 1);
    atomic_fetch_sub(&alive, 1);
    free(generation);
}

struct generation_counts generation_count(void)
{
    return (struct generation_counts){atomic_load(&alive), atomic_load(&kept)};
}
