/* What the SDK's functions with an effect promise, through both ports. SPDX-License-Identifier:
 * Apache-2.0 */
#include "port/password.h"
#include "port/port.h"
#include "testing.h"
#include <criterion/criterion.h>

static stoa_err (*doing)(struct stoa_req *req);

static stoa_err act(struct stoa_req *req, void *self)
{
    return doing(req);
}

static const struct stoa_plugin_v1 plugin = {
    .routes = STOA_ROUTES({STOA_POST, 0, "/act", act, .permit = STOA_ANYONE})};
static const struct t_plugin plugins[] = {{"toy", &plugin}};
static const struct t_shop here = {plugins, 1,
                                   "CREATE TABLE toy_a (n BIGINT); CREATE TABLE hat_b (n BIGINT)"};
static const struct t_shop wired = {
    plugins, 1, "CREATE TABLE toy_a (n BIGINT); CREATE TABLE hat_b (n BIGINT)", .port = "loopback"};

#define BOTH_PORTS(name)                                                                           \
    static stoa_err name(struct stoa_req *req);                                                    \
    static void run_##name(void)                                                                   \
    {                                                                                              \
        doing = name;                                                                              \
        cr_assert_eq(t_post("/act", "{}"), 204);                                                   \
    }                                                                                              \
    Test(local, name)                                                                              \
    {                                                                                              \
        t_run(&here, run_##name);                                                                  \
    }                                                                                              \
    Test(loopback, name)                                                                           \
    {                                                                                              \
        t_run(&wired, run_##name);                                                                 \
    }                                                                                              \
    static stoa_err name(struct stoa_req *req)

Test(port, is_found_by_its_name)
{
    cr_assert_eq(port_find(STOA_STR("local")), &port_local);
    cr_assert_eq(port_find(STOA_STR("loopback")), &port_loopback);
    cr_assert_null(port_find(STOA_STR("")));
    cr_assert_null(port_find(STOA_STR("locals")));
}

BOTH_PORTS(the_cache_gives_back_what_was_put)
{
    stoa_str got;

    stoa_cache_put(req, STOA_STR("k"), STOA_STR("value"), 60000, STOA_STR("a b"));
    cr_expect_eq(stoa_cache_get(req, STOA_STR("k"), &got), STOA_OK);
    cr_expect(stoa_str_is(got, "value"));
    stoa_cache_drop(req, STOA_STR("b"));
    cr_expect_eq(stoa_cache_get(req, STOA_STR("k"), &got), STOA_E_NOT_FOUND);
    return stoa_reply_empty(req);
}

BOTH_PORTS(what_is_past_the_caches_limits_is_not_kept)
{
    static char large[(1 << 20) + 1];
    stoa_str got, key = {large, 201};

    memset(large, 'k', sizeof(large));
    stoa_cache_put(req, key, STOA_STR("v"), 1000, STOA_STR(""));
    cr_expect_eq(stoa_cache_get(req, key, &got), STOA_E_NOT_FOUND);
    stoa_cache_put(req, STOA_STR(""), STOA_STR("v"), 1000, STOA_STR(""));
    cr_expect_eq(stoa_cache_get(req, STOA_STR(""), &got), STOA_E_NOT_FOUND);
    stoa_cache_put(req, STOA_STR("k"), (stoa_str){large, sizeof(large)}, 1000, STOA_STR(""));
    stoa_cache_put(req, STOA_STR("k"), STOA_STR("v"), 0, STOA_STR(""));
    stoa_cache_put(req, STOA_STR("k"), STOA_STR("v"), 86400001, STOA_STR(""));
    cr_expect_eq(stoa_cache_get(req, STOA_STR("k"), &got), STOA_E_NOT_FOUND);
    return stoa_reply_empty(req);
}

BOTH_PORTS(more_entries_than_a_request_may_hold_are_copied)
{
    stoa_str got[REQUEST_HELD_MAX + 4];

    stoa_cache_put(req, STOA_STR("k"), STOA_STR("value"), 60000, STOA_STR("a"));
    for (uint32_t i = 0; i < REQUEST_HELD_MAX + 4; i++)
        cr_expect_eq(stoa_cache_get(req, STOA_STR("k"), &got[i]), STOA_OK);
    stoa_cache_drop(req, STOA_STR("a"));
    for (uint32_t i = 0; i < REQUEST_HELD_MAX + 4; i++)
        cr_expect(stoa_str_is(got[i], "value"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_plugin_sees_its_own_tables_only)
{
    static const struct stoa_stmt own = {"toy.own", "SELECT n FROM toy_a", NULL, STOA_SQL_READ, 0};
    static const struct stoa_stmt other = {"toy.other", "SELECT n FROM hat_b", NULL, STOA_SQL_READ,
                                           0};
    static const struct stoa_stmt hosts = {"toy.hosts", "SELECT key FROM stoa_journal", NULL,
                                           STOA_SQL_READ, 0};
    const struct stoa_rows *rows = NULL;

    cr_expect_eq(stoa_sql(req, &own, STOA_NO_ARGS, &rows), STOA_OK);
    cr_expect_eq(stoa_rows_count(rows), 0);
    cr_expect_neq(stoa_sql(req, &other, STOA_NO_ARGS, &rows), STOA_OK);
    cr_expect_neq(stoa_sql(req, &hosts, STOA_NO_ARGS, &rows), STOA_OK);
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_password_is_known_again)
{
    stoa_str hash;
    static char large[PASSWORD_MAX + 1];

    memset(large, 'p', sizeof(large));
    cr_expect_eq(stoa_password_hash(req, STOA_STR("correct horse"), &hash), STOA_OK);
    cr_expect(stoa_str_starts(hash, STOA_STR("$argon2id$")));
    cr_expect_eq(stoa_password_verify(req, STOA_STR("correct horse"), hash), STOA_OK);
    cr_expect_eq(stoa_password_verify(req, STOA_STR("correct Horse"), hash), STOA_E_AUTH);
    cr_expect_eq(stoa_password_verify(req, STOA_STR("x"), STOA_STR("")), STOA_E_AUTH);
    /* Costs that would keep a thread for days. */
    cr_expect_eq(
        stoa_password_verify(req, STOA_STR("x"),
                             STOA_STR("$argon2id$v=19$m=19456,t=4294967295,p=1$c2FsdHNhbHRzYWx0c2E$"
                                      "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g")),
        STOA_E_AUTH);
    cr_expect_eq(stoa_password_verify(req, STOA_STR("x"), (stoa_str){0}), STOA_E_AUTH);
    cr_expect_eq(stoa_password_verify(req, STOA_STR("x"), STOA_STR("$argon2id$nonsense")),
                 STOA_E_AUTH);
    cr_expect_eq(stoa_password_verify(req, (stoa_str){large, sizeof(large)}, hash), STOA_E_AUTH);
    cr_expect_eq(stoa_password_hash(req, (stoa_str){large, sizeof(large)}, &hash), STOA_E_INVALID);
    cr_expect_eq(stoa_password_hash(req, STOA_STR(""), &hash), STOA_E_INVALID);
    return stoa_reply_empty(req);
}

static void add_one(void *arg)
{
    ++*(int *)arg;
}

BOTH_PORTS(offloaded_work_is_done_when_it_returns)
{
    int n = 41;

    cr_expect_eq(stoa_offload(req, add_one, &n), STOA_OK);
    cr_expect_eq(n, 42);
    return stoa_reply_empty(req);
}

BOTH_PORTS(a_mail_is_kept_once_by_its_id)
{
    const struct stoa_mail mail = {STOA_STR("ann@example.com"), STOA_STR("Your order"),
                                   STOA_STR("Thank you"), STOA_STR(""), STOA_STR("ord_1@shop")};
    struct stoa_mail bad = mail;
    const struct stoa_json *list;

    cr_expect_eq(stoa_mail_send(req, &mail), STOA_OK);
    cr_expect_eq(stoa_mail_send(req, &mail), STOA_OK);
    bad.subject = STOA_STR("x\r\nBcc: all@example.com");
    cr_expect_eq(stoa_mail_send(req, &bad), STOA_E_INVALID);
    cr_expect_eq(stoa_mail_list(req, 10, &list), STOA_OK);
    cr_expect_eq(stoa_json_count(list), 1);
    cr_expect(stoa_str_is(stoa_json_str(list, "0.subject"), "Your order"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(ids_sort_in_the_order_they_were_made)
{
    stoa_str last = stoa_id_new(req, "tst");

    for (int i = 0; i < 1000; i++) {
        stoa_str id = stoa_id_new(req, "tst");
        cr_expect(stoa_id_is(id, "tst"));
        cr_assert_lt(memcmp(last.ptr, id.ptr, id.len), 0);
        last = id;
    }
    return stoa_reply_empty(req);
}

BOTH_PORTS(secrets_are_random_and_hashed_alike)
{
    stoa_str a = stoa_token_new(req), b = stoa_token_new(req);

    cr_expect_eq(a.len, 26);
    cr_expect(!stoa_secret_eq(a, b) && stoa_secret_eq(a, stoa_str_copy(stoa_req_arena(req), a)));
    cr_expect(!stoa_secret_eq(a, STOA_STR("")) && stoa_secret_eq(STOA_STR(""), (stoa_str){0}));
    cr_expect(stoa_str_is(stoa_token_hash(req, STOA_STR("abc")),
                          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    return stoa_reply_empty(req);
}

BOTH_PORTS(settled_time_is_left_for_the_request)
{
    cr_expect_gt(stoa_time_left(req), 5000);
    cr_expect_eq(stoa_sleep(req, 2), STOA_OK);
    cr_expect_leq(stoa_time_left(req), 10000);
    return stoa_reply_empty(req);
}

/* ---- Too much memory ---- */

static stoa_err takes_a_lot(struct stoa_req *req)
{
    for (int i = 0; i < 65; i++)
        stoa_arena_take(stoa_req_arena(req), 1 << 20);
    return stoa_reply_empty(req);
}

static void run_takes_a_lot(void)
{
    doing = takes_a_lot;
    cr_assert_eq(t_post("/act", "{}"), 503);
    cr_assert(stoa_str_is(stoa_json_str(t_answer()->json, "code"), "BUSY"));
}

Test(local, a_request_that_takes_too_much_is_refused)
{
    t_run(&here, run_takes_a_lot);
}

Test(loopback, a_request_that_takes_too_much_is_refused)
{
    t_run(&wired, run_takes_a_lot);
}
