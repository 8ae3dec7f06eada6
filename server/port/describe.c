/* port/describe.c: see describe.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/describe.h"

#include "plugin/generation.h"
#include "plugin/settings.h"

/* Numbers, in this order: routes, provides, hears, jobs, warm, seed, audit. */
enum { REST_WARM, REST_SEED, REST_AUDIT, REST_COUNT };

static stoa_handler in_place_of(uint32_t number)
{
    return (stoa_handler)(uintptr_t)number; /* NOLINT(performance-no-int-to-ptr) */
}

uint32_t describe_number(stoa_handler handler)
{
    return (uint32_t)(uintptr_t)handler;
}

stoa_handler describe_handler(const struct stoa_plugin_v1 *desc, uint32_t number)
{
    const stoa_handler rest[REST_COUNT] = {desc->warm, desc->seed, desc->audit};
    uint32_t i = number - 1; /* 0 wraps past all of them */

    if (i < desc->routes.count) {
        struct stoa_route route;
        span_read(&desc->routes, i, &route, sizeof route);
        return route.handler;
    }
    i -= desc->routes.count;
    if (i < desc->provides.count) {
        struct stoa_provide provide;
        span_read(&desc->provides, i, &provide, sizeof provide);
        return provide.handler;
    }
    i -= desc->provides.count;
    if (i < desc->hears.count) {
        struct stoa_hear hear;
        span_read(&desc->hears, i, &hear, sizeof hear);
        return hear.handler;
    }
    i -= desc->hears.count;
    if (i < desc->jobs.count) {
        struct stoa_job job;
        span_read(&desc->jobs, i, &job, sizeof job);
        return job.handler;
    }
    i -= desc->jobs.count;
    return i < REST_COUNT ? rest[i] : NULL;
}

/* ---- Out ---- */

static void put_settings(struct stoa_buf *out, const struct stoa_span *span)
{
    put_u32(out, span->count);
    for (uint32_t i = 0; i < span->count; i++) {
        struct stoa_setting s;
        span_read(span, i, &s, sizeof s);
        put_str(out, stoa_str_of(s.name));
        put_u32(out, s.type);
        put_u32(out, s.required);
        put_str(out, stoa_str_of(s.otherwise));
        put_str(out, stoa_str_of(s.help));
        put_i64(out, s.min);
        put_i64(out, s.max);
    }
}

static void put_routes(struct stoa_buf *out, const struct stoa_span *span)
{
    put_u32(out, span->count);
    for (uint32_t i = 0; i < span->count; i++) {
        struct stoa_route r;
        span_read(span, i, &r, sizeof r);
        put_u32(out, r.method);
        put_str(out, stoa_str_of(r.path));
        put_u32(out, r.handler != NULL);
        put_u32(out, r.permit);
        put_u32(out, r.body_max);
        put_str(out, stoa_str_of(r.permission));
        put_u32(out, r.timeout_ms);
        put_u32(out, r.flags);
    }
}

static void put_rest(struct stoa_buf *out, const struct stoa_plugin_v1 *d)
{
    put_u32(out, d->provides.count);
    for (uint32_t i = 0; i < d->provides.count; i++) {
        struct stoa_provide p;
        span_read(&d->provides, i, &p, sizeof p);
        put_str(out, stoa_str_of(p.point));
        put_u32(out, p.handler != NULL);
        put_u32(out, p.required);
    }
    put_u32(out, d->hears.count);
    for (uint32_t i = 0; i < d->hears.count; i++) {
        struct stoa_hear h;
        span_read(&d->hears, i, &h, sizeof h);
        put_str(out, stoa_str_of(h.event));
        put_u32(out, h.handler != NULL);
    }
    put_u32(out, d->jobs.count);
    for (uint32_t i = 0; i < d->jobs.count; i++) {
        struct stoa_job j;
        span_read(&d->jobs, i, &j, sizeof j);
        put_str(out, stoa_str_of(j.name));
        put_u32(out, j.handler != NULL);
        put_u32(out, j.every_ms);
        put_u32(out, j.timeout_ms);
    }
}

void put_description(struct stoa_buf *out, const struct stoa_plugin_v1 *desc)
{
    put_settings(out, &desc->settings);
    put_routes(out, &desc->routes);
    put_rest(out, desc);
    put_u32(out, desc->warm != NULL);
    put_u32(out, desc->seed != NULL);
    put_u32(out, desc->audit != NULL);
    put_u32(out, desc->cool != NULL);
}

/* ---- In ---- */

static uint32_t get_count(struct decoder *in, uint32_t max)
{
    uint32_t count = get_u32(in);

    in->broken = in->broken || count > max || count > in->rest.len / 4;
    return in->broken ? 0 : count;
}

static struct stoa_span span_of(const void *list, uint32_t count, uint32_t stride)
{
    return (struct stoa_span){.ptr = list, .count = count, .stride = stride};
}

static stoa_handler get_handler(struct decoder *in, uint32_t *number)
{
    uint32_t own = ++*number;

    return get_u32(in) != 0 ? in_place_of(own) : NULL;
}

static struct stoa_span get_settings(struct decoder *in)
{
    uint32_t count = get_count(in, SETTINGS_MAX);
    struct stoa_setting *list = stoa_new_array(in->arena, struct stoa_setting, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].name = get_name(in);
        list[i].type = get_u32(in);
        list[i].required = get_u32(in) != 0;
        list[i].otherwise = get_cstr(in);
        list[i].help = get_cstr(in);
        list[i].min = get_i64(in);
        list[i].max = get_i64(in);
        in->broken = in->broken || list[i].type < STOA_SET_STRING || list[i].type > STOA_SET_TABLE;
    }
    return span_of(list, count, sizeof *list);
}

static struct stoa_span get_routes(struct decoder *in, uint32_t *number)
{
    uint32_t count = get_count(in, DESCRIBE_ROUTES_MAX);
    struct stoa_route *list = stoa_new_array(in->arena, struct stoa_route, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].method = get_u32(in);
        list[i].path = get_cstr(in);
        list[i].handler = get_handler(in, number);
        list[i].permit = get_u32(in);
        list[i].body_max = get_u32(in);
        list[i].permission = get_cstr(in);
        list[i].timeout_ms = get_u32(in);
        list[i].flags = get_u32(in);
    }
    return span_of(list, count, sizeof *list);
}

static struct stoa_span get_provides(struct decoder *in, uint32_t *number)
{
    uint32_t count = get_count(in, DESCRIBE_LIST_MAX);
    struct stoa_provide *list = stoa_new_array(in->arena, struct stoa_provide, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].point = get_cstr(in);
        list[i].handler = get_handler(in, number);
        list[i].required = get_u32(in) != 0;
    }
    return span_of(list, count, sizeof *list);
}

static struct stoa_span get_hears(struct decoder *in, uint32_t *number)
{
    uint32_t count = get_count(in, DESCRIBE_LIST_MAX);
    struct stoa_hear *list = stoa_new_array(in->arena, struct stoa_hear, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].event = get_cstr(in);
        list[i].handler = get_handler(in, number);
    }
    return span_of(list, count, sizeof *list);
}

static struct stoa_span get_jobs(struct decoder *in, uint32_t *number)
{
    uint32_t count = get_count(in, DESCRIBE_LIST_MAX);
    struct stoa_job *list = stoa_new_array(in->arena, struct stoa_job, count + 1);

    for (uint32_t i = 0; i < count; i++) {
        list[i].name = get_cstr(in);
        list[i].handler = get_handler(in, number);
        list[i].every_ms = get_u32(in);
        list[i].timeout_ms = get_u32(in);
    }
    return span_of(list, count, sizeof *list);
}

void get_description(struct decoder *in, struct stoa_plugin_v1 *ret, bool *has_cool)
{
    uint32_t number = 0;

    *ret = (struct stoa_plugin_v1){
        .size = sizeof *ret, .abi_major = STOA_ABI_MAJOR, .abi_minor = STOA_ABI_MINOR};
    ret->settings = get_settings(in);
    ret->routes = get_routes(in, &number);
    ret->provides = get_provides(in, &number);
    ret->hears = get_hears(in, &number);
    ret->jobs = get_jobs(in, &number);
    ret->warm = get_handler(in, &number);
    ret->seed = get_handler(in, &number);
    ret->audit = get_handler(in, &number);
    *has_cool = get_u32(in) != 0;
    in->broken = in->broken || in->rest.len > 0;
}
