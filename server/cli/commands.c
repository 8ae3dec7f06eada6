/* cli/commands.c: the short subcommands: check, migrate. SPDX-License-Identifier:
 * Apache-2.0 */
#include "cli/node.h"
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

int command_check(const struct cli *cli)
{
    struct node node;
    struct diag diag = {0};

    if (cli->is_reference)
        return print_reference();
    if (cli->is_routes)
        return check_routes(cli);
    if (node_configure(&node, cli, &diag) != STOA_OK)
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
