/* The program that tests give as evaluate_program: what `stoa __config FILE` is in production.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

int main(int argc, char **argv)
{
    return config_child_main(argc, argv);
}
