/* cli/commands.c: the short subcommands: check, migrate. SPDX-License-Identifier:
 * Apache-2.0 */
#include "cli/node.h"
#include "cli/process.h"
#include <stdio.h>

static void print(const struct stoa_buf *text)
{
    fwrite(text->ptr, 1, text->len, stdout);
    if (text->len > 0 && text->ptr[text->len - 1] != '\n')
        putchar('\n');
}

static int print_reference(void)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 16384);
    config_reference(&text);
    print(&text);
    stoa_arena_destroy(arena);
    return EXIT_OK;
}

static void print_effective(const struct node *node)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 16384);
    config_print(node->config, &text);
    print(&text);
    stoa_arena_destroy(arena);
}

/* Those of this node can be read and used; what needs attention is said, and is no failure. */
static stoa_err check_certificates(const struct config *config, struct stoa_arena *arena,
                                   struct diag *diag)
{
    const struct http_wanted wanted = process_wanted(arena, config);
    struct stoa_json *list = stoa_json_array(arena);

    if (http_certificates_plan(NULL, &wanted, diag, list, arena) != STOA_OK)
        return process_at_listen(config, diag);
    for (const struct stoa_json *c = stoa_json_first(list); c; c = stoa_json_next(c)) {
        stoa_str file = stoa_json_str(c, "file"), problem = stoa_json_str(c, "problem");
        if (problem.len > 0)
            fprintf(stderr, "stoa: warning: %.*s: %.*s\n", (int)file.len, file.ptr,
                    (int)problem.len, problem.ptr);
    }
    return STOA_OK;
}

static void warn(const struct diag *missing, struct stoa_arena *arena)
{
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 512);
    diag_format(missing, &text);
    fprintf(stderr, "stoa: warning: %.*s\n", (int)text.len, text.ptr);
}

/* all: what the file names is there and can be used, too. */
static stoa_err check_node(struct node *node, bool all, struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct diag missing = {0};
    stoa_err err = check_certificates(node->config, arena, diag);

    if (err == STOA_OK && all)
        err = node_try(node, &missing, diag);
    if (err == STOA_OK && missing.message[0])
        warn(&missing, arena);
    stoa_arena_destroy(arena);
    return err;
}

int command_check(const struct cli *cli)
{
    struct node node;
    struct diag diag = {0};

    if (cli->is_reference)
        return print_reference();
    if (cli->is_routes)
        return check_routes(cli);
    if (node_configure_only(&node, cli, &diag) != STOA_OK)
        return cli_config_error(&diag);
    if (check_node(&node, !cli->is_effective, &diag) != STOA_OK)
        return cli_config_error(&diag);
    if (cli->is_effective)
        print_effective(&node);
    else
        printf("%s: ok, hash %s\n", cli->config, config_hash(node.config));
    node_close(&node);
    return EXIT_OK;
}

int command_migrate(const struct cli *cli)
{
    struct node node;
    struct diag diag = {0};
    uint32_t applied = 0;

    if (node_configure(&node, cli, &diag) != STOA_OK)
        return cli_config_error(&diag);
    if (resources_open(node.config, 0, &diag, &node.resources) != STOA_OK ||
        node_migrate(&node, &diag, &applied) != STOA_OK)
        return cli_config_error(&diag);
    printf(cli->is_json ? "{\"applied\":%u}\n" : "%u migrations applied\n", applied);
    node_close(&node);
    return EXIT_OK;
}
