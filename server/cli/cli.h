/* cli/cli.h: the command line: a table of subcommands over one table of options.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/diag.h"

enum { CLI_WORDS = 3 };
/* sysexits.h's EX_CONFIG for a configuration that cannot be used. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 78 };

struct cli {
    const char *program; /* argv[0] */
    const char *command;
    const char *config;               /* -c FILE */
    const char *data;                 /* --data DIR, or NULL */
    const char *node;                 /* --node NAME, or NULL */
    const char *listen;               /* --listen ADDRESS or --port N, or NULL */
    const char *arguments[CLI_WORDS]; /* the words after the command, where it takes some */
    uint32_t argument_count;
    const char *key;     /* plugin sign --key FILE, or NULL */
    int64_t confirm_s;   /* --confirm; 0: none */
    bool is_json;        /* --json */
    bool is_quiet;       /* --quiet */
    bool is_watching;    /* run --watch */
    bool is_single;      /* run --single: without a supervisor */
    bool is_reference;   /* check --reference: the table of all keys */
    bool is_routes;      /* check --routes: who may ask for which path */
    bool is_effective;   /* check --effective, -T: defaults filled in, secrets masked */
    bool is_development; /* --development: mailbox and error details, whatever the configuration
                            says */
};

struct command {
    const char *name;
    const char *help;     /* one line */
    const char *examples; /* one a line */
    int (*run)(const struct cli *cli);
    uint32_t words_max; /* that may follow the command's name; at most CLI_WORDS */
};
extern const struct command commands[];
extern const uint32_t command_count;

int cli_main(int argc, char **argv);

int command_run(const struct cli *cli);
int command_worker(const struct cli *cli); /* what `stoa run` starts */
int command_check(const struct cli *cli);
int check_routes(const struct cli *cli); /* check --routes; needs migrated databases */
int command_seed(const struct cli *cli);
int command_migrate(const struct cli *cli);
int command_status(const struct cli *cli);
int command_plan(const struct cli *cli);
int command_apply(const struct cli *cli);
int command_confirm(const struct cli *cli);
int command_rollback(const struct cli *cli);
int command_history(const struct cli *cli);
int command_audit(const struct cli *cli);
int command_upgrade(const struct cli *cli);
int command_drain(const struct cli *cli);
int command_stop(const struct cli *cli);
int command_plugin(const struct cli *cli);
int plugin_why(const struct cli *cli); /* plugin why NAME */

/* Prints the diag on stderr; returns EXIT_CONFIG. */
int cli_config_error(const struct diag *diag);
int cli_failed(const char *what, const char *why, const char *mend);

#endif
