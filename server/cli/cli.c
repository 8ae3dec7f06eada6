/* cli/cli.c: options in, one subcommand out. Data goes to stdout, talk to stderr.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

const struct command commands[] = {
    {"run", "serve the shop until a signal (TERM drains)",
     "stoa run\nstoa run --port 8081 --data /srv/shop\nstoa run --single   (one process, for a "
     "debugger: nothing starts it again)",
     command_run},
    {"worker", NULL, "", command_worker},
    {"check", "read the configuration and say what is wrong",
     "stoa check -c config.lua\nstoa check --effective   (also: stoa -T)\nstoa check --reference\n"
     "stoa check --routes --json",
     command_check},
    {"migrate", "bring the databases' tables up to date", "stoa migrate\nstoa migrate --json",
     command_migrate},
    {"seed", "put demonstration products into an empty shop", "stoa seed --data var", command_seed},
    {"status", "what the running shop is doing",
     "stoa status\nstoa status --json | jq .connections", command_status},
    {"plan", "what `stoa apply` would change", "stoa plan\nstoa plan --json --data /srv/shop",
     command_plan},
    {"apply", "replace the running world by what configuration and plugins say now",
     "stoa apply\nstoa apply --confirm 60s   (goes back by itself unless `stoa confirm` follows)\n"
     "stoa apply --json | jq .steps_us",
     command_apply},
    {"confirm", "keep what `stoa apply --confirm` put in force", "stoa confirm", command_confirm},
    {"rollback", "put an earlier revision in force: the last but one, or N",
     "stoa rollback\nstoa rollback 3", command_rollback, 1},
    {"history", "what was in force: when, by whom", "stoa history\nstoa history --json",
     command_history},
    {"plugin", "look at a plugin's file, sign it; what keeps an old one alive",
     "stoa plugin check build/plugins/order/order.so\nstoa plugin info order.so --json\n"
     "stoa plugin keygen acme   (writes acme.key, prints the line for config.lua)\n"
     "stoa plugin sign order.so --key acme.key\nstoa plugin why order   (asks the running shop)",
     command_plugin, 2},
    {"upgrade", "replace the running binary by the one now at its path", "stoa upgrade",
     command_upgrade},
    {"drain", "end the running shop when its requests have ended", "stoa drain", command_drain},
    {"stop", "end the running shop now", "stoa stop", command_stop},
    {"audit", "check that money, stock and mail add up", "stoa audit\nstoa audit --json",
     command_audit},
};
const uint32_t command_count = sizeof commands / sizeof *commands;

enum {
    OPT_DATA = 256,
    OPT_NODE,
    OPT_LISTEN,
    OPT_PORT,
    OPT_JSON,
    OPT_QUIET,
    OPT_REFERENCE,
    OPT_EFFECTIVE,
    OPT_ROUTES,
    OPT_CONFIRM,
    OPT_KEY,
    OPT_WATCH,
    OPT_SINGLE,
    OPT_DEVELOPMENT,
    OPT_VERSION
};

static const struct {
    struct option option;
    const char *value;
    const char *help;
} options[] = {
    {{"config", required_argument, NULL, 'c'}, "FILE", "configuration (config.lua)"},
    {{"data", required_argument, NULL, OPT_DATA},
     "DIR",
     "data folder, instead of the configuration's"},
    {{"node", required_argument, NULL, OPT_NODE},
     "NAME",
     "which node of the configuration this is"},
    {{"listen", required_argument, NULL, OPT_LISTEN},
     "ADDRESS",
     "listen there, instead of the node's"},
    {{"port", required_argument, NULL, OPT_PORT}, "N", "listen on 127.0.0.1:N; 0: any free port"},
    {{"single", no_argument, NULL, OPT_SINGLE}, NULL, "run: one process, without a supervisor"},
    {{"development", no_argument, NULL, OPT_DEVELOPMENT}, NULL, "mailbox page and error details"},
    {{"effective", no_argument, NULL, OPT_EFFECTIVE},
     NULL,
     "check: print all settings, secrets masked"},
    {{"reference", no_argument, NULL, OPT_REFERENCE}, NULL, "check: print the table of all keys"},
    {{"routes", no_argument, NULL, OPT_ROUTES}, NULL, "check: print who may ask for which path"},
    {{"confirm", required_argument, NULL, OPT_CONFIRM},
     "TIME",
     "apply: go back after TIME (90s, 5min) unless confirmed"},
    {{"key", required_argument, NULL, OPT_KEY},
     "FILE",
     "plugin sign: the secret key of `stoa plugin keygen`"},
    {{"watch", no_argument, NULL, OPT_WATCH}, NULL, "run: apply changed files (development)"},
    {{"json", no_argument, NULL, OPT_JSON}, NULL, "print JSON"},
    {{"quiet", no_argument, NULL, OPT_QUIET}, NULL, "no progress"},
    {{"help", no_argument, NULL, 'h'}, NULL, "this text"},
    {{"version", no_argument, NULL, OPT_VERSION}, NULL, "the version"},
};
enum { OPTIONS = sizeof options / sizeof *options, CONFIRM_MAX_S = 86400 };

static void usage(FILE *out)
{
    fprintf(out, "stoa %s: an application server for shops\n\nUsage: stoa COMMAND [options]\n\n",
            STOA_VERSION);
    for (uint32_t i = 0; i < command_count; i++)
        if (commands[i].help)
            fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
    fprintf(out, "\nOptions:\n");
    for (uint32_t i = 0; i < OPTIONS; i++) {
        char left[40];
        snprintf(left, sizeof left, "--%s%s%s", options[i].option.name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        fprintf(out, "  %-18s %s\n", left, options[i].help);
    }
    fprintf(out, "\nExit status: 0 ok, 1 failed, 2 usage, 78 bad configuration.\n"
                 "`stoa COMMAND --help` shows examples.\n");
}

static void command_usage(const struct command *command)
{
    stoa_str rest = stoa_str_of(command->examples);

    printf("stoa %s: %s\n\nExamples:\n", command->name,
           command->help ? command->help : "a part of `stoa run`");
    while (rest.len > 0) {
        stoa_str line = stoa_str_cut(&rest, '\n');
        printf("  %.*s\n", (int)line.len, line.ptr);
    }
    printf("\nAll options: stoa --help\n");
}

static const struct command *find(const char *name)
{
    for (uint32_t i = 0; i < command_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[32];
    const char *near;

    for (uint32_t i = 0; i < command_count; i++)
        names[i] = commands[i].name;
    near = diag_did_you_mean(name, names, command_count);
    fprintf(stderr, "stoa: there is no command '%s'%s%s%s; `stoa --help` lists them\n", name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
    return EXIT_USAGE;
}

static bool set_port(struct cli *cli, const char *value)
{
    static char address[32];
    int64_t port;

    if (stoa_str_int(stoa_str_of(value), 0, 65535, &port) != STOA_OK) {
        fprintf(stderr, "stoa: --port takes a number from 0 to 65535, not '%s'\n", value);
        return false;
    }
    snprintf(address, sizeof address, "127.0.0.1:%d", (int)port);
    cli->listen = address;
    return true;
}

/* "90", "90s" or "5min". */
static bool set_confirm(struct cli *cli, const char *value)
{
    stoa_str text = stoa_str_of(value);
    int64_t unit = 1;

    if (text.len > 3 && stoa_str_is(stoa_str_sub(text, text.len - 3, 3), "min")) {
        text.len -= 3;
        unit = 60;
    } else if (text.len > 1 && text.ptr[text.len - 1] == 's') {
        text.len--;
    }
    if (stoa_str_int(text, 1, CONFIRM_MAX_S / unit, &cli->confirm_s) == STOA_OK) {
        cli->confirm_s *= unit;
        return true;
    }
    fprintf(stderr, "stoa: --confirm takes a time of at most a day, as in 90s or 5min\n");
    return false;
}

/* False: the program ends with *ret. */
static bool set_option(struct cli *cli, int option, const char *value)
{
    switch (option) {
    case 'c':
        cli->config = value;
        return true;
    case OPT_DATA:
        cli->data = value;
        return true;
    case OPT_NODE:
        cli->node = value;
        return true;
    case OPT_LISTEN:
        cli->listen = value;
        return true;
    case OPT_JSON:
        cli->is_json = true;
        return true;
    case OPT_QUIET:
        cli->is_quiet = true;
        return true;
    case OPT_REFERENCE:
        cli->is_reference = true;
        return true;
    case OPT_ROUTES:
        cli->is_routes = true;
        return true;
    case 'T':
    case OPT_EFFECTIVE:
        cli->is_effective = true;
        return true;
    case OPT_SINGLE:
        cli->is_single = true;
        return true;
    case OPT_DEVELOPMENT:
        cli->is_development = true;
        return true;
    case OPT_PORT:
        return set_port(cli, value);
    case OPT_WATCH:
        cli->is_watching = true;
        return true;
    case OPT_KEY:
        cli->key = value;
        return true;
    case OPT_CONFIRM:
        return set_confirm(cli, value);
    default:
        return false;
    }
}

static uint32_t words_max(const char *name)
{
    const struct command *command = name ? find(name) : NULL;

    return command ? command->words_max : 0;
}

/* 0: go on; otherwise the exit status + 1. */
static int parse(struct cli *cli, int argc, char **argv, bool *wants_help)
{
    struct option table[OPTIONS + 1] = {0};
    int option;

    for (uint32_t i = 0; i < OPTIONS; i++)
        table[i] = options[i].option;
    opterr = 1;
    while ((option = getopt_long(argc, argv, "c:htT", table, NULL)) != -1) {
        if (option == 'h') {
            *wants_help = true;
        } else if (option == OPT_VERSION) {
            printf("stoa %s (SDK ABI 1.0)\n", STOA_VERSION);
            return EXIT_OK + 1;
        } else if (option == 't' || option == 'T') {
            cli->command = "check";
            cli->is_effective = cli->is_effective || option == 'T';
        } else if (!set_option(cli, option, optarg)) {
            fprintf(stderr, "`stoa --help` lists the options\n");
            return EXIT_USAGE + 1;
        }
    }
    if (optind < argc && (!cli->command || strcmp(cli->command, argv[optind]) == 0))
        cli->command = argv[optind++];
    while (optind < argc && cli->argument_count < words_max(cli->command))
        cli->arguments[cli->argument_count++] = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "stoa: '%s' is one word too many; `stoa --help` shows how\n", argv[optind]);
        return EXIT_USAGE + 1;
    }
    return 0;
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.program = argv[0], .config = "config.lua"};
    const char *node = getenv("STOA_NODE");
    const struct command *command;
    bool wants_help = false;
    int ended;

    cli.node = node;
    ended = parse(&cli, argc, argv, &wants_help);
    if (ended)
        return ended - 1;
    if (!cli.command) {
        usage(wants_help ? stdout : stderr);
        return wants_help ? EXIT_OK : EXIT_USAGE;
    }
    command = find(cli.command);
    if (!command)
        return unknown(cli.command);
    if (wants_help) {
        command_usage(command);
        return EXIT_OK;
    }
    return command->run(&cli);
}

static void print_diag(const struct diag *diag)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 512);
    diag_format(diag, &text);
    fprintf(stderr, "stoa: %.*s\n", (int)text.len, text.ptr);
    stoa_arena_destroy(arena);
}

int cli_config_error(const struct diag *diag)
{
    print_diag(diag);
    return EXIT_CONFIG;
}

int cli_failed(const char *what, const char *why, const char *mend)
{
    fprintf(stderr, "stoa: %s: %s%s%s\n", what, why, *mend ? "; " : "", mend);
    return EXIT_FAILED;
}
