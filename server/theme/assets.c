/* theme/assets.c: SPDX-License-Identifier: Apache-2.0 */
#include "assets.h"
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static const struct {
    const char *extension, *type;
    bool compress;
} types[] = {
    {".css", "text/css; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".mjs", "text/javascript; charset=utf-8", true},
    {".json", "application/json", true},
    {".map", "application/json", true},
    {".webmanifest", "application/manifest+json", true},
    {".svg", "image/svg+xml", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".webp", "image/webp", false},
    {".avif", "image/avif", false},
    {".gif", "image/gif", false},
    {".ico", "image/x-icon", true},
    {".woff", "font/woff", false},
    {".woff2", "font/woff2", false},
    {".ttf", "font/ttf", true},
    {".otf", "font/otf", true},
};

void assets_init(struct assets *assets, struct stoa_arena *arena, const struct assets *last)
{
    *assets =
        (struct assets){.last = last, .items = stoa_new_array(arena, struct asset, ASSETS_MAX)};
}

static bool refuse(struct diag *diag, stoa_str name, const char *message, const char *hint)
{
    char file[200];

    snprintf(file, sizeof(file), "assets/%.*s", (int)name.len, name.ptr);
    diag_set(diag, file, 0, 0, "%s", message);
    diag_hint(diag, "%s", hint);
    return false;
}

/* An asset is its hash in its name: one that changes gets another address. */
static stoa_str hashed_name(struct stoa_arena *arena, stoa_str name, stoa_str bytes)
{
    uint64_t hash = stoa_str_hash(bytes);
    char hex[12];
    uint64_t dot = name.len;

    while (dot > 0 && name.ptr[dot - 1] != '.')
        dot--;
    snprintf(hex, sizeof(hex), "%08x.", (uint32_t)(hash ^ hash >> 32));
    return stoa_concat(arena, stoa_str_sub(name, 0, dot), stoa_str_of(hex),
                       stoa_str_sub(name, dot, name.len));
}

static stoa_str gzip(struct stoa_arena *arena, stoa_str bytes)
{
    z_stream z = {0};
    stoa_str ret = {NULL, 0};
    uint64_t room = bytes.len - bytes.len / 10; /* less than a tenth is no gain */
    void *to;

    if (bytes.len < 256 || deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        return ret;
    to = malloc(room);
    stoa_assert(to != NULL);
    z.next_in = (Bytef *)(uintptr_t)bytes.ptr;
    z.avail_in = (uInt)bytes.len;
    z.next_out = to;
    z.avail_out = (uInt)room;
    if (deflate(&z, Z_FINISH) == Z_STREAM_END)
        ret = stoa_str_copy(arena, (stoa_str){to, room - z.avail_out});
    deflateEnd(&z);
    free(to);
    return ret;
}

/* Making it is most of the work of loading a theme. */
static stoa_str gzip_or_last(const struct assets *assets, struct stoa_arena *arena, stoa_str name,
                             stoa_str bytes)
{
    bool hashed;
    const struct asset *last = assets->last ? assets_find(assets->last, name, &hashed) : NULL;

    if (last && stoa_str_eq(last->name, name) && stoa_str_eq(last->bytes, bytes))
        return stoa_str_copy(arena, last->gzip);
    return gzip(arena, bytes);
}

bool assets_add(struct assets *assets, struct stoa_arena *arena, stoa_str name, stoa_str bytes,
                struct diag *diag)
{
    struct asset *asset = &assets->items[assets->count];
    uint32_t type = 0, count = sizeof(types) / sizeof(types[0]);

    while (type < count && !stoa_str_ends(name, stoa_str_of(types[type].extension)))
        type++;
    if (type == count)
        return refuse(diag, name, "this kind of file is not served as an asset",
                      "css, js, json, svg, txt, images and fonts are");
    assets->total += bytes.len;
    if (assets->count == ASSETS_MAX || assets->total > ASSETS_TOTAL_MAX)
        return refuse(diag, name, "the assets are more or larger than allowed",
                      "at most 500 files, 32 MiB together");
    asset->name = name;
    asset->bytes = bytes;
    asset->type = types[type].type;
    asset->hashed = hashed_name(arena, name, bytes);
    asset->path = stoa_concat(arena, STOA_STR("/assets/"), asset->hashed);
    if (types[type].compress)
        asset->gzip = gzip_or_last(assets, arena, name, bytes);
    assets->count++;
    return true;
}

static int name_order(const void *a, const void *b)
{
    stoa_str left = ((const struct asset_name *)a)->name;
    stoa_str right = ((const struct asset_name *)b)->name;
    uint64_t least = left.len < right.len ? left.len : right.len;
    int order = least ? memcmp(left.ptr, right.ptr, least) : 0;

    return order ? order : (left.len > right.len) - (left.len < right.len);
}

void assets_seal(struct assets *assets, struct stoa_arena *arena)
{
    assets->last = NULL;
    assets->names = stoa_new_array(arena, struct asset_name, 2 * assets->count + 1);
    for (uint32_t i = 0; i < assets->count; i++) {
        const struct asset *asset = &assets->items[i];
        assets->names[2 * i] = (struct asset_name){asset->name, asset};
        assets->names[2 * i + 1] = (struct asset_name){asset->hashed, asset};
    }
    qsort(assets->names, 2 * assets->count, sizeof(*assets->names), name_order);
}

const struct asset *assets_find(const struct assets *assets, stoa_str name, bool *hashed)
{
    const struct asset_name wanted = {.name = name};
    const struct asset_name *hit =
        bsearch(&wanted, assets->names, 2 * assets->count, sizeof(wanted), name_order);

    if (!hit)
        return NULL;
    *hashed = stoa_str_eq(hit->name, hit->asset->hashed);
    return hit->asset;
}
