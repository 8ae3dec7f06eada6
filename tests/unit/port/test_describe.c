/* A descriptor crosses whole, and its numbers lead back to its functions. SPDX-License-Identifier:
 * Apache-2.0 */
#include "port/describe.h"

#include <criterion/criterion.h>

static stoa_err first(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static stoa_err second(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static stoa_err heard(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static stoa_err job(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static stoa_err audited(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static const struct stoa_plugin_v1 desc = {
    .size = sizeof desc,
    .settings = STOA_SETTINGS({"greeting", STOA_SET_STRING, .otherwise = "hello"}),
    .routes = STOA_ROUTES({STOA_GET, .path = "/a/{b}", .handler = first, .permit = STOA_ANYONE},
                          {STOA_POST, .path = "/c", .handler = second, .permit = STOA_STAFF,
                           .permission = "x:write", .body_max = 5}),
    .hears = STOA_HEARS({"order.paid", heard}),
    .jobs = STOA_JOBS({"tick", job, .every_ms = 100}),
    .audit = audited,
};
static struct stoa_arena *arena;
static struct stoa_buf out;

static void start(void)
{
    arena = stoa_arena_create();
    stoa_buf_init(&out, arena, 256);
    put_description(&out, &desc);
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(describe, .init = start, .fini = end);

static stoa_handler back(stoa_handler number)
{
    return describe_handler(&desc, describe_number(number));
}

Test(describe, comes_back_alike)
{
    struct decoder in = {.arena = arena, .rest = stoa_buf_str(&out)};
    struct stoa_plugin_v1 got;
    const struct stoa_route *routes;
    bool has_cool = true;

    get_description(&in, &got, &has_cool);
    routes = got.routes.ptr;
    cr_assert(!in.broken && !has_cool);
    cr_assert_eq(got.routes.count, 2);
    cr_assert_str_eq(routes[0].path, "/a/{b}");
    cr_assert_str_eq(routes[1].permission, "x:write");
    cr_assert(routes[1].method == STOA_POST && routes[1].body_max == 5);
    cr_assert_eq(back(routes[0].handler), first);
    cr_assert_eq(back(routes[1].handler), second);
    cr_assert_eq(back(((const struct stoa_hear *)got.hears.ptr)->handler), heard);
    cr_assert_eq(back(((const struct stoa_job *)got.jobs.ptr)->handler), job);
    cr_assert_eq(back(got.audit), audited);
    cr_assert_null(got.warm);
    cr_assert_null(got.seed);
    cr_assert_str_eq(((const struct stoa_setting *)got.settings.ptr)->otherwise, "hello");
}

Test(describe, no_number_leads_out_of_it)
{
    cr_assert_null(describe_handler(&desc, 0));
    cr_assert_null(describe_handler(&desc, 8));
    cr_assert_null(describe_handler(&desc, UINT32_MAX));
}

Test(describe, every_cut_is_seen)
{
    for (uint64_t len = 0; len < out.len; len++) {
        struct decoder in = {.arena = arena, .rest = {out.ptr, len}};
        struct stoa_plugin_v1 got;
        bool has_cool;
        get_description(&in, &got, &has_cool);
        cr_assert(in.broken, "cut at %d", (int)len);
    }
}
