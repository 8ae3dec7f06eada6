/* SPDX-License-Identifier: Apache-2.0 */
#include "route/route.h"
#include <criterion/criterion.h>

static stoa_err handler(struct stoa_req *req, void *self)
{
    (void)req, (void)self;
    return STOA_OK;
}

static struct route_table *table;
static struct stoa_arena *arena;
static struct diag diag;
static stoa_str params[REQUEST_PARAMS_MAX];

static stoa_err add(stoa_method method, const char *path)
{
    return route_add(table, &(struct stoa_route){method, 0, path, handler, .permit = STOA_ANYONE},
                     0, "test", &diag);
}

static const char *match(stoa_method method, const char *path, stoa_err *err)
{
    struct route_found found = route_match(table, method, stoa_str_of(path), params);

    *err = found.err;
    return found.route ? found.route->path : NULL;
}

static void start(void)
{
    arena = stoa_arena_create();
    table = route_table_create(arena);
    cr_assert_eq(add(STOA_GET, "/"), STOA_OK);
    cr_assert_eq(add(STOA_GET, "/products/{slug}"), STOA_OK);
    cr_assert_eq(add(STOA_GET, "/products/new"), STOA_OK);
    cr_assert_eq(add(STOA_POST, "/carts/{id}/lines/{line}"), STOA_OK);
    cr_assert_eq(add(STOA_GET, "/assets/{name*}"), STOA_OK);
    cr_assert_eq(add(STOA_GET, "/a/{x}/c"), STOA_OK);
    cr_assert_eq(add(STOA_GET, "/a/b/d"), STOA_OK);
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(route, .init = start, .fini = end);

Test(route, a_literal_goes_before_a_parameter)
{
    stoa_err err;
    cr_assert_str_eq(match(STOA_GET, "/products/new", &err), "/products/new");
    cr_assert_str_eq(match(STOA_GET, "/products/mug", &err), "/products/{slug}");
    cr_assert(stoa_str_is(params[0], "mug"));
}

Test(route, a_literal_that_leads_nowhere_gives_way_to_the_parameter)
{
    stoa_err err;
    cr_assert_str_eq(match(STOA_GET, "/a/b/c", &err), "/a/{x}/c");
    cr_assert(stoa_str_is(params[0], "b"));
}

Test(route, several_parameters_come_in_order)
{
    stoa_err err;
    cr_assert_not_null(match(STOA_POST, "/carts/crt_1/lines/7", &err));
    cr_assert(stoa_str_is(params[0], "crt_1") && stoa_str_is(params[1], "7"));
}

Test(route, the_rest_takes_slashes)
{
    stoa_err err;
    cr_assert_not_null(match(STOA_GET, "/assets/products/mug.svg", &err));
    cr_assert(stoa_str_is(params[0], "products/mug.svg"));
}

Test(route, a_wrong_method_is_told_from_a_wrong_path)
{
    stoa_err err;
    cr_assert_null(match(STOA_DELETE, "/products/mug", &err));
    cr_assert_eq(err, STOA_E_METHOD);
    cr_assert_null(match(STOA_GET, "/product", &err));
    cr_assert_eq(err, STOA_E_NOT_FOUND);
    cr_assert_null(match(STOA_GET, "/products/mug/", &err));
    cr_assert_eq(err, STOA_E_NOT_FOUND);
    cr_assert_null(match(STOA_GET, "/products/", &err));
    cr_assert_null(match(STOA_GET, "", &err));
    cr_assert_str_eq(match(STOA_GET, "/", &err), "/");
}

Test(route, refuses_what_does_not_say_who_may_use_it)
{
    struct stoa_route open = {STOA_GET, 0, "/x", handler};
    cr_assert_eq(route_add(table, &open, 0, "test", &diag), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, ".permit") != NULL);
}

Test(route, takes_for_the_same_for_everybody_only_what_anyone_may_get)
{
    struct stoa_route file = {
        STOA_GET, 0, "/x", handler, .permit = STOA_ANYONE, .flags = STOA_ROUTE_IMPERSONAL};

    cr_assert_eq(route_add(table, &file, 0, "test", &diag), STOA_OK);
    file.path = "/y";
    file.permit = STOA_CUSTOMER;
    cr_assert_eq(route_add(table, &file, 0, "test", &diag), STOA_E_PLUGIN);
    file.permit = STOA_ANYONE;
    file.method = STOA_POST;
    cr_assert_eq(route_add(table, &file, 0, "test", &diag), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "STOA_ROUTE_IMPERSONAL") != NULL);
}

Test(route, refuses_a_second_owner_and_broken_paths)
{
    cr_assert_eq(add(STOA_GET, "/products/{other}"), STOA_E_PLUGIN);
    cr_assert_eq(add(STOA_GET, "products"), STOA_E_PLUGIN);
    cr_assert_eq(add(STOA_GET, "/x/{rest*}/y"), STOA_E_PLUGIN);
    cr_assert_eq(add(STOA_GET, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}"), STOA_E_PLUGIN);
}
