/* plugin/sandbox.c: which plugins go there. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/sandbox.h"

#include "config/config.h"
#include <stdio.h>

bool sandbox_is_wanted(const struct config *config, const char *plugin)
{
    char path[64];

    snprintf(path, sizeof path, "plugins.%s.place", plugin);
    return stoa_str_is(config_str(config, path), "sandbox") ||
           stoa_str_is(config_str(config, "port"), "sandbox");
}
