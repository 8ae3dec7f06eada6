/* theme/theme.h: a theme's templates, compiled once to immutable trees shared by all loops, and
 * rendered in C. The language is a Liquid dialect (docs/theme-guide.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_THEME_H
#define THEME_THEME_H

#include "base/diag.h"
#include <stoa/json.h>

struct theme;

struct theme_limits {
    uint64_t fuel;       /* steps of one render (default 200,000) */
    uint64_t output_max; /* bytes (default 1 MiB) */
    uint64_t memory_max; /* bytes of values made while rendering (default 8 MiB) */
    uint32_t depth_max;  /* of renders and blocks (default 16) */
    uint32_t loop_max;   /* steps of one loop (default 1,000) */
};
extern const struct theme_limits theme_limits_default;

/* Reads folder: layout/, templates/, sections/, snippets/, assets/, locales/, theme.json. On an
 * error *diag says file, line, column, and what to write instead. last: a theme that is loaded, and
 * that theme_share() did not find to be the same; one more use of it is what comes back when the
 * folder holds the very bytes it was made from, and gzip forms of assets that have not changed are
 * taken from it otherwise. NULL: none. Themes are shared, loaded and destroyed one after the other.
 */
STOA_NODISCARD stoa_err theme_load(const char *folder, struct theme *last, struct diag *diag,
                                   struct theme **ret);
/* What theme_load() would give when it needs to read nothing: one more use of last, whose folder is
 * this one and has not changed for a while. NULL: it would read. */
struct theme *theme_share(struct theme *last, const char *folder);
void theme_destroy(struct theme *theme); /* one use of it; NULL is fine */
const char *theme_name(const struct theme *theme);

/* Renders templates/<page> inside its layout. data: what the templates see as variables; the host
 * adds shop, request and theme. A section that fails (limit, missing value) is left out, counted in
 * *broken and told in *diag; STOA_E_NOT_FOUND when there is no such page. Pure: no I/O, no waiting.
 */
struct theme_page {
    const char *page;   /* "product" */
    const char *locale; /* "en" */
    const struct stoa_json *data;
    const struct theme_limits *limits; /* NULL: default */
};
STOA_NODISCARD stoa_err theme_render(const struct theme *theme, const struct theme_page *page,
                                     struct stoa_buf *out, uint32_t *broken, struct diag *diag);

/* An asset by its hashed name ("base.3f9a1c2e.css"): bytes, gzip form (empty if no gain) and type.
 * The unhashed name is found too (hashed = false: no immutable caching). Lives as long as the
 * theme. */
struct theme_asset {
    stoa_str bytes, gzip;
    stoa_str path; /* "/assets/base.3f9a1c2e.css": as pages link it */
    const char *type;
    bool hashed;
};
STOA_NODISCARD stoa_err theme_asset(const struct theme *theme, stoa_str name,
                                    struct theme_asset *ret);

/* One template from memory, for tests and the fuzzer. */
STOA_NODISCARD stoa_err theme_render_text(stoa_str source, const struct stoa_json *data,
                                          const struct theme_limits *limits, struct stoa_buf *out,
                                          struct diag *diag);

#endif
