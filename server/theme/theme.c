/* theme/theme.c: rendering pages, and what else the host asks of a theme.
 * SPDX-License-Identifier: Apache-2.0 */
#include "theme.h"
#include "render.h"
#include "tree.h"
#include <stdlib.h>

const struct theme_limits theme_limits_default = {
    .fuel = 200000,
    .output_max = 1024 * 1024,
    .memory_max = 8 * 1024 * 1024,
    .depth_max = 16,
    .loop_max = 1000,
};

const char *theme_name(const struct theme *theme)
{
    return theme->name;
}

/* Without a layout the sections stand alone; a plain page fails as a section does. */
static void render_page(struct render *r)
{
    static const struct node content = {.kind = NODE_LAYOUT_CONTENT};
    static const struct template bare = {.file = "", .body = &content};

    render_template(r, r->page->layout ? r->page->layout : &bare, value_nil());
}

stoa_err theme_render(const struct theme *theme, const struct theme_page *page,
                      struct stoa_buf *out, uint32_t *broken, struct diag *diag)
{
    const struct theme_limits *limits = page->limits ? page->limits : &theme_limits_default;
    const struct page *found = tree_page(theme, stoa_str_of(page->page));
    uint64_t start = out->len;
    struct render r;

    if (broken)
        *broken = 0;
    if (diag)
        memset(diag, 0, sizeof(*diag));
    if (!found)
        return STOA_E_NOT_FOUND;
    render_init(&r, limits, out, diag);
    r.theme = theme;
    r.page = found;
    r.page_name = page->page;
    r.data = page->data;
    r.locale = page->locale ? page->locale : "en";
    render_page(&r);
    render_finish(&r);
    if (broken)
        *broken = r.broken;
    if (r.stop != RENDER_FAILED)
        return STOA_OK;
    out->len = start;
    return r.err;
}

stoa_err theme_asset(const struct theme *theme, stoa_str name, struct theme_asset *ret)
{
    bool hashed;
    const struct asset *asset = assets_find(&theme->assets, name, &hashed);

    if (!asset)
        return STOA_E_NOT_FOUND;
    *ret = (struct theme_asset){asset->bytes, asset->gzip, asset->path, asset->type, hashed};
    return STOA_OK;
}

static void render_alone(const struct template *tpl, const struct stoa_json *data, struct render *r)
{
    uint64_t start = r->out->len;

    r->data = data;
    render_template(r, tpl, value_nil());
    if (r->stop == RENDER_FAILED)
        r->out->len = start;
}

stoa_err theme_render_text(stoa_str source, const struct stoa_json *data,
                           const struct theme_limits *limits, struct stoa_buf *out,
                           struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct template tpl = {.file = "template", .source = source, .place = PLACE_PAGE};
    struct compiler *c = calloc(1, sizeof(*c));
    struct node_render *links = NULL;
    struct render r;
    stoa_err err;

    stoa_assert(c != NULL);
    memset(diag, 0, sizeof(*diag));
    c->arena = arena;
    c->diag = diag;
    c->links = &links;
    if (!tpl.source.ptr)
        tpl.source.ptr = "";
    err = compile_template(c, &tpl);
    if (err == STOA_OK) {
        render_init(&r, limits ? limits : &theme_limits_default, out, diag);
        render_alone(&tpl, data, &r);
        render_finish(&r);
        err = r.stop == RENDER_FAILED ? r.err : STOA_OK;
    }
    free(c);
    stoa_arena_destroy(arena);
    return err;
}
