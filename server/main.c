/* main.c: one binary: the command line, and the children that evaluate config.lua, try a
 * plugin, or hold one in a sandbox.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"
#include "config/config.h"
#include "plugin/trial.h"
#include "port/inside.h"

#include <signal.h>
#include <sodium.h>

int main(int argc, char **argv)
{
    signal(SIGCHLD, SIG_DFL); /* who started it may ignore it: then no child has a status */
    if (argc > 1 && strcmp(argv[1], "__config") == 0)
        return config_child_main();
    if (argc > 1 && strcmp(argv[1], "__trial") == 0)
        return trial_child_main(argc, argv);
    if (argc > 1 && strcmp(argv[1], "__sandbox") == 0)
        return inside_main(argc, argv);
    if (sodium_init() < 0)
        return cli_failed("libsodium", "it cannot start on this machine", "");
    return cli_main(argc, argv);
}
