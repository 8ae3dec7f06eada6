/* The program that tests give as evaluate_program: what `stoa __config` is in production.
 * SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

int main(void)
{
    return config_child_main();
}
