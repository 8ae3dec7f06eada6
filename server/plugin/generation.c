/* plugin/generation.c: mapping checked bits, and letting go of them. The sealed memfd is an inode
 * of its own, so that dlopen() cannot hand back an older mapping. SPDX-License-Identifier:
 * Apache-2.0 */
#include "plugin/generation.h"

#include "base/fault.h"
#include "plugin/fence.h"
#include "plugin/settings.h"
#include "plugin/text_map.h"
#include "plugin/world.h"
#include <dlfcn.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic uint64_t alive, kept;

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
static void *open_with_own_fenv(const char *path, int scope)
{
    fenv_t before;
    void *dl;

    fegetenv(&before);
    dl = dlopen(path, RTLD_NOW | scope);
    fesetenv(&before);
    return dl;
}

static void own_path(const struct generation *g, char ret[64])
{
    snprintf(ret, 64, "/proc/self/fd/%d", g->fd);
}

static stoa_err map(struct generation *g, const char *path, struct diag *diag)
{
    /* Wrong on purpose: the tests of the swap prove that they would notice either. */
    int scope = fault_point("generation.global") == STOA_OK ? RTLD_LOCAL : RTLD_GLOBAL;
    char own[64];

    own_path(g, own);
    g->dl = open_with_own_fenv(fault_point("generation.same_path") == STOA_OK ? own : path, scope);
    if (g->dl) {
        text_map_add(g->dl, g->name, g->number);
        return read_descriptor(g, path, diag);
    }
    diag_set(diag, path, 0, 0, "it cannot be loaded: %s", dlerror());
    diag_hint(diag,
              "build it with this host's SDK; it may use a function that this host does not have");
    return STOA_E_PLUGIN;
}

static struct generation *generation_new(struct plugin_bits *bits)
{
    static _Atomic uint64_t numbers;
    struct generation *g = calloc(1, sizeof *g);

    atomic_fetch_add(&alive, 1);
    g->number = atomic_fetch_add(&numbers, 1) + 1;
    g->uses = 1;
    g->is_pure = bits->is_pure;
    g->is_shipped = bits->is_shipped;
    g->is_ours = bits->is_ours;
    memcpy(g->name, bits->name, sizeof g->name);
    memcpy(g->version, bits->version, sizeof g->version);
    memcpy(g->capabilities, bits->capabilities, sizeof g->capabilities);
    memcpy(g->sha256, bits->sha256, sizeof g->sha256);
    g->file = bits->file;
    memcpy(g->signer, bits->signer, sizeof g->signer);
    memcpy(g->signature, bits->signature, sizeof g->signature);
    g->fd = bits->fd;
    bits->fd = -1;
    return g;
}

stoa_err generation_map(struct plugin_bits *bits, const struct config *config, struct diag *diag,
                        struct generation **ret)
{
    struct generation *g = generation_new(bits);
    char config_path[64];
    stoa_err err = map(g, bits->path, diag);

    snprintf(config_path, sizeof config_path, "plugins.%s", g->name);
    if (err == STOA_OK)
        err = settings_create(config, config_path, &g->desc.settings, diag, &g->settings);
    if (err != STOA_OK) {
        generation_close(g);
        return err;
    }
    *ret = g;
    return STOA_OK;
}

stoa_err generation_place(struct plugin_bits *bits, const struct world_options *options,
                          struct diag *diag, struct generation **ret)
{
    struct generation *g = generation_new(bits);
    stoa_err err;

    g->is_confined = true;
    g->placed = options->sandbox;
    err = g->placed->open(g, options, diag);
    if (err == STOA_OK)
        *ret = g;
    else
        generation_close(g);
    return err;
}

stoa_err generation_open(const char *path, const struct config *config, const char *expected_name,
                         struct diag *diag, struct generation **ret)
{
    struct plugin_bits bits;
    stoa_err err = plugin_bits_open(path, expected_name, diag, &bits);

    if (err != STOA_OK)
        return err;
    err = generation_map(&bits, config, diag, ret);
    plugin_bits_close(&bits);
    return err;
}

/* False: it is still mapped. Its descriptor then stays open for good, as dlopen() would take the
 * next copy with the same number for this one. */
static bool unmap(struct generation *g)
{
    struct fence fence;
    char path[64];
    void *again;

    if (!g->is_pure)
        return false;
    own_path(g, path);
    fence = fence_plan(g->dl);
    dlclose(g->dl);
    again = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    if (again)
        dlclose(again);
    else
        fence_put(fence);
    return !again;
}

struct generation *generation_share(struct generation *generation)
{
    generation->uses++;
    return generation;
}

void generation_close(struct generation *generation)
{
    if (!generation || --generation->uses > 0)
        return;
    settings_destroy(generation->settings);
    if (generation->sandbox)
        generation->placed->close(generation->sandbox);
    if (!generation->dl || unmap(generation)) {
        text_map_remove(generation->number);
        if (generation->fd >= 0)
            close(generation->fd);
    } else {
        text_map_close(generation->number);
        atomic_fetch_add(&kept, 1);
    }
    atomic_fetch_sub(&alive, 1);
    free(generation);
}

bool generation_is_stranger(const struct generation *generation)
{
    return generation->is_confined && !generation->is_trusted;
}

struct generation_counts generation_count(void)
{
    return (struct generation_counts){atomic_load(&alive), atomic_load(&kept)};
}
