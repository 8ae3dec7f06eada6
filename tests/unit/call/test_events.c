/* From the outbox to every subscriber, with effect once. SPDX-License-Identifier: Apache-2.0 */
#include "call/events.h"

#include "base/clock.h"
#include "base/fault.h"
#include "plugin/world.h"
#include "testing.h"
#include <criterion/criterion.h>
#include <stdio.h>

static const struct stoa_stmt NOTE = {"ear.note",
                                      "INSERT INTO ear_heard (event, attempt) VALUES ($1, $2)"};

/* How the subscriber behaves. */
static struct {
    uint32_t runs, failures; /* the first `failures` runs fail */
    bool fails_after_commit;
    const char *only; /* fails for this event's data alone */
    uint32_t cuts;    /* so many runs outstay their world */
} ear;

static stoa_err note(struct stoa_req *req, stoa_str what)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_tx_sql(tx, &NOTE, STOA_ARGS(stoa_s(what), stoa_i(stoa_req_event(req)->attempt)),
                         NULL));
    return stoa_tx_commit(tx);
}

/* As the end of a drain does it, in the middle of the handler. */
static stoa_err outstay(struct stoa_req *req)
{
    uint32_t cut = 0;

    ear.cuts--;
    for (struct world_hold *h = world_holds(), *next; h; h = next) {
        next = h->next;
        if (h->cut && h->req == req)
            cut += h->cut(h) && !h->cut(h);
    }
    cr_expect_eq(cut, 1, "once");
    return stoa_sleep(req, 20000);
}

static stoa_err hear(struct stoa_req *req, void *self)
{
    stoa_str what = stoa_json_str(stoa_req_json(req), "what");
    bool is_meant = !ear.only || stoa_str_is(what, ear.only);

    cr_expect_eq(stoa_req_identity(req)->who, STOA_WHO_HOST);
    ear.runs++;
    if (ear.cuts > 0)
        return outstay(req);
    if (is_meant && ear.failures > 0 && !ear.fails_after_commit) {
        ear.failures--;
        return STOA_E_UPSTREAM;
    }
    STOA_TRY(note(req, what));
    if (ear.fails_after_commit && ear.failures > 0) {
        ear.failures--;
        return STOA_E_UPSTREAM;
    }
    return STOA_OK;
}

static stoa_err emit(struct stoa_req *req, const char *event, const char *aggregate,
                     const char *what)
{
    struct stoa_json *data =
        stoa_json_fields(stoa_req_arena(req), STOA_FIELDS(stoa_f("what", stoa_z(what))));
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_emit(tx, event, stoa_str_of(aggregate), data));
    return stoa_tx_commit(tx);
}

static const struct stoa_plugin_v1 mouth = {0};
static const struct stoa_plugin_v1 listener = {.hears = STOA_HEARS({"toy.said", hear})};
static const struct t_plugin plugins[] = {{"mouth", &mouth}, {"ear", &listener}};
/* Nothing is tried again by itself while a test looks, however slow it is. */
enum { BACKOFF_MS = 10000 };
static const struct t_shop t_shop = {plugins, 2,
                                     "CREATE TABLE ear_heard (event TEXT, attempt BIGINT)",
                                     .event_backoff_ms = BACKOFF_MS};
static const struct t_shop wired = {
    plugins, 2, "CREATE TABLE ear_heard (event TEXT, attempt BIGINT)", .port = "loopback"};

static void say(const char *aggregate, const char *what)
{
    cr_assert_eq(emit(t_request("mouth"), "toy.said", aggregate, what), STOA_OK);
}

static void hears_once(void)
{
    say("a", "hello");
    t_settle();
    cr_assert_eq(ear.runs, 1);
    cr_assert_eq(t_number("SELECT COUNT(*) FROM ear_heard WHERE event = 'hello' AND attempt = 1"),
                 1);
    cr_assert_eq(t_rows("stoa_outbox"), 0);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

Test(local, an_event_is_heard_once)
{
    t_run(&t_shop, hears_once);
}

Test(loopback, an_event_is_heard_once)
{
    /* The direct request stands on the host's side of the wire. */
    static const struct t_plugin local_mouth[] = {{"mouth", &mouth}, {"ear", &listener}};
    struct t_shop shop = wired;

    shop.plugins = local_mouth;
    shop.port = "local";
    t_run(&shop, hears_once);
}

STOA_TEST(an_event_that_nobody_hears_is_forgotten)
{
    cr_assert_eq(emit(t_request("mouth"), "toy.else", "a", "x"), STOA_OK);
    t_settle();
    cr_assert_eq(t_rows("stoa_outbox") + t_rows("stoa_bus"), 0);
    cr_assert_eq(ear.runs, 0);
}

STOA_TEST(a_failed_delivery_waits_twice_as_long_each_time)
{
    int64_t offset = 0, before = clock_utc_ms();

    ear.failures = 3;
    say("a", "x");
    for (int64_t pause = BACKOFF_MS, attempt = 1; attempt <= 3; pause *= 2, attempt++) {
        int64_t due;
        t_settle();
        cr_assert_eq(ear.runs, attempt);
        cr_assert_eq(t_number("SELECT attempt FROM stoa_bus"), attempt);
        due = t_number("SELECT next_at FROM stoa_bus") - pause;
        cr_assert(due >= before && due <= clock_utc_ms(), "%d", (int)(due - before));
        offset += pause;
        clock_shift_for_test(offset);
        before = clock_utc_ms();
    }
    t_settle();
    cr_assert_eq(t_number("SELECT attempt FROM ear_heard"), 4);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

STOA_TEST(one_that_was_cut_with_its_world_runs_again_and_loses_no_try)
{
    ear.cuts = EVENT_ATTEMPTS_MAX + 1;
    say("a", "x");
    t_settle();
    cr_assert_eq(ear.runs, EVENT_ATTEMPTS_MAX + 2);
    cr_assert_eq(t_number("SELECT attempt FROM ear_heard"), 1);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

STOA_TEST(after_the_last_try_it_is_dead_and_stays)
{
    ear.failures = 100;
    say("a", "x");
    for (int64_t hour = 1; hour <= EVENT_ATTEMPTS_MAX + 1; hour++) {
        t_settle();
        clock_shift_for_test(hour * 3600000);
    }
    t_settle();
    cr_assert_eq(ear.runs, EVENT_ATTEMPTS_MAX);
    cr_assert_eq(
        t_number("SELECT COUNT(*) FROM stoa_bus WHERE state = 'dead' AND error = 'UPSTREAM'"), 1);
}

STOA_TEST(events_of_one_aggregate_stay_in_order)
{
    char what[8];

    for (int i = 0; i < 40; i++) {
        snprintf(what, sizeof(what), "%02d", i);
        say("a", what);
    }
    t_settle();
    cr_assert_eq(t_rows("ear_heard"), 40);
    cr_assert_eq(
        t_number("SELECT COUNT(*) FROM ear_heard a JOIN ear_heard b ON b.rowid = a.rowid + 1"
                 " WHERE b.event < a.event"),
        0);
}

STOA_TEST(one_that_fails_holds_up_its_own_aggregate_only)
{
    ear.failures = 1;
    ear.only = "a1";
    say("a", "a1");
    say("a", "a2");
    say("b", "b1");
    t_settle();
    cr_assert_eq(t_number("SELECT COUNT(*) FROM ear_heard WHERE event = 'b1'"), 1);
    cr_assert_eq(t_rows("ear_heard"), 1);
    clock_shift_for_test(2 * BACKOFF_MS);
    t_settle();
    cr_assert_eq(t_rows("ear_heard"), 3);
    cr_assert_eq(t_number("SELECT (SELECT rowid FROM ear_heard WHERE event = 'a1')"
                          " < (SELECT rowid FROM ear_heard WHERE event = 'a2')"),
                 1);
}

STOA_TEST(a_dead_one_does_not_hold_up_those_behind_it)
{
    ear.failures = 100;
    ear.only = "first";
    say("a", "first");
    say("a", "second");
    for (int64_t hour = 1; hour <= EVENT_ATTEMPTS_MAX; hour++) {
        t_settle();
        clock_shift_for_test(hour * 3600000);
    }
    t_settle();
    cr_assert_eq(t_number("SELECT COUNT(*) FROM ear_heard WHERE event = 'second'"), 1);
}

STOA_TEST(a_handler_that_fails_after_its_commit_has_no_second_effect)
{
    ear.failures = 1;
    ear.fails_after_commit = true;
    say("a", "x");
    t_settle();
    clock_shift_for_test(2 * BACKOFF_MS);
    t_settle();
    cr_assert_eq(ear.runs, 2);
    cr_assert_eq(t_rows("ear_heard"), 1);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

STOA_TEST(a_lost_acknowledgement_has_no_second_effect)
{
    say("a", "x");
    t_settle();
    t_script("INSERT INTO stoa_bus SELECT key, 'ear', 'toy.said', 'a', '{\"what\":\"x\"}', '', 0,"
             " 'ready', 0, 0, '' FROM stoa_journal");
    t_settle();
    cr_assert_eq(ear.runs, 2);
    cr_assert_eq(t_rows("ear_heard"), 1);
    cr_assert_eq(t_rows("stoa_bus"), 0);
}

STOA_TEST(any_database_fault_delays_an_event_and_loses_none)
{
    FOR_EACH_FAULT("sql.commit.after")
    {
        ear.runs = 0;
        if (emit(t_request("mouth"), "toy.said", "a", "x") != STOA_OK)
            cr_assert_eq(t_rows("stoa_outbox"), 1); /* unknown to the caller, but it is there */
        t_settle();
        clock_shift_for_test(600000);
        t_settle();
        clock_shift_for_test(0);
        cr_assert_eq(t_rows("ear_heard"), 1);
        cr_assert_eq(t_rows("stoa_bus"), 0);
    }
}

STOA_TEST(every_subscriber_of_an_event_gets_it)
{
    struct stoa_req *req = t_request("mouth");

    cr_assert_eq(emit(req, "toy.said", "a", "x"), STOA_OK);
    cr_assert_eq(t_rows("stoa_outbox"), 1);
    t_settle();
    t_script(
        "INSERT INTO stoa_bus VALUES ('evt_1', 'nobody', 'toy.said', 'a', '{}', '', 0, 'ready',"
        " 4, 0, '')");
    t_settle();
    cr_assert_eq(
        t_number("SELECT COUNT(*) FROM stoa_bus WHERE state = 'dead' AND error = 'PLUGIN'"), 1);
}

STOA_TEST(a_relay_that_cannot_write_does_not_spin)
{
    ear.failures = UINT32_MAX;
    t_script(
        "CREATE TRIGGER full BEFORE UPDATE ON stoa_bus BEGIN SELECT RAISE(ABORT, 'full'); END");
    say("a", "x");
    for (int n = 0; n < 300 && ear.runs == 0; n++)
        cr_assert_eq(stoa_sleep(t_request("mouth"), 10), STOA_OK);
    cr_assert_geq(ear.runs, 1);
    cr_assert_eq(stoa_sleep(t_request("mouth"), 60), STOA_OK);
    cr_assert_lt(ear.runs, 5);
    t_script("DROP TRIGGER full");
}
