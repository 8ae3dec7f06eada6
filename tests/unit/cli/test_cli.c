/* What a command line leads to, before anything is opened. SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

TestSuite(cli, .init = cr_redirect_stdout);

static int run(const char *a, const char *b, const char *c)
{
    char *argv[] = {(char *)"stoa", (char *)a, (char *)b, (char *)c, NULL};
    int argc = 1;

    cr_redirect_stderr();
    while (argc < 4 && argv[argc])
        argc++;
    return cli_main(argc, argv);
}

Test(cli, without_a_command_it_shows_how)
{
    cr_assert_eq(run(NULL, NULL, NULL), EXIT_USAGE);
}

Test(cli, help_is_asked_for_anywhere)
{
    cr_assert_eq(run("--help", NULL, NULL), EXIT_OK);
}

Test(cli, a_commands_help_runs_nothing)
{
    cr_assert_eq(run("run", "--help", NULL), EXIT_OK);
}

Test(cli, the_version_is_told)
{
    cr_assert_eq(run("--version", NULL, NULL), EXIT_OK);
}

Test(cli, an_unknown_command_is_usage)
{
    cr_assert_eq(run("rum", NULL, NULL), EXIT_USAGE);
}

Test(cli, an_unknown_option_is_usage)
{
    cr_assert_eq(run("run", "--colour", NULL), EXIT_USAGE);
}

Test(cli, a_port_is_a_number_from_0_to_65535)
{
    cr_assert_eq(run("check", "--port", "65536"), EXIT_USAGE);
}

Test(cli, a_port_has_no_sign)
{
    cr_assert_eq(run("check", "--port", "-1"), EXIT_USAGE);
}

Test(cli, t_is_check_and_nothing_else)
{
    cr_assert_eq(run("-t", "run", NULL), EXIT_USAGE);
}

Test(cli, the_reference_needs_no_configuration)
{
    cr_assert_eq(run("check", "--reference", NULL), EXIT_OK);
}

Test(cli, every_command_has_help_and_examples_that_begin_with_it)
{
    char start[32];

    for (uint32_t i = 0; i < command_count; i++) {
        snprintf(start, sizeof(start), "stoa %s", commands[i].name);
        if (!commands[i].help) /* not for people: the supervisor starts it */
            continue;
        cr_assert(commands[i].run && commands[i].help[0]);
        cr_assert_eq(strncmp(commands[i].examples, start, strlen(start)), 0, "%s", start);
    }
}
