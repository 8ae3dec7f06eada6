/* One key, one effect. SPDX-License-Identifier: Apache-2.0 */
#include "call/journal.h"

#include "base/clock.h"
#include "fiber/fiber.h"
#include "testing.h"
#include <criterion/criterion.h>

static const struct stoa_stmt INSERT = {"toy.insert", "INSERT INTO toy_thing (id) VALUES ($1)"};

#define KEY "one-key-of-a-test" /* long enough for strangers */

/* What the next run of the handler does. */
static struct {
    uint32_t runs;
    bool waits_first, waits_last, fails_last, without_tx, refuses;
    bool stores_reply;
    struct fiber_wait wait;
} toy;

static stoa_err hold(bool does)
{
    if (!does)
        return STOA_OK;
    toy.wait = (struct fiber_wait){.fiber = fiber_self()};
    return fiber_await(&toy.wait, -1); /* the request has an end */
}

static stoa_err put(struct stoa_req *req, stoa_str id)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_tx_creates(tx, id));
    STOA_TRY(stoa_tx_sql(tx, &INSERT, STOA_ARGS(stoa_s(id)), NULL));
    if (toy.stores_reply)
        STOA_TRY(stoa_tx_reply(
            tx, 201, stoa_json_fields(req->arena, STOA_FIELDS(stoa_f("stored", stoa_s(id))))));
    return stoa_tx_commit(tx);
}

static stoa_err make(struct stoa_req *req, void *self)
{
    struct stoa_once once = stoa_once(req);
    stoa_str id = stoa_id_new(req, "tng");

    toy.runs++;
    if (once.state == STOA_ONCE_RESUME)
        return stoa_reply_fields(req, 201, STOA_FIELDS(stoa_f("resumed", stoa_s(once.id))));
    STOA_TRY(hold(toy.waits_first));
    if (!toy.without_tx)
        STOA_TRY(put(req, id));
    STOA_TRY(hold(toy.waits_last));
    if (toy.fails_last)
        return STOA_E_STORE;
    if (toy.refuses)
        return stoa_fail(req, STOA_E_SOLD_OUT, "none left", STOA_NO_FIELDS);
    return toy.stores_reply ? STOA_OK
                            : stoa_reply_fields(req, 201, STOA_FIELDS(stoa_f("id", stoa_s(id))));
}

/* Replies that are no JSON. */
static stoa_err make_page(struct stoa_req *req, void *self)
{
    toy.runs++;
    STOA_TRY(put(req, stoa_id_new(req, "tng")));
    return stoa_reply(req, 201, "text/html", STOA_STR("<p>{made}</p>"));
}

static stoa_err make_and_go(struct stoa_req *req, void *self)
{
    toy.runs++;
    STOA_TRY(put(req, stoa_id_new(req, "tng")));
    return stoa_reply_redirect(req, STOA_STR("/things/1"));
}

static stoa_err make_in_one(struct stoa_req *req, void *self)
{
    struct stoa_tx *tx;

    toy.runs++;
    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_reply_header(req, "location", STOA_STR("/things/2")));
    STOA_TRY(stoa_tx_sql(tx, &INSERT, STOA_ARGS(stoa_z("in one")), NULL));
    STOA_TRY(stoa_tx_reply(tx, 202, NULL));
    return stoa_tx_commit(tx);
}

enum { LARGE = 30000 }; /* numbers: more than a JSON tree may have */

static stoa_err make_large(struct stoa_req *req, void *self)
{
    struct stoa_writer w;

    toy.runs++;
    STOA_TRY(put(req, stoa_id_new(req, "tng")));
    stoa_write_begin(&w, req->arena, 0);
    stoa_write_array(&w, STOA_UNNAMED);
    for (int i = 0; i < LARGE; i++)
        stoa_write_int(&w, STOA_UNNAMED, i);
    stoa_write_end(&w);
    return stoa_reply(req, 201, "application/json", stoa_write_finish(&w));
}

static const struct stoa_plugin_v1 plugin = {
    .routes = STOA_ROUTES(
        {STOA_POST, 0, "/large", make_large, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/page", make_page, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/go", make_and_go, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/one", make_in_one, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/things", make, .permit = STOA_ANYONE},
        {STOA_POST, 0, "/keyed", make, .permit = STOA_ANYONE, .flags = STOA_ROUTE_KEY_REQUIRED}),
};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop t_shop = {plugins, 1, "CREATE TABLE toy_thing (id TEXT PRIMARY KEY)"};

static int32_t send_as(const char *key, const char *body, const char *client)
{
    return t_visit(&(struct t_visit){
        .method = "POST", .path = "/things", .key = key, .body = body, .client = client});
}

static int32_t send(const char *key)
{
    return send_as(key, "{\"n\":1}", NULL);
}

static const char *text(const char *path)
{
    return stoa_cstr(t_arena(), stoa_json_str(t_answer()->json, path));
}

STOA_TEST(a_fresh_key_acts_and_keeps_its_answer)
{
    cr_assert_eq(send(KEY), 201);
    cr_assert_eq(t_rows("toy_thing"), 1);
    cr_assert_eq(t_number("SELECT COUNT(*) FROM stoa_journal WHERE state = 'done' AND status = 201"
                          " AND resource_id IN (SELECT id FROM toy_thing)"),
                 1);
}

STOA_TEST(a_repeat_gets_the_first_answer_without_acting)
{
    send(KEY);
    stoa_str first = t_answer()->body;
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_str_eq(t_answer()->body, first));
    cr_assert(stoa_str_is(t_header("idempotency-replayed"), "true"));
    cr_assert_eq(toy.runs, 1);
    cr_assert_eq(t_rows("toy_thing"), 1);
}

static void repeats(const char *path, int32_t status, const char *body, const char *location)
{
    const struct t_visit visit = {.method = "POST", .path = path, .key = KEY};

    toy.runs = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const char *type;
        cr_expect_eq(t_visit(&visit), status, "%s %u: %d", path, i, t_answer()->status);
        type = t_answer()->req->reply.type;
        cr_expect(stoa_str_is(t_answer()->body, body), "%s %u", path, i);
        cr_expect_str_eq(type ? type : "", *body ? "text/html" : "", "%s %u", path, i);
        cr_expect(stoa_str_is(t_header("location"), location), "%s %u", path, i);
        cr_expect(stoa_str_is(t_header("idempotency-replayed"), i == 0 ? "" : "true"));
    }
    cr_expect_eq(toy.runs, 1);
}

STOA_TEST(a_repeat_of_what_is_no_json_gets_the_first_answer_too)
{
    repeats("/page", 201, "<p>{made}</p>", "");
    repeats("/go", 303, "", "/things/1");
    repeats("/one", 202, "", "/things/2");
}

STOA_TEST(a_repeat_of_what_is_too_large_to_be_read_gets_the_first_answer_too)
{
    const struct t_visit visit = {.method = "POST", .path = "/large", .key = KEY};
    stoa_str first;

    cr_assert_eq(t_visit(&visit), 201);
    first = t_answer()->body;
    cr_assert_eq(t_visit(&visit), 201);
    cr_assert(stoa_str_eq(t_answer()->body, first));
    cr_assert_eq(toy.runs, 1);
}

STOA_TEST(a_reply_stored_with_the_transaction_is_the_reply_and_the_replay)
{
    toy.stores_reply = true;
    cr_assert_eq(send(KEY), 201);
    stoa_str first = t_answer()->body;
    cr_assert(stoa_json_str(t_answer()->json, "stored").len > 0);
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_str_eq(t_answer()->body, first));
}

STOA_TEST(a_refusal_after_a_commit_is_kept_too)
{
    toy.refuses = true;
    cr_assert_eq(send(KEY), 409);
    toy.refuses = false;
    cr_assert_eq(send(KEY), 409);
    cr_assert_str_eq(text("code"), "SOLD_OUT");
    cr_assert_str_eq(t_answer()->req->reply.type, "application/problem+json");
    cr_assert_eq(toy.runs, 1);
}

STOA_TEST(a_key_with_another_request_is_refused)
{
    send(KEY);
    cr_assert_eq(send_as(KEY, "{\"n\":2}", NULL), 422);
    cr_assert_str_eq(text("code"), "KEY_REUSED");
    cr_assert_eq(toy.runs, 1);
}

STOA_TEST(another_visitor_may_have_the_same_key)
{
    send_as(KEY, "{}", "192.0.2.1");
    cr_assert_eq(send_as(KEY, "{}", "192.0.2.2"), 201);
    cr_assert_eq(toy.runs, 2);
    cr_assert_eq(t_rows("toy_thing"), 2);
}

STOA_TEST(without_a_transaction_nothing_is_remembered)
{
    toy.without_tx = true;
    send(KEY);
    send(KEY);
    cr_assert_eq(toy.runs, 2);
    cr_assert_eq(t_rows("stoa_journal"), 0);
}

STOA_TEST(a_key_has_at_most_255_visible_characters)
{
    char key[258] = {0};

    memset(key, 'k', 255);
    cr_assert_eq(send(key), 201);
    memset(key, 'k', 256);
    cr_assert_eq(send(key), 422);
    cr_assert_eq(send("two words and some more"), 422);
    cr_assert_eq(send("sixteen and \xc3\xa4 few"), 422);
    cr_assert_eq(toy.runs, 1);
}

STOA_TEST(a_strangers_key_must_not_be_guessable)
{
    struct t_visit visit = {.method = "POST", .path = "/things", .key = "short", .body = "{}"};

    cr_assert_eq(t_visit(&visit), 422);
    cr_assert(strstr(text("detail"), "16 characters"));
    visit.headers[0] = "x-cart-token";
    visit.headers[1] = "the-token-of-a-cart";
    cr_assert_eq(t_visit(&visit), 201);
}

STOA_TEST(a_route_may_insist_on_a_key)
{
    cr_assert_eq(t_post("/keyed", "{}"), 400);
    cr_assert(strstr(text("detail"), "Idempotency-Key"));
    cr_assert_eq(toy.runs, 0);
}

/* ---- Two at once ---- */

static int32_t first_status;

static void send_first(void *arg)
{
    first_status = send(KEY);
}

static void run_first_until_it_waits(void)
{
    cr_assert_eq(fiber_spawn(send_first, NULL, NULL, NULL), STOA_OK);
    while (!toy.wait.fiber)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

static void let_first_end(void)
{
    fiber_wake(&toy.wait);
    while (first_status == 0)
        cr_assert_eq(fiber_sleep(1), STOA_OK);
}

STOA_TEST(a_repeat_in_flight_is_told_to_come_again)
{
    toy.waits_last = true;
    run_first_until_it_waits();
    cr_assert_eq(send(KEY), 409);
    cr_assert_str_eq(text("code"), "IN_FLIGHT");
    cr_assert(stoa_str_is(t_header("retry-after"), "1"));
    let_first_end();
    cr_assert_eq(first_status, 201);
    cr_assert_eq(send(KEY), 201);
    cr_assert_eq(toy.runs, 1);
}

STOA_TEST(of_two_that_both_found_nothing_one_acts)
{
    toy.waits_first = true;
    run_first_until_it_waits();
    toy.waits_first = false;
    cr_assert_eq(send(KEY), 201);
    stoa_str acted = t_answer()->body;
    let_first_end();
    /* Too late, or with the answer of the one that acted. */
    cr_assert(first_status == 409 || stoa_str_eq(t_answer()->body, acted));
    cr_assert_eq(t_rows("toy_thing"), 1);
}

/* ---- After a death ---- */

STOA_TEST(a_failed_request_resumes_at_what_it_had_begun)
{
    toy.fails_last = true;
    cr_assert_eq(send(KEY), 503);
    cr_assert_eq(t_rows("toy_thing"), 1);
    toy.fails_last = false;
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_id_is(stoa_json_str(t_answer()->json, "resumed"), "tng"));
    cr_assert_eq(t_rows("toy_thing"), 1);
}

static void kill_in_the_middle(void)
{
    send(KEY);
    t_script("UPDATE stoa_journal SET state = 'started', status = NULL, body = NULL");
}

STOA_TEST(a_dead_lease_is_resumed_a_live_one_is_waited_for)
{
    kill_in_the_middle();
    cr_assert_eq(send(KEY), 409);
    clock_shift_for_test(10000 + JOURNAL_LEASE_MARGIN_MS + 1000);
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_json_str(t_answer()->json, "resumed").len > 0);
}

STOA_TEST(a_lease_from_before_the_clock_was_set_back_is_not_waited_for)
{
    kill_in_the_middle();
    clock_shift_for_test(-24LL * 3600 * 1000);
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_json_str(t_answer()->json, "resumed").len > 0);
}

STOA_TEST(a_restarted_owner_frees_its_own_leases_only)
{
    kill_in_the_middle();
    t_script("INSERT INTO stoa_journal (scope, key, request_hash, state, owner, lease_until,"
             " created_at) VALUES ('s', 'other', '', 'started', 'somebody', 99, 0)");
    cr_assert_eq(journal_recover(t_sql()), STOA_OK);
    cr_assert_eq(t_number("SELECT lease_until FROM stoa_journal WHERE key = '" KEY "'"), 0);
    cr_assert_eq(t_number("SELECT lease_until FROM stoa_journal WHERE key = 'other'"), 99);
    cr_assert_eq(send(KEY), 201);
    cr_assert(stoa_json_str(t_answer()->json, "resumed").len > 0);
}

STOA_TEST(old_keys_are_forgotten_after_two_days)
{
    send(KEY);
    clock_shift_for_test(JOURNAL_KEEP_MS - 60000);
    cr_assert_eq(journal_expire(t_sql()), STOA_OK);
    cr_assert_eq(t_rows("stoa_journal"), 1);
    clock_shift_for_test(JOURNAL_KEEP_MS + 60000);
    cr_assert_eq(journal_expire(t_sql()), STOA_OK);
    cr_assert_eq(t_rows("stoa_journal"), 0);
}

/* ---- Any statement may fail ---- */

STOA_TEST(a_repeat_after_any_database_fault_makes_one_thing)
{
    FOR_EACH_FAULT("sql.exec")
    {
        int32_t status = send(KEY);
        cr_assert(status == 201 || status == 503, "%d", status);
        clock_shift_for_test(60000); /* past any lease */
        if (send(KEY) == 503)
            cr_assert_eq(send(KEY), 201); /* the fault was the repeat's */
        cr_assert_eq(t_answer()->status, 201);
        cr_assert_eq(t_rows("toy_thing"), 1);
        clock_shift_for_test(0);
    }
}

STOA_TEST(a_repeat_after_an_unknown_commit_makes_one_thing)
{
    FOR_EACH_FAULT("sql.commit.after")
    {
        send(KEY);
        clock_shift_for_test(60000);
        cr_assert_eq(send(KEY), 201);
        cr_assert_eq(t_rows("toy_thing"), 1);
        clock_shift_for_test(0);
    }
}
