/* All of a transaction, or nothing; and nothing but the database while it is open.
 * SPDX-License-Identifier: Apache-2.0 */
#include "call/tx.h"

#include "testing.h"
#include <criterion/criterion.h>

static const struct stoa_stmt INSERT = {"toy.insert", "INSERT INTO toy_thing (id) VALUES ($1)"};
static const struct stoa_stmt COUNT = {"toy.count", "SELECT COUNT(*) AS n FROM toy_thing", NULL,
                                       STOA_SQL_READ, 0};

/* The body of the one route. */
static stoa_err (*doing)(struct stoa_req *req);

static stoa_err act(struct stoa_req *req, void *self)
{
    return doing(req);
}

static const struct stoa_plugin_v1 plugin = {
    .routes = STOA_ROUTES({STOA_POST, 0, "/act", act, .permit = STOA_ANYONE}),
    .provides = STOA_PROVIDES({"toy.point", act}),
};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop t_shop = {plugins, 1, "CREATE TABLE toy_thing (id TEXT PRIMARY KEY)"};
static const struct t_shop wired = {plugins, 1, "CREATE TABLE toy_thing (id TEXT PRIMARY KEY)",
                                    .port = "loopback"};

/* The same test through both ports. */
#define BOTH_PORTS(name)                                                                           \
    static void name(void);                                                                        \
    Test(local, name)                                                                              \
    {                                                                                              \
        t_run(&t_shop, name);                                                                      \
    }                                                                                              \
    Test(loopback, name)                                                                           \
    {                                                                                              \
        t_run(&wired, name);                                                                       \
    }                                                                                              \
    static void name(void)

static int32_t run(stoa_err (*body)(struct stoa_req *req))
{
    doing = body;
    return t_visit(&(struct t_visit){
        .method = "POST", .path = "/act", .body = "{}", .key = "the-key-of-this-test"});
}

static stoa_err put(struct stoa_tx *tx, const char *id)
{
    return stoa_tx_sql(tx, &INSERT, STOA_ARGS(stoa_z(id)), NULL);
}

static void nothing_is_left(void)
{
    cr_assert_eq(t_rows("toy_thing"), 0);
    cr_assert_eq(t_rows("stoa_outbox"), 0);
    cr_assert_eq(t_rows("stoa_journal"), 0);
}

/* ---- Whole ---- */

static stoa_err two_things_and_an_event(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_tx_creates(tx, STOA_STR("a")));
    STOA_TRY(put(tx, "a"));
    STOA_TRY(put(tx, "b"));
    STOA_TRY(stoa_emit(tx, "toy.made", STOA_STR("a"), stoa_json_object(stoa_req_arena(req))));
    STOA_TRY(stoa_tx_commit(tx));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_commit_shows_all_of_it)
{
    cr_assert_eq(run(two_things_and_an_event), 204);
    cr_assert_eq(t_rows("toy_thing"), 2);
    cr_assert_eq(t_rows("stoa_outbox"), 1);
    cr_assert_eq(t_number("SELECT COUNT(*) FROM stoa_outbox WHERE event = 'toy.made'"
                          " AND aggregate = 'a' AND data = '{}' AND length(trace) = 55"),
                 1);
    cr_assert_eq(t_number("SELECT COUNT(*) FROM stoa_journal WHERE resource_id = 'a'"), 1);
}

static stoa_err rolled_back(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    STOA_TRY(stoa_emit(tx, "toy.made", STOA_STR("a"), stoa_json_object(stoa_req_arena(req))));
    stoa_tx_rollback(tx);
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_rollback_leaves_nothing)
{
    cr_assert_eq(run(rolled_back), 204);
    nothing_is_left();
}

static stoa_err left_open(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_handler_that_leaves_it_open_fails_and_leaves_nothing)
{
    cr_assert_eq(run(left_open), 500);
    nothing_is_left();
}

static stoa_err goes_on_after_an_error(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    cr_expect_eq(put(tx, "a"), STOA_E_EXISTS);
    cr_expect_eq(put(tx, "b"), STOA_E_TX);
    cr_expect_eq(stoa_tx_commit(tx), STOA_E_TX);
    return stoa_reply_empty(req);
}

BOTH_PORTS(after_an_error_only_rollback_is_possible)
{
    cr_assert_eq(run(goes_on_after_an_error), 204);
    nothing_is_left();
}

BOTH_PORTS(it_is_whole_after_any_fault)
{
    static const char *const places[] = {"sql.begin", "sql.exec", "sql.commit.before",
                                         "sql.commit.after"};

    for (uint32_t i = 0; i < sizeof(places) / sizeof(*places); i++)
        FOR_EACH_FAULT(places[i])
        {
            int32_t status = run(two_things_and_an_event);
            int64_t things = t_rows("toy_thing");
            cr_assert(status == 204 || status == 503 || status == 409, "%d", status);
            cr_assert(things == 0 || things == 2);
            cr_assert(status != 204 || things == 2);
            cr_assert_eq(t_rows("stoa_outbox"), things / 2);
            cr_assert_eq(t_rows("stoa_journal"), things / 2);
        }
}

/* ---- Order ---- */

static stoa_err creates_late(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    cr_expect_eq(stoa_tx_creates(tx, STOA_STR("a")), STOA_E_TX);
    cr_expect_eq(stoa_tx_commit(tx), STOA_E_TX);
    return stoa_reply_empty(req);
}

BOTH_PORTS(what_it_creates_is_said_before_the_first_statement)
{
    cr_assert_eq(run(creates_late), 204);
    nothing_is_left();
}

static stoa_err one_in_another(struct stoa_req *req)
{
    struct stoa_tx *tx, *inner = NULL;

    STOA_TRY(stoa_tx_begin(req, &tx));
    cr_expect_eq(stoa_tx_begin(req, &inner), STOA_E_TX);
    cr_expect_null(inner);
    STOA_TRY(put(tx, "a"));
    STOA_TRY(stoa_tx_commit(tx));
    return stoa_reply_empty(req);
}

BOTH_PORTS(there_is_one_at_a_time)
{
    cr_assert_eq(run(one_in_another), 204);
    cr_assert_eq(t_rows("toy_thing"), 1);
}

static stoa_err old_handle(struct stoa_req *req)
{
    struct stoa_tx *first, *second;

    STOA_TRY(stoa_tx_begin(req, &first));
    stoa_tx_rollback(first);
    STOA_TRY(stoa_tx_begin(req, &second));
    cr_expect_eq(put(first, "a"), STOA_E_TX);
    cr_expect_eq(stoa_tx_commit(first), STOA_E_TX);
    stoa_tx_rollback(first); /* must not reach the second */
    stoa_tx_rollback(NULL);
    STOA_TRY(put(second, "b"));
    STOA_TRY(stoa_tx_commit(second));
    return stoa_reply_empty(req);
}

BOTH_PORTS(an_old_handle_does_not_reach_the_open_one)
{
    cr_assert_eq(run(old_handle), 204);
    cr_assert_eq(t_rows("toy_thing"), 1);
}

/* ---- Nothing else while it is open ---- */

static void work(void *arg)
{
    *(bool *)arg = true;
}

static void try_calls(struct stoa_req *req)
{
    struct stoa_answer answer;
    const struct stoa_json *json;
    struct stoa_call call = {.plugin = "toy", .method = STOA_GET, .path = STOA_STR("/act")};

    cr_expect_eq(stoa_call(req, &call, &answer), STOA_E_TX);
    cr_expect_eq(stoa_call_get(req, "toy", STOA_STR("/act"), &answer), STOA_E_TX);
    cr_expect_eq(stoa_call_post(req, "toy", STOA_STR("/act"), NULL, &answer), STOA_E_TX);
    cr_expect_eq(stoa_collect(req, "toy.point", NULL, &json), STOA_E_TX);
}

static void try_effects(struct stoa_req *req)
{
    struct stoa_mail mail = {STOA_STR("a@example.com"), STOA_STR("Hi"), STOA_STR("Hi"),
                             STOA_STR(""), STOA_STR("1@shop")};
    bool worked = false;
    stoa_str text;

    cr_expect_eq(stoa_sql(req, &COUNT, STOA_NO_ARGS, NULL), STOA_E_TX);
    cr_expect_eq(stoa_render(req, "page", NULL, &text), STOA_E_TX);
    cr_expect_eq(stoa_reply_page(req, 200, "page", NULL), STOA_E_TX);
    cr_expect_eq(stoa_sleep(req, 1), STOA_E_TX);
    cr_expect_eq(stoa_offload(req, work, &worked), STOA_E_TX);
    cr_expect(!worked);
    cr_expect_eq(stoa_mail_send(req, &mail), STOA_E_TX);
    cr_expect_eq(stoa_password_hash(req, STOA_STR("secret"), &text), STOA_E_TX);
    cr_expect_eq(stoa_password_verify(req, STOA_STR("secret"), STOA_STR("")), STOA_E_TX);
}

static stoa_err tries_everything(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    try_calls(req);
    try_effects(req);
    STOA_TRY(put(tx, "b")); /* what was refused has not broken it */
    STOA_TRY(stoa_tx_commit(tx));
    return stoa_reply_empty(req);
}

BOTH_PORTS(it_never_waits_for_the_world)
{
    cr_assert_eq(run(tries_everything), 204);
    cr_assert_eq(t_rows("toy_thing"), 2);
}

/* ---- Limits ---- */

static stoa_err many_events(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    for (uint32_t i = 0; i < TX_EVENTS_MAX; i++)
        STOA_TRY(stoa_emit(tx, "toy.made", STOA_STR("a"), stoa_json_object(stoa_req_arena(req))));
    cr_expect_eq(stoa_emit(tx, "toy.made", STOA_STR("a"), stoa_json_object(stoa_req_arena(req))),
                 STOA_E_TOO_LARGE);
    cr_expect_eq(stoa_tx_commit(tx), STOA_E_TX);
    return stoa_reply_empty(req);
}

BOTH_PORTS(it_has_64_events_at_most)
{
    cr_assert_eq(run(many_events), 204);
    nothing_is_left();
}

static stoa_err large_event(struct stoa_req *req)
{
    static char letters[TX_EVENT_BYTES_MAX + 1];
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_tx *tx;

    memset(letters, 'a', sizeof(letters));
    STOA_TRY(stoa_tx_begin(req, &tx));
    cr_expect_eq(stoa_emit(tx, "toy.made", STOA_STR("a"),
                           stoa_json_new_str(arena, (stoa_str){letters, sizeof(letters) - 3})),
                 STOA_OK);
    cr_expect_eq(stoa_emit(tx, "toy.made", STOA_STR("a"),
                           stoa_json_new_str(arena, (stoa_str){letters, sizeof(letters) - 2})),
                 STOA_E_TOO_LARGE);
    stoa_tx_rollback(tx);
    return stoa_reply_empty(req);
}

BOTH_PORTS(an_event_has_64_kib_at_most)
{
    cr_assert_eq(run(large_event), 204);
}

/* ---- The cache follows the commit ---- */

static bool cached(struct stoa_req *req)
{
    stoa_str value;

    return stoa_cache_get(req, STOA_STR("k"), &value) == STOA_OK;
}

static stoa_err drops_when_it_commits(struct stoa_req *req)
{
    struct stoa_tx *tx;

    stoa_cache_put(req, STOA_STR("k"), STOA_STR("v"), 60000, STOA_STR("tag"));
    STOA_TRY(stoa_tx_begin(req, &tx));
    stoa_cache_drop(req, STOA_STR("tag"));
    stoa_tx_rollback(tx);
    cr_expect(cached(req));
    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    stoa_cache_drop(req, STOA_STR("tag"));
    cr_expect(cached(req));
    STOA_TRY(stoa_tx_commit(tx));
    cr_expect(!cached(req));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_tag_is_dropped_by_the_commit_and_not_by_a_rollback)
{
    cr_assert_eq(run(drops_when_it_commits), 204);
}

static void drop_numbered(struct stoa_req *req, uint32_t count)
{
    struct stoa_arena *arena = stoa_req_arena(req);

    for (uint32_t i = 0; i < count; i++)
        stoa_cache_drop(req, stoa_concat(arena, STOA_STR("tag:"), stoa_str_from_int(arena, i)));
}

static stoa_err drops_as_much_as_it_may(struct stoa_req *req)
{
    struct stoa_tx *tx;

    stoa_cache_put(req, STOA_STR("k"), STOA_STR("v"), 60000, STOA_STR("tag:255"));
    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    drop_numbered(req, TX_DROPS_MAX);
    drop_numbered(req, TX_DROPS_MAX); /* noted already */
    STOA_TRY(stoa_tx_commit(tx));
    cr_expect(!cached(req));
    return stoa_reply_empty(req);
}

BOTH_PORTS(it_drops_256_tags_however_often)
{
    cr_assert_eq(TX_DROPS_MAX, 256);
    cr_assert_eq(run(drops_as_much_as_it_may), 204);
    cr_assert_eq(t_rows("toy_thing"), 1);
}

static stoa_err drops_too_much(struct stoa_req *req)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(put(tx, "a"));
    drop_numbered(req, TX_DROPS_MAX + 1);
    cr_expect_eq(stoa_tx_commit(tx), STOA_E_TX);
    return stoa_reply_empty(req);
}

BOTH_PORTS(more_tags_than_it_can_keep_fail_the_commit)
{
    cr_assert_eq(run(drops_too_much), 204);
    nothing_is_left();
}
