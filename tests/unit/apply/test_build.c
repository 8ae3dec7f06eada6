/* What only a restart can change. SPDX-License-Identifier: Apache-2.0 */
#include "apply/build.h"

#include "config/config_private.h"
#include <criterion/criterion.h>

/* A configuration with two secrets. */
static struct config *make(struct stoa_arena *arena, const char *url, const char *key)
{
    static const char text[] = "{\"resources\":{\"mail\":{\"kind\":\"smtp\","
                               "\"url\":{\"secret\":\"url\"}},\"cache\":{\"kind\":\"memory\"}},"
                               "\"cluster\":{\"key\":{\"secret\":\"key\"}}}";
    struct config *c = stoa_new(arena, struct config);

    c->arena = arena;
    c->file = "config.lua";
    c->scan = scan_text(arena, (stoa_str){0});
    c->secrets = stoa_new_array(arena, struct config_secret_value, 2);
    c->secrets[0] = (struct config_secret_value){STOA_STR("url"), stoa_str_of(url)};
    c->secrets[1] = (struct config_secret_value){STOA_STR("key"), stoa_str_of(key)};
    c->secret_count = 2;
    cr_assert_eq(stoa_json_parse(arena, stoa_str_of(text), NULL, &c->json), STOA_OK);
    return c;
}

Test(build, a_resource_behind_a_secret_cannot_change)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct config *running = make(arena, "smtp://one", "first");
    struct diag diag = {0};

    cr_assert_eq(build_check_fixed(running, make(arena, "smtp://one", "first"), &diag), STOA_OK);
    cr_assert_eq(build_check_fixed(running, make(arena, "smtp://one", "second"), &diag), STOA_OK,
                 "another secret's value is none of its business: %s", diag.message);
    cr_assert_eq(build_check_fixed(running, make(arena, "smtp://two", "first"), &diag),
                 STOA_E_CONFIG);
    cr_assert_str_eq(diag.message, "resources.mail cannot change while the shop runs");
    stoa_arena_destroy(arena);
}
