/* cli/routes.c: `stoa check --routes`: what answers which path, and to whom. Tests of permissions
 * are made from it, so that no route can be forgotten. SPDX-License-Identifier: Apache-2.0 */
#include "cli/node.h"
#include "plugin/world.h"
#include "route/route.h"
#include <stdio.h>

static const char *const permits[] = {[STOA_ANYONE] = "anyone",
                                      [STOA_CUSTOMER] = "customer",
                                      [STOA_STAFF] = "staff",
                                      [STOA_INTERNAL] = "internal",
                                      [STOA_TOKEN] = "token"};

static void print_line(const struct world *world, const struct route *route)
{
    printf("%-7s %-40s %-9s %-16s %s\n", route_method_name(route->method), route->path,
           permits[route->permit], route->permission ? route->permission : "",
           world->generations[route->plugin]->name);
}

static struct stoa_json *route_json(struct stoa_arena *arena, const struct world *world,
                                    const struct route *route)
{
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_str(json, "method", stoa_str_of(route_method_name(route->method)));
    stoa_json_set_str(json, "path", stoa_str_of(route->path));
    stoa_json_set_str(json, "permit", stoa_str_of(permits[route->permit]));
    stoa_json_set_str(json, "permission", stoa_str_of(route->permission ? route->permission : ""));
    stoa_json_set_str(json, "plugin", stoa_str_of(world->generations[route->plugin]->name));
    stoa_json_set_bool(json, "needs_key", route->flags & STOA_ROUTE_KEY_REQUIRED);
    stoa_json_set_bool(json, "development", route->flags & STOA_ROUTE_DEVELOPMENT);
    return json;
}

static void print_json(const struct world *world)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *list = stoa_json_array(arena);
    struct stoa_buf text;

    for (uint32_t i = 0; i < route_count(world->routes); i++)
        stoa_json_push(list, route_json(arena, world, route_at(world->routes, i)));
    stoa_buf_init(&text, arena, 16384);
    stoa_json_format(list, &text);
    printf("%.*s\n", (int)text.len, text.ptr);
    stoa_arena_destroy(arena);
}

int check_routes(const struct cli *cli)
{
    struct node node;
    struct diag diag = {0};

    if (node_configure(&node, cli, &diag) != STOA_OK ||
        node_build(&node, 1, false, &diag) != STOA_OK)
        return cli_config_error(&diag);
    if (cli->is_json)
        print_json(node.world);
    for (uint32_t i = 0; i < route_count(node.world->routes) && !cli->is_json; i++)
        print_line(node.world, route_at(node.world->routes, i));
    node_close(&node);
    return EXIT_OK;
}
