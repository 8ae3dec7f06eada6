/* What a descriptor may not say. SPDX-License-Identifier: Apache-2.0 */
#include "call/wiring.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static stoa_err nothing(struct stoa_req *req, void *self)
{
    return STOA_OK;
}

static void refused(struct stoa_plugin_v1 desc, const char *why)
{
    struct generation g = {.name = "made", .desc = desc};
    struct world *w = aligned_alloc(64, (sizeof *w + 63) & ~(size_t)63);
    struct diag diag = {0};

    memset(w, 0, sizeof *w);
    w->arena = stoa_arena_create();
    w->plugins = 1;
    w->generations[0] = &g;
    cr_expect_eq(wiring_build(w, &diag), STOA_E_PLUGIN);
    cr_expect(strstr(diag.message, why), "%s", diag.message);
    cr_expect_str_eq(diag.file, "made");
    stoa_arena_destroy(w->arena);
    free(w);
}

Test(wiring, refuses_a_job_that_would_keep_its_world_for_long)
{
    refused((struct stoa_plugin_v1){.jobs = STOA_JOBS(
                                        {"long", nothing, .every_ms = 1000, .timeout_ms = 600001})},
            "600,000");
    refused((struct stoa_plugin_v1){.jobs = STOA_JOBS({"often", nothing, .every_ms = 99})}, "100");
}
