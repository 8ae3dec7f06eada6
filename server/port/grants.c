/* port/grants.c: see grants.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/grants.h"

#include "base/log.h"
#include "base/metrics.h"
#include "plugin/world.h"
#include <stdio.h>

/* granted "events:order.*" covers "events:order.paid" and "events:order.*". */
static bool covers(stoa_str granted, stoa_str wanted)
{
    if (granted.len > 0 && granted.ptr[granted.len - 1] == '*')
        return stoa_str_starts(wanted, stoa_str_sub(granted, 0, granted.len - 1));
    return stoa_str_eq(granted, wanted);
}

static bool covers_word(stoa_str words, stoa_str wanted)
{
    while (words.len > 0)
        if (covers(stoa_str_cut(&words, ' '), wanted))
            return true;
    return false;
}

static stoa_str spell(char text[GRANT_MAX], const char *kind, stoa_str name)
{
    int len = snprintf(text, GRANT_MAX, "%s%s%.*s", kind, name.len > 0 ? ":" : "", (int)name.len,
                       name.len > 0 ? name.ptr : "");

    return (stoa_str){text, len < GRANT_MAX ? (uint64_t)len : GRANT_MAX - 1};
}

bool grants_cover(stoa_str words, const char *kind, stoa_str name)
{
    char text[GRANT_MAX];

    return name.len < GRANT_MAX / 2 && covers_word(words, spell(text, kind, name));
}

bool grants_cover_all(stoa_str words, stoa_str wanted, stoa_str *missing)
{
    while (wanted.len > 0) {
        stoa_str word = stoa_str_cut(&wanted, ' ');
        if (word.len == 0 || covers_word(words, word))
            continue;
        *missing = word;
        return false;
    }
    return true;
}

stoa_err grants_check(struct stoa_req *host, const char *kind, stoa_str name)
{
    const struct generation *g = host->instance->generation;
    char text[GRANT_MAX];

    if (!g->is_confined || grants_cover(stoa_str_of(g->granted), kind, name))
        return STOA_OK;
    metric_add(METRIC_grants_denied_total, 1);
    log_warn("sandbox", "a plugin asked for what it was not granted",
             stoa_f("plugin", stoa_z(g->name)), stoa_f("grant", stoa_s(spell(text, kind, name))),
             stoa_f("request", stoa_z(host->id)), stoa_f("route", stoa_z(host->route_path)));
    return STOA_E_FORBIDDEN;
}
