/* call/wiring.c: descriptors in, tables out; every string is copied. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/wiring.h"

#include "call/remote.h"
#include "route/route.h"
#include <stdio.h>

enum {
    WIRING_ENTRIES_MAX = 1024,
    JOB_EVERY_MIN_MS = 100,
    JOB_TIMEOUT_DEFAULT_MS = 30000,
    JOB_TIMEOUT_MAX_MS = 600000
};

static stoa_err add_routes(struct world *w, uint32_t plugin, struct diag *diag)
{
    const struct generation *g = w->generations[plugin];

    for (uint32_t i = 0; i < g->desc.routes.count; i++) {
        struct stoa_route route;
        span_read(&g->desc.routes, i, &route, sizeof route);
        STOA_TRY(route_add(w->routes, &route, plugin, g->name, diag));
    }
    return STOA_OK;
}

static stoa_err refuse(const struct generation *g, const char *what, struct diag *diag)
{
    diag_set(diag, g->name, 0, 0, "%s", what);
    diag_hint(diag, "correct the plugin's STOA_PLUGIN(…)");
    return STOA_E_PLUGIN;
}

static stoa_err add_providers(struct world *w, uint32_t plugin, struct diag *diag)
{
    const struct generation *g = w->generations[plugin];
    struct wiring *wiring = w->wiring;

    for (uint32_t i = 0; i < g->desc.provides.count; i++) {
        struct stoa_provide p;
        span_read(&g->desc.provides, i, &p, sizeof p);
        if (!p.point || !p.handler || wiring->provider_count == WIRING_ENTRIES_MAX)
            return refuse(g, "an extension point without a name or handler, or more than 1,024",
                          diag);
        wiring->providers[wiring->provider_count++] = (struct point_provider){
            stoa_cstr(w->arena, stoa_str_of(p.point)), p.handler, plugin, p.required};
    }
    return STOA_OK;
}

static stoa_err add_subscriptions(struct world *w, uint32_t plugin, struct diag *diag)
{
    const struct generation *g = w->generations[plugin];
    struct wiring *wiring = w->wiring;

    for (uint32_t i = 0; i < g->desc.hears.count; i++) {
        struct stoa_hear h;
        span_read(&g->desc.hears, i, &h, sizeof h);
        if (!h.event || !h.handler || wiring->subscription_count == WIRING_ENTRIES_MAX)
            return refuse(g, "an event without a name or handler, or more than 1,024", diag);
        wiring->subscriptions[wiring->subscription_count++] =
            (struct subscription){stoa_cstr(w->arena, stoa_str_of(h.event)), h.handler, plugin};
    }
    return STOA_OK;
}

static stoa_err add_jobs(struct world *w, uint32_t plugin, struct diag *diag)
{
    const struct generation *g = w->generations[plugin];
    struct wiring *wiring = w->wiring;
    char name[96];

    for (uint32_t i = 0; i < g->desc.jobs.count; i++) {
        struct stoa_job j;
        span_read(&g->desc.jobs, i, &j, sizeof j);
        if (!j.name || !j.handler || j.every_ms < JOB_EVERY_MIN_MS ||
            wiring->job_count == WIRING_ENTRIES_MAX)
            return refuse(g, "a job needs a name, a handler and every_ms of 100 or more", diag);
        if (j.timeout_ms > JOB_TIMEOUT_MAX_MS)
            return refuse(g, "a job's timeout_ms is at most 600,000", diag);
        snprintf(name, sizeof name, "%s.%s", g->name, j.name);
        wiring->jobs[wiring->job_count++] =
            (struct job){stoa_cstr(w->arena, stoa_str_of(name)), j.handler, plugin, j.every_ms,
                         j.timeout_ms ? j.timeout_ms : JOB_TIMEOUT_DEFAULT_MS};
    }
    return STOA_OK;
}

stoa_err wiring_build(struct world *w, struct diag *diag)
{
    w->routes = route_table_create(w->arena);
    w->wiring = stoa_new(w->arena, struct wiring);
    w->wiring->providers = stoa_new_array(w->arena, struct point_provider, WIRING_ENTRIES_MAX);
    w->wiring->subscriptions = stoa_new_array(w->arena, struct subscription, WIRING_ENTRIES_MAX);
    w->wiring->jobs = stoa_new_array(w->arena, struct job, WIRING_ENTRIES_MAX);
    for (uint32_t p = 0; p < w->plugins; p++) {
        STOA_TRY(add_routes(w, p, diag));
        STOA_TRY(add_providers(w, p, diag));
        STOA_TRY(add_subscriptions(w, p, diag));
        STOA_TRY(add_jobs(w, p, diag));
    }
    return remote_build(w, diag);
}
