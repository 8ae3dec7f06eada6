/* plugin/sandbox.c: which plugins go there, and why. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/sandbox.h"

#include "plugin/world.h"
#include <stdio.h>

static const struct stoa_json *own_table(const struct config *config, const char *plugin)
{
    return stoa_json_member(stoa_json_get(config_json(config), "plugins"), stoa_str_of(plugin));
}

bool sandbox_is_trusted(const struct config *config, const char *plugin, bool is_ours)
{
    const struct stoa_json *own = own_table(config, plugin);

    if (stoa_json_member(own, STOA_STR("trusted")))
        return stoa_json_true(own, "trusted");
    return is_ours || config_bool(config, "trust.all") ||
           stoa_str_is(config_str(config, "port"), "sandbox");
}

const struct stoa_json *sandbox_demotion(const struct world_options *o, const char *plugin)
{
    const struct stoa_json *e = stoa_json_first(o->choice.left_out);

    while (e && !(stoa_str_is(stoa_json_str(e, "plugin"), plugin) &&
                  stoa_str_is(stoa_json_str(e, "place"), "sandbox")))
        e = stoa_json_next(e);
    return e;
}

stoa_str sandbox_reason(const struct world_options *o, const char *plugin, bool is_ours)
{
    const struct stoa_json *demotion = sandbox_demotion(o, plugin);
    char path[64];
    stoa_str place;

    if (demotion)
        return stoa_json_str(demotion, "why");
    if (stoa_str_is(config_str(o->config, "port"), "sandbox"))
        return STOA_STR("port = \"sandbox\" puts every plugin there");
    snprintf(path, sizeof path, "plugins.%s.place", plugin);
    place = config_str(o->config, path);
    if (stoa_str_is(place, "sandbox"))
        return STOA_STR("place = \"sandbox\"");
    if (stoa_str_is(place, "process") || sandbox_is_trusted(o->config, plugin, is_ours))
        return (stoa_str){0};
    return STOA_STR("it did not come with the binary and is not trusted");
}
