/* Who waits for whom between bus and subscribers, and what is no failed try.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/deliver.h"

#include "base/clock.h"
#include "base/diag.h"
#include "base/metrics.h"
#include "call/events.h"
#include "call/remote.h"
#include "call/wiring.h"
#include "few_fibers.h"
#include "testing.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, EVENTS = 40 };

/* ---- A mouth, an ear, and three that take their time ---- */

static uint32_t heard, last_attempt, hanging, hanging_most; /* most: of all at once */
static bool may_go_on;

static stoa_err hear(struct stoa_req *req, void *self)
{
    heard++;
    last_attempt = stoa_req_event(req)->attempt;
    return STOA_OK;
}

static stoa_err hang(struct stoa_req *req, void *self)
{
    hanging++;
    hanging_most = hanging > hanging_most ? hanging : hanging_most;
    while (!may_go_on)
        STOA_TRY(stoa_sleep(req, 5));
    hanging--;
    return STOA_OK;
}

static const struct stoa_plugin_v1 mouth = {0};
static const struct stoa_plugin_v1 ear = {.hears = STOA_HEARS({"toy.said", hear})};
static const struct stoa_plugin_v1 slow = {.hears = STOA_HEARS({"toy.said", hang})};
static const struct t_plugin two[] = {{"mouth", &mouth}, {"ear", &ear}};
static const struct t_plugin five[] = {
    {"mouth", &mouth}, {"slow", &slow}, {"slower", &slow}, {"slowest", &slow}, {"ear", &ear}};
/* As long a pause as there is: no try comes by itself while a test looks. */
static const struct t_shop t_shop = {two, 2, .event_backoff_ms = DELIVER_WAIT_MS};
static const struct t_shop crowded = {five, 5};

static void say(const char *aggregate)
{
    struct stoa_req *req = t_request("mouth");
    struct stoa_tx *tx;

    cr_assert_eq(stoa_tx_begin(req, &tx), STOA_OK);
    cr_assert_eq(stoa_emit(tx, "toy.said", stoa_str_of(aggregate), stoa_json_object(t_arena())),
                 STOA_OK);
    cr_assert_eq(stoa_tx_commit(tx), STOA_OK);
}

static void say_all(void)
{
    char aggregate[8];

    for (int i = 0; i < EVENTS; i++) {
        snprintf(aggregate, sizeof aggregate, "%d", i);
        say(aggregate);
    }
}

static void wait_until_heard(uint32_t count)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (heard < count && clock_monotonic_ms() < until)
        cr_assert_eq(fiber_sleep(2), STOA_OK);
    cr_assert_eq(heard, count);
}

static void wait_until_hanging(uint32_t count)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (hanging < count && clock_monotonic_ms() < until)
        cr_assert_eq(fiber_sleep(2), STOA_OK);
    cr_assert_geq(hanging, count);
}

static void one_hangs(void)
{
    say_all();
    wait_until_heard(EVENTS);
    wait_until_hanging(DELIVER_TO_ONE);
    may_go_on = true;
    t_settle();
    cr_assert_eq(t_rows("stoa_bus") + t_rows("stoa_outbox"), 0);
    cr_assert_eq(hanging_most, DELIVER_TO_ONE);
}

Test(deliver, a_subscriber_has_its_share_and_no_more)
{
    static const struct t_plugin three[] = {{"mouth", &mouth}, {"slow", &slow}, {"ear", &ear}};
    static const struct t_shop shop = {three, 3};

    t_run(&shop, one_hangs);
}

static void others_hang(void)
{
    say_all();
    wait_until_heard(EVENTS);
    wait_until_hanging(DELIVER_AT_ONCE); /* three times eight want more than there is */
    cr_assert_leq(hanging, DELIVER_AT_ONCE + 2);
    say("later");
    wait_until_heard(EVENTS + 1);
    may_go_on = true;
    t_settle();
    cr_assert_eq(t_rows("stoa_bus") + t_rows("stoa_outbox"), 0);
}

Test(deliver, nobody_waits_for_another_subscriber)
{
    t_run(&crowded, others_hang);
}

/* ---- What cannot be reached ---- */

/* The port stays taken, or somebody else might listen there. */
static struct peer *nobody(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[48];

    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&at, size) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    return peer_get(stoa_str_of(url), STOA_STR("other"));
}

static void is_not_reached_for_hours(void)
{
    for (int64_t hour = 1; hour <= 2 * EVENT_ATTEMPTS_MAX; hour++) {
        int64_t pause;
        t_settle();
        cr_assert_eq(t_number("SELECT COUNT(*) FROM stoa_bus WHERE state = 'ready' AND attempt = 0"
                              " AND error = 'PLUGIN'"),
                     1);
        pause = t_number("SELECT next_at FROM stoa_bus") - clock_utc_ms();
        cr_assert(pause > 0 && pause <= DELIVER_WAIT_MS, "%lld", (long long)pause);
        clock_shift_for_test(hour * 3600000);
    }
    cr_assert_eq(heard, 0);
}

static void is_reached_again(void)
{
    int64_t now = clock_utc_ms();

    clock_shift_for_test(now - clock_utc_ms() + 100 * 3600000);
    t_settle();
    cr_assert_eq(heard, 1);
    cr_assert_eq(last_attempt, 1);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

static struct peer_group gone;

static void move_ear_to_nobody(void)
{
    struct world *world = t_world();

    gone = (struct peer_group){1, {nobody()}};
    world->wiring->remote->in_flight_max = 8;
    world->wiring->remote->plugins[1] = &gone;
    world->is_elsewhere[1] = true;
}

STOA_TEST(an_event_waits_for_a_node_that_is_gone)
{
    move_ear_to_nobody();
    say("a");
    is_not_reached_for_hours();
    t_world()->is_elsewhere[1] = false;
    is_reached_again();
}

STOA_TEST(an_event_waits_for_a_plugin_that_was_left_out)
{
    struct generation *g = t_world()->generations[1];

    g->left_out = "it crashed";
    say("a");
    is_not_reached_for_hours();
    g->left_out = NULL;
    is_reached_again();
}

/* Until a refusal has been written down, and no other event is on its way. */
static void wait_until_refused(uint32_t fibers)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (t_number("SELECT MAX(next_at) FROM stoa_bus") <= clock_utc_ms() ||
           fiber_live() > fibers) {
        cr_assert(clock_monotonic_ms() < until);
        events_wake(t_sql());
        cr_assert_eq(fiber_sleep(1), STOA_OK);
    }
}

static void many_wait_for_hours(void)
{
    uint32_t fibers = fiber_live(), before;

    move_ear_to_nobody();
    say_all();
    for (int64_t hour = 1; hour <= 4; hour++) {
        before = spawns;
        wait_until_refused(fibers);
        cr_assert_leq(t_number("SELECT COUNT(*) FROM stoa_bus WHERE error <> ''"), hour);
        if (hour > 1)
            cr_assert_eq(spawns - before, 1, "%u", spawns - before);
        clock_shift_for_test(hour * 3600000);
    }
    t_world()->is_elsewhere[1] = false;
    wait_until_heard(EVENTS);
    cr_assert_eq(last_attempt, 1);
}

Test(deliver, an_outage_costs_one_try_and_one_write_a_pause)
{
    const struct t_shop shop = {two, 2, .event_backoff_ms = DELIVER_WAIT_MS};

    t_run(&shop, many_wait_for_hours);
}

static void ear_is_gone_and_others_hear(void)
{
    move_ear_to_nobody();
    say_all();
    wait_until_hanging(DELIVER_TO_ONE);
    may_go_on = true;
    while (t_number("SELECT COUNT(*) FROM stoa_bus WHERE subscriber = 'slow'") > 0)
        cr_assert_eq(fiber_sleep(2), STOA_OK);
    t_world()->is_elsewhere[1] = false;
    wait_until_heard(EVENTS);
}

Test(deliver, one_that_is_gone_holds_nobody_else_up)
{
    static const struct t_plugin three[] = {{"mouth", &mouth}, {"ear", &ear}, {"slow", &slow}};
    static const struct t_shop shop = {three, 3, .event_backoff_ms = 100};

    t_run(&shop, ear_is_gone_and_others_hear);
}

static void say_without_fibers(void)
{
    uint32_t before;

    t_script("INSERT INTO stoa_bus WITH RECURSIVE n (i) AS (VALUES (10) UNION ALL SELECT i + 1"
             " FROM n WHERE i < 49) SELECT 'evt_' || i, 'ear', 'toy.said', i, '{}', '', 0, 'ready',"
             " 0, 0, '' FROM n");
    spawns_refused = 64;
    while ((before = spawns_refused) > 32) {
        events_wake(t_sql());
        while (spawns_refused == before)
            cr_assert_eq(fiber_sleep(1), STOA_OK);
        cr_assert_leq(before - spawns_refused, 2); /* it may have looked by itself as well */
    }
    spawns_refused = 0;
    wait_until_heard(EVENTS);
}

Test(deliver, a_relay_without_fibers_looks_no_further)
{
    t_run(&t_shop, say_without_fibers);
}

/* ---- The relay itself ---- */

static void say_and_settle(void)
{
    say("a");
    t_settle();
    cr_assert_eq(heard, 1);
}

Test(deliver, a_relay_that_finds_no_fiber_starts_a_moment_later)
{
    spawns_refused = 1; /* events_attach() comes first */
    t_run(&t_shop, say_and_settle);
    cr_assert_eq(spawns_refused, 0);
}

static struct sql *open_second(void)
{
    char *file = stoa_arena_take(t_arena(), 512);
    const struct sql_options options = {
        .name = "second", .sqlite = file, .loops = 1, .pool = t_world()->resources->pool};
    struct sql_migration_report report;
    struct diag diag = {0};
    struct sql *sql = NULL;

    snprintf(file, 512, "%s/second.db", t_folder());
    cr_assert_eq(sql_open(&options, &diag, &sql), STOA_OK, "%s", diag.message);
    cr_assert_eq(sql_migrate(sql, STOA_MIGRATIONS, "host", &diag, &report), STOA_OK, "%s",
                 diag.message);
    return sql;
}

static void wait_for_pending(int64_t count)
{
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;

    while (metric_value(METRIC_outbox_pending) != count && clock_monotonic_ms() < until)
        cr_assert_eq(fiber_sleep(5), STOA_OK);
    cr_assert_eq(metric_value(METRIC_outbox_pending), count);
}

#define LATER(id)                                                                                  \
    "INSERT INTO stoa_bus VALUES ('" id "', 'ear', 'toy.said', '" id "', '{}', '', 0, 'ready', 0," \
    " 99999999999999, '');"

/* Of two databases whose relays share a loop. */
STOA_TEST(what_waits_is_counted_in_all_databases_by_who_has_the_lease)
{
    struct sql *second = open_second();
    struct resources more = {.sql = {second}, .sql_count = 1};
    struct stoa_instance *in = world_instance(t_world(), 0, 1);
    struct sql *first = in->sql;
    struct diag diag = {0};

    t_script(LATER("evt_1") LATER("evt_2") LATER("evt_3"));
    cr_assert_eq(sql_script(second, LATER("evt_4") LATER("evt_5"), &diag), STOA_OK);
    in->sql = second; /* and the mouth has the first */
    events_add(&more);
    events_attach();
    wait_for_pending(5);
    t_script(LATER("evt_6"));
    wait_for_pending(6); /* both have counted again */
    events_hold();
    wait_for_pending(0);
    events_release();
    wait_for_pending(6);
    events_stop();
    while (fiber_live() > 1)
        cr_assert_eq(fiber_sleep(5), STOA_OK);
    cr_assert_eq(metric_value(METRIC_outbox_pending), 0);
    in->sql = first;
    sql_close(second);
}
