/* shop.c: a shop put together in a fresh folder, and taken apart. SPDX-License-Identifier:
 * Apache-2.0 */
#include "testing_private.h"

#include "base/clock.h"
#include "base/fault.h"
#include "call/events.h"
#include "call/journal.h"
#include "call/wiring.h"
#include "config/config_private.h"
#include "fiber/fiber.h"
#include "gate/rate.h"
#include "loop/loop.h"
#include "plugin/settings.h"
#include "plugin/world.h"
#include "port/port.h"
#include <ftw.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SETTLE_TIMEOUT_MS = 60000, CACHE_BYTES = 1 << 20 };

static struct shop {
    const struct t_shop *what;
    char folder[64], database[96];
    struct stoa_arena *arena;
    struct config *config;
    struct resources resources;
    struct world *world;
    struct loop *loop;
    struct loop_task start;
    void (*body)(void);
} shop;

const char *t_folder(void)
{
    return shop.folder;
}

struct sql *t_sql(void)
{
    return shop.resources.sql[0];
}

struct stoa_arena *t_arena(void)
{
    return shop.arena;
}

struct world *t_world(void)
{
    return shop.world;
}

static void must(stoa_err err, const char *what, const struct diag *diag)
{
    if (err != STOA_OK)
        t_fail(what, diag->message[0] ? diag->message : stoa_err_name(err));
}

/* ---- Resources ---- */

static struct sql *open_sql(uint32_t loops)
{
    struct sql_options options = {
        .name = "sql", .sqlite = shop.database, .loops = loops, .pool = shop.resources.pool};
    struct diag diag = {0};
    struct sql *sql = NULL;

    must(sql_open(&options, &diag, &sql), "database", &diag);
    return sql;
}

static void make_tables(void)
{
    struct sql *sql = open_sql(0);
    struct sql_migration_report report;
    struct diag diag = {0};

    must(sql_migrate(sql, STOA_MIGRATIONS, "host", &diag, &report), "migrations", &diag);
    if (shop.what->sql)
        must(sql_script(sql, shop.what->sql, &diag), "tables", &diag);
    sql_close(sql);
}

static void open_resources(void)
{
    static const uint32_t threads[POOL_KINDS] = {2, 2, 1, 1}, queues[POOL_KINDS] = {64, 8, 8, 8};
    struct resources *r = &shop.resources;
    char mail[80];
    struct diag diag = {0};

    *r = (struct resources){.data = shop.folder};
    r->pool = pool_create(threads, queues);
    make_tables();
    r->sql[r->sql_count++] = open_sql(1);
    r->cache = cache_create(1, CACHE_BYTES);
    snprintf(mail, sizeof(mail), "%s/mail", shop.folder);
    must(mail_open_files(mail, "Shop <shop@example.com>", r->pool, &r->mail), "mail", &diag);
}

static void close_resources(void)
{
    sql_close(shop.resources.sql[0]);
    mail_close(shop.resources.mail);
    cache_destroy(shop.resources.cache);
    pool_destroy(shop.resources.pool);
}

/* ---- The world, from structs instead of files ---- */

/* {"plugins": {name: settings}}, as config.lua would have given it. */
static struct config *make_config(void)
{
    struct config *config = stoa_new(shop.arena, struct config);
    struct stoa_json *root = stoa_json_object(shop.arena);
    struct stoa_json *plugins = stoa_json_set(root, "plugins", stoa_json_object(shop.arena));
    const struct stoa_json *given;

    for (uint32_t i = 0; i < shop.what->plugin_count; i++) {
        const struct t_plugin *p = &shop.what->plugins[i];
        if (stoa_json_parse(shop.arena, stoa_str_of(p->settings ? p->settings : "{}"), NULL,
                            &given) != STOA_OK)
            t_fail(p->name, "its settings are no JSON");
        stoa_json_set(plugins, p->name, stoa_json_copy(shop.arena, given));
    }
    *config = (struct config){.arena = shop.arena,
                              .file = "test",
                              .scan = scan_text(shop.arena, (stoa_str){0}),
                              .json = root};
    return config;
}

static struct generation *make_generation(const struct t_plugin *p, uint64_t number)
{
    struct generation *g = calloc(1, sizeof(*g));
    struct diag diag = {0};
    char path[64];

    snprintf(g->name, sizeof(g->name), "%s", p->name);
    snprintf(path, sizeof(path), "plugins.%s", p->name);
    g->number = number;
    g->uses = 1;
    g->fd = -1;
    g->desc = *p->desc;
    must(settings_create(shop.config, path, &g->desc.settings, &diag, &g->settings), path, &diag);
    return g;
}

static void make_instance(struct world *w, uint32_t plugin, const struct stoa_port *port)
{
    struct stoa_instance *in = world_instance(w, 0, plugin);
    struct diag diag = {0};

    *in = (struct stoa_instance){.arena = stoa_arena_create(),
                                 .generation = w->generations[plugin],
                                 .port = port,
                                 .sql = shop.resources.sql[0]};
    snprintf(in->cache_owner, sizeof(in->cache_owner), "%s@1", in->generation->name);
    if (in->generation->desc.create)
        must(in->generation->desc.create(in->generation->settings, in, &in->self), "create()",
             &diag);
}

static struct world *make_world(void)
{
    struct world *w = aligned_alloc(64, (sizeof(*w) + 63) & ~(size_t)63);
    const char *port = shop.what->port ? shop.what->port : "local";
    struct diag diag = {0};

    memset(w, 0, sizeof(*w));
    *w = (struct world){.number = 1,
                        .arena = stoa_arena_create(),
                        .config = shop.config,
                        .resources = &shop.resources,
                        .shop_name = STOA_STR("Test Shop"),
                        .shop_url = STOA_STR("http://127.0.0.1:8080"),
                        .currency = "EUR",
                        .cache_owner = "gate@1",
                        .is_development = true,
                        .loops = 1};
    if (shop.what->theme)
        must(theme_load(shop.what->theme, NULL, &diag, &w->theme), "theme", &diag);
    for (; w->plugins < shop.what->plugin_count; w->plugins++)
        w->generations[w->plugins] =
            make_generation(&shop.what->plugins[w->plugins], w->plugins + 1);
    w->instances = stoa_new_array(w->arena, struct stoa_instance, w->plugins + 1);
    for (uint32_t p = 0; p < w->plugins; p++)
        make_instance(w, p, port_find(stoa_str_of(port)));
    must(wiring_build(w, &diag), "wiring", &diag);
    return w;
}

/* ---- On the loop ---- */

static void end_relay(void)
{
    events_stop();
    events_wake(t_sql());
    while (fiber_live() > 1)
        fiber_yield();
}

static void run_body(void *arg)
{
    shop.body();
    fault_clear();
    end_relay();
}

static void ended(void *arg)
{
    t_visits_end();
    loop_stop(shop.loop);
}

static void start(struct loop_task *task)
{
    uint32_t backoff_ms = shop.what->event_backoff_ms;

    cache_attach(shop.resources.cache);
    world_publish(shop.world);
    journal_init("test");
    events_init(&shop.resources, 1, "test", backoff_ms ? backoff_ms : 1000);
    if (shop.world->wiring->subscription_count > 0)
        events_attach();
    if (fiber_spawn(run_body, ended, NULL, NULL) != STOA_OK)
        t_fail("fiber", "none could be started");
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    return remove(path);
}

void t_run(const struct t_shop *what, void (*body)(void))
{
    shop = (struct shop){.what = what, .body = body, .start.run = start};
    snprintf(shop.folder, sizeof(shop.folder), "/tmp/stoa-test-XXXXXX");
    if (sodium_init() < 0 || !mkdtemp(shop.folder))
        t_fail(shop.folder, "it cannot be made");
    snprintf(shop.database, sizeof(shop.database), "%s/stoa.db", shop.folder);
    shop.arena = stoa_arena_create();
    shop.config = make_config();
    rate_init(0, 0, 1);
    open_resources();
    shop.world = make_world();
    t_store_open(shop.database);
    t_visits_begin();
    shop.loop = loop_create(0);
    loop_defer(shop.loop, &shop.start);
    loop_run(shop.loop);
    t_store_close();
    close_resources();
    fiber_finish_thread();
    loop_destroy(shop.loop);
    world_destroy(shop.world);
    stoa_arena_destroy(shop.arena);
    clock_shift_for_test(0);
    nftw(shop.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* ---- Events and faults ---- */

/* What waits behind an event that is not due yet waits, too. */
static bool is_settled(void)
{
    char query[500];

    snprintf(query, sizeof(query),
             "SELECT (SELECT COUNT(*) FROM stoa_outbox) + (SELECT COUNT(*) FROM stoa_bus b WHERE"
             " state = 'ready' AND next_at <= %lld AND NOT EXISTS (SELECT 1 FROM stoa_bus e"
             " WHERE e.subscriber = b.subscriber AND e.aggregate = b.aggregate"
             " AND e.state = 'ready' AND e.event_id < b.event_id))",
             (long long)clock_utc_ms());
    return t_number(query) == 0;
}

void t_settle(void)
{
    int64_t until = clock_monotonic_ms() + SETTLE_TIMEOUT_MS;

    while (!is_settled()) {
        if (clock_monotonic_ms() > until)
            t_fail("events", "they were not delivered within a minute");
        events_wake(t_sql());
        if (fiber_sleep(1) != STOA_OK)
            t_fail("events", "the test's fiber may not wait");
    }
}

bool t_fault_next(struct t_fault *fault)
{
    char spec[80];

    if (fault->n > 0 && fault_passed(fault->place) < fault->n) {
        fault_clear();
        return false;
    }
    fault->n++;
    t_empty();
    snprintf(spec, sizeof(spec), "%s=error:STORE@%u!", fault->place, fault->n);
    if (fault_arm(spec) != STOA_OK)
        t_fail(spec, "there is no such fault");
    return true;
}
