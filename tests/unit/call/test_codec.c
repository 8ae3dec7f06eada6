/* What was written reads back alike; what was cut or forged is seen. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/codec.h"

#include "call/journal.h"
#include <criterion/criterion.h>
#include <stdlib.h>

static struct stoa_arena *arena;
static struct stoa_buf out;

static void start(void)
{
    arena = stoa_arena_create();
    stoa_buf_init(&out, arena, 256);
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(codec, .init = start, .fini = end);

static struct decoder written(void)
{
    return (struct decoder){.arena = arena, .rest = stoa_buf_str(&out)};
}

static bool is_whole(const struct decoder *in)
{
    return !in->broken && in->rest.len == 0;
}

/* Reads what was written cut at every length, from memory of exactly that length. */
static void every_cut_is_seen(void (*read)(struct decoder *in))
{
    for (uint64_t len = 0; len < out.len; len++) {
        struct stoa_arena *own = stoa_arena_create();
        char *copy = malloc(len ? len : 1);
        struct decoder in = {.arena = own, .rest = {copy, len}};
        memcpy(copy, out.ptr, len);
        read(&in);
        cr_assert(in.broken, "cut at %d of %d", (int)len, (int)out.len);
        free(copy);
        stoa_arena_destroy(own);
    }
}

/* ---- Values ---- */

static struct stoa_json *tree(void)
{
    return stoa_json_fields(arena,
                            STOA_FIELDS(stoa_f("a", stoa_i(1)), stoa_f("b", stoa_z("<&>")),
                                        stoa_f("c", stoa_null()), stoa_f("d", stoa_b(true))));
}

static struct stoa_values all_kinds(void)
{
    static stoa_value list[9];

    list[0] = stoa_null();
    list[1] = stoa_b(true);
    list[2] = stoa_i(INT64_MIN);
    list[3] = stoa_s(STOA_STR("with \0 in it"));
    list[4] = stoa_s((stoa_str){0});
    list[5] = stoa_s(STOA_STR(""));
    list[6] = stoa_m(stoa_money_of(-450, "JPY"));
    list[7] = stoa_j(tree());
    list[8] = stoa_j(NULL);
    return (struct stoa_values){list, 9, 0};
}

static stoa_str format(const struct stoa_json *json)
{
    struct stoa_buf text;

    stoa_buf_init(&text, arena, 64);
    stoa_json_format(json, &text);
    return stoa_buf_str(&text);
}

static void same_value(stoa_value a, stoa_value b)
{
    cr_assert_eq(a.kind, b.kind);
    if (a.kind == STOA_V_STR) {
        cr_assert(stoa_str_eq(a.s, b.s));
        cr_assert_eq(a.s.ptr == NULL, b.s.ptr == NULL);
    } else if (a.kind == STOA_V_MONEY) {
        cr_assert(stoa_money_eq(a.m, b.m));
    } else if (a.kind == STOA_V_JSON) {
        cr_assert_eq(a.j == NULL, b.j == NULL);
        cr_assert(!a.j || stoa_str_eq(format(a.j), format(b.j)));
    } else if (a.kind != STOA_V_NULL) {
        cr_assert_eq(a.i, b.i);
    }
}

Test(codec, every_kind_of_value_comes_back)
{
    struct stoa_values given = all_kinds(), got;
    struct decoder in;

    put_values(&out, given);
    in = written();
    got = get_values(&in);
    cr_assert(is_whole(&in));
    cr_assert_eq(got.count, given.count);
    for (uint32_t i = 0; i < got.count; i++)
        same_value(given.ptr[i], got.ptr[i]);
}

Test(codec, money_without_a_currency_stays_so)
{
    struct decoder in;
    stoa_value got;

    put_value(&out, stoa_m((stoa_money){0}));
    in = written();
    got = get_value(&in);
    cr_assert(is_whole(&in));
    cr_assert_str_eq(got.m.cur, "");
}

Test(codec, fields_come_back)
{
    struct stoa_fields got;
    struct decoder in;

    put_fields(&out, STOA_FIELDS(stoa_f("one", stoa_i(1)), stoa_f("two", stoa_z("2"))));
    in = written();
    got = get_fields(&in);
    cr_assert(is_whole(&in));
    cr_assert_eq(got.count, 2);
    cr_assert_str_eq(got.ptr[1].name, "two");
    cr_assert(stoa_str_is(got.ptr[1].value.s, "2"));
}

static void read_values(struct decoder *in)
{
    get_values(in);
}

static void read_fields(struct decoder *in)
{
    get_fields(in);
}

Test(codec, values_and_fields_cut_anywhere_are_broken)
{
    put_values(&out, all_kinds());
    every_cut_is_seen(read_values);
    stoa_buf_init(&out, arena, 64);
    put_fields(&out, STOA_FIELDS(stoa_f("one", stoa_j(tree())), stoa_f("two", stoa_z("2"))));
    every_cut_is_seen(read_fields);
}

/* ---- Rows ---- */

static struct stoa_rows *some_rows(void)
{
    struct stoa_rows *rows = rows_create(arena, 2, (const char *const[]){"id", "name"}, 2, 7);

    rows_set(rows, 0, 0, STOA_STR("1"), false);
    rows_set(rows, 0, 1, STOA_STR("Ann"), false);
    rows_set(rows, 1, 0, STOA_STR(""), false);
    rows_set(rows, 1, 1, (stoa_str){0}, true);
    return rows;
}

Test(codec, rows_come_back_with_their_nulls)
{
    const struct stoa_rows *got;
    struct decoder in;

    put_rows(&out, some_rows());
    in = written();
    got = get_rows(&in);
    cr_assert(is_whole(&in));
    cr_assert_eq(stoa_rows_count(got), 2);
    cr_assert_eq(stoa_rows_affected(got), 7);
    cr_assert(stoa_str_is(stoa_rows_str(got, 0, "name"), "Ann"));
    cr_assert(!stoa_rows_is_null(got, 1, "id") && stoa_rows_is_null(got, 1, "name"));
}

Test(codec, no_rows_come_back_as_none)
{
    struct decoder in;

    put_rows(&out, NULL);
    in = written();
    cr_assert_eq(stoa_rows_count(get_rows(&in)), 0);
    cr_assert(is_whole(&in));
}

static void read_rows(struct decoder *in)
{
    get_rows(in);
}

Test(codec, rows_cut_anywhere_are_broken)
{
    put_rows(&out, some_rows());
    every_cut_is_seen(read_rows);
}

/* ---- Requests and replies ---- */

static struct stoa_req *some_request(void)
{
    static const char *const names[] = {"slug", "line"};
    static struct request_header headers[] = {{STOA_STR("accept"), STOA_STR("text/html")}};
    static struct stoa_event event = {STOA_STR("evt_1"), STOA_STR("order.paid"), STOA_STR("ord_1"),
                                      5, 2};
    static struct journal journal = {.state = JOURNAL_RESUMED, .resource_id = STOA_STR("ord_1")};
    struct stoa_req *req = stoa_new(arena, struct stoa_req);

    *req = (struct stoa_req){
        .method = STOA_PATCH,
        .is_https = true,
        .method_text = STOA_STR("PATCH"),
        .path = STOA_STR("/a/b"),
        .query = STOA_STR("x=1"),
        .host = STOA_STR("shop"),
        .body = STOA_STR("{}"),
        .client = STOA_STR("192.0.2.7"),
        .headers = headers,
        .header_count = 1,
        .param_names = names,
        .params = {STOA_STR("mug"), STOA_STR("7")},
        .param_count = 2,
        .route_path = "/a/{slug}",
        .plugin_name = "toy",
        .deadline_ms = 99,
        .loop = 3,
        .json = tree(),
        .event = &event,
        .journal = &journal,
        .identity = {STOA_WHO_STAFF, 0, STOA_STR("usr_1"), STOA_STR("s"), STOA_STR("a:b c:d")}};
    trace_start((stoa_str){0}, &req->trace);
    memcpy(req->id, req->trace.trace_id, sizeof(req->id));
    return req;
}

static void same_request(const struct stoa_req *a, struct stoa_req *b)
{
    cr_assert_eq(b->method, a->method);
    cr_assert(b->is_https && b->loop == 3 && b->deadline_ms == 99);
    cr_assert(stoa_str_eq(b->path, a->path) && stoa_str_eq(b->query, a->query));
    cr_assert(stoa_str_eq(b->host, a->host) && stoa_str_eq(b->body, a->body));
    cr_assert(stoa_str_is(stoa_req_header(b, "accept"), "text/html"));
    cr_assert(stoa_str_is(stoa_req_param(b, "line"), "7"));
    cr_assert(stoa_may(b, "c:d") && stoa_str_is(b->identity.user_id, "usr_1"));
    cr_assert(stoa_str_eq(format(a->json), format(stoa_req_json(b))));
    cr_assert_str_eq(b->id, a->id);
    cr_assert_str_eq(b->plugin_name, "toy");
    cr_assert_eq(memcmp(&a->trace, &b->trace, sizeof(a->trace)), 0);
}

Test(codec, a_request_comes_back)
{
    struct stoa_req *given = some_request(), *got;
    struct decoder in;

    put_request(&out, given);
    in = written();
    got = get_request(&in);
    cr_assert(is_whole(&in));
    same_request(given, got);
    cr_assert(stoa_str_is(stoa_req_event(got)->aggregate, "ord_1"));
    cr_assert_eq(stoa_req_event(got)->attempt, 2);
    cr_assert_eq(stoa_once(got).state, STOA_ONCE_RESUME);
    cr_assert(stoa_str_is(stoa_once(got).id, "ord_1"));
}

static void read_request(struct decoder *in)
{
    get_request(in);
}

Test(codec, a_request_cut_anywhere_is_broken)
{
    put_request(&out, some_request());
    every_cut_is_seen(read_request);
}

static struct request_reply some_reply(void)
{
    return (struct request_reply){.status = 409,
                                  .is_problem = true,
                                  .type = "application/problem+json",
                                  .json = tree(),
                                  .headers = {{STOA_STR("x-a"), STOA_STR("1")}},
                                  .header_count = 1};
}

Test(codec, a_reply_comes_back)
{
    struct request_reply given = some_reply(), got;
    struct decoder in;

    put_reply(&out, &given);
    in = written();
    get_reply(&in, &got);
    cr_assert(is_whole(&in));
    cr_assert(got.status == 409 && got.is_problem);
    cr_assert_str_eq(got.type, given.type);
    cr_assert_eq(got.header_count, 1);
    cr_assert(stoa_str_is(got.headers[0].value, "1"));
    cr_assert(stoa_str_eq(format(got.json), format(given.json)));
    cr_assert_null(got.body.ptr);
}

static void read_reply(struct decoder *in)
{
    struct request_reply reply;

    get_reply(in, &reply);
}

Test(codec, a_reply_cut_anywhere_is_broken)
{
    struct request_reply reply = some_reply();

    put_reply(&out, &reply);
    every_cut_is_seen(read_reply);
}

/* ---- Forged ---- */

Test(codec, a_status_that_is_none_is_broken)
{
    struct request_reply reply = some_reply(), got;
    struct decoder in;

    reply.status = 99;
    put_reply(&out, &reply);
    in = written();
    get_reply(&in, &got);
    cr_assert(in.broken);
}

Test(codec, an_unknown_kind_is_broken)
{
    struct decoder in;

    put_u32(&out, 6);
    put_i64(&out, 0);
    in = written();
    get_value(&in);
    cr_assert(in.broken);
}

Test(codec, a_currency_that_is_none_is_broken)
{
    static const char *const wrong[] = {"EU", "eur", "EURO"};

    for (uint32_t i = 0; i < 3; i++) {
        struct decoder in;
        stoa_buf_init(&out, arena, 64);
        put_u32(&out, STOA_V_MONEY);
        put_i64(&out, 1);
        put_str(&out, stoa_str_of(wrong[i]));
        in = written();
        get_value(&in);
        cr_assert(in.broken, "%s", wrong[i]);
    }
}

Test(codec, json_that_is_none_is_broken)
{
    struct decoder in;

    put_str(&out, STOA_STR("{\"a\":"));
    in = written();
    cr_assert_null(get_json(&in));
    cr_assert(in.broken);
}

Test(codec, a_forged_count_takes_no_memory)
{
    void (*const readers[])(struct decoder *) = {read_values, read_fields, read_rows};

    for (uint32_t count = 0; count < 3; count++) {
        stoa_buf_init(&out, arena, 64);
        for (uint32_t i = 0; i < 8; i++)
            put_u32(&out, count == 2 ? 0x7fffffff : UINT32_MAX - count);
        for (uint32_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
            struct stoa_arena *own = stoa_arena_create();
            struct decoder in = {.arena = own, .rest = stoa_buf_str(&out)};
            readers[i](&in);
            cr_assert(in.broken);
            cr_assert_lt(stoa_arena_used(own), 4096);
            stoa_arena_destroy(own);
        }
    }
}

Test(codec, more_headers_than_a_reply_has_are_broken)
{
    struct request_reply got;
    struct decoder in;

    put_u32(&out, 200);
    put_u32(&out, 0);
    put_str(&out, STOA_STR("text/plain"));
    put_str(&out, STOA_STR("x"));
    put_json(&out, NULL);
    put_u32(&out, REQUEST_REPLY_HEADERS_MAX + 1);
    for (uint32_t i = 0; i < 2 * (REQUEST_REPLY_HEADERS_MAX + 1); i++)
        put_str(&out, STOA_STR("x"));
    in = written();
    get_reply(&in, &got);
    cr_assert(in.broken);
    cr_assert_eq(got.header_count, 0);
}

Test(codec, a_trace_without_an_end_is_broken)
{
    struct stoa_req *req = some_request();
    struct decoder in;

    memset(req->trace.span_id, 'a', sizeof(req->trace.span_id));
    put_request(&out, req);
    in = written();
    get_request(&in);
    cr_assert(in.broken);
}
