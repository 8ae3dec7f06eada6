/* theme/assets.h: the files that pages link: content-hashed names, gzip forms, types.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_ASSETS_H
#define THEME_ASSETS_H

#include "base/diag.h"
#include "theme.h"

enum {
    ASSETS_MAX = 500,
    ASSETS_FILE_MAX = 4 * 1024 * 1024,
    ASSETS_TOTAL_MAX = 32 * 1024 * 1024,
};

struct asset {
    stoa_str name, hashed; /* "base.css", "base.3f9a1c2e.css" */
    stoa_str path;         /* "/assets/base.3f9a1c2e.css" */
    stoa_str bytes, gzip;
    const char *type;
};

struct asset_name {
    stoa_str name;
    const struct asset *asset;
};

struct assets {
    const struct assets *last; /* of the theme before, until assets_seal(); may be NULL */
    struct asset *items;
    struct asset_name *names; /* hashed and not, sorted */
    uint32_t count;
    uint64_t total;
};

/* Room for so many. last: as theme_load() has it. */
void assets_init(struct assets *assets, struct stoa_arena *arena, const struct assets *last);
/* Takes one file over; bytes live as long as the arena. False with *diag filled. */
bool assets_add(struct assets *assets, struct stoa_arena *arena, stoa_str name, stoa_str bytes,
                struct diag *diag);
/* After the last assets_add. */
void assets_seal(struct assets *assets, struct stoa_arena *arena);
/* By its own or its hashed name; NULL when there is none. */
const struct asset *assets_find(const struct assets *assets, stoa_str name, bool *hashed);

#endif
