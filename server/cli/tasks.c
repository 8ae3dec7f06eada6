/* cli/tasks.c: seed and audit: every plugin's own handler, on a fiber, without serving anybody.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/audit.h"
#include "call/invoke.h"
#include "cli/node.h"
#include <stdio.h>

enum { SEED_TIMEOUT_MS = 60000 };

static int seed_plugin(struct node *node, uint32_t plugin)
{
    const struct generation *g = node->world->generations[plugin];
    struct stoa_req *req = invoke_request_create(node->world, plugin, SEED_TIMEOUT_MS);
    stoa_err err;

    req->route_path = "seed";
    err = invoke_handler(req, g->desc.seed);
    if (err != STOA_OK)
        fprintf(stderr, "stoa: seeding %s failed: %s %s\n", g->name, stoa_err_name(err),
                sql_last_error());
    else if (req->reply.json)
        fprintf(stderr, "%s: %.*s\n", g->name, (int)stoa_json_str(req->reply.json, "message").len,
                stoa_json_str(req->reply.json, "message").ptr);
    invoke_request_destroy(req);
    return err == STOA_OK ? EXIT_OK : EXIT_FAILED;
}

static int seed(struct node *node)
{
    int result = EXIT_OK;

    for (uint32_t p = 0; p < node->world->plugins && result == EXIT_OK; p++)
        if (node->world->generations[p]->desc.seed && !node->world->is_elsewhere[p])
            result = seed_plugin(node, p);
    return result;
}

static bool audit_as_json;

static void print_finding(const struct stoa_json *f, struct stoa_arena *arena)
{
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 256);
    stoa_json_format(f, &text);
    printf("broken: %.*s\n", (int)text.len, text.ptr);
}

static int audit(struct node *node)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_json *report = audit_world(node->world, arena);
    const struct stoa_json *findings = stoa_json_get(report, "findings");
    uint32_t count = stoa_json_count(findings);
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 4096);
    stoa_json_format(audit_as_json ? report : stoa_json_get(report, "totals"), &text);
    for (const struct stoa_json *f = stoa_json_first(findings); f && !audit_as_json;
         f = stoa_json_next(f))
        print_finding(f, arena);
    printf("%.*s\n", (int)text.len, text.ptr);
    if (!audit_as_json)
        fprintf(stderr, count ? "%u broken invariants\n" : "everything adds up\n", count);
    stoa_arena_destroy(arena);
    return count == 0 ? EXIT_OK : EXIT_FAILED;
}

static int run(const struct cli *cli, int (*work)(struct node *node))
{
    struct node node;
    struct diag diag = {0};
    int result;

    if (node_configure(&node, cli, &diag) != STOA_OK ||
        node_build(&node, 1, false, &diag) != STOA_OK)
        return cli_config_error(&diag);
    result = node_run_task(&node, work);
    node_close(&node);
    return result;
}

int command_seed(const struct cli *cli)
{
    return run(cli, seed);
}

int command_audit(const struct cli *cli)
{
    audit_as_json = cli->is_json;
    return run(cli, audit);
}
