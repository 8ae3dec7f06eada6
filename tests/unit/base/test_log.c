/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "base/log_line.h"
#include "base/metrics.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <stoa/time.h>
#include <unistd.h>

static struct stoa_arena *arena;
static int reader, writer;
static char got[1 << 20];

static void start(void)
{
    int ends[2];

    arena = stoa_arena_create();
    cr_assert_eq(pipe(ends), 0);
    reader = ends[0];
    writer = ends[1];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    log_init(writer, LOG_JSON, STOA_INFO);
}

static void end(void)
{
    stoa_arena_destroy(arena);
    close(reader);
    close(writer);
}
TestSuite(log, .init = start, .fini = end);

/* What the pipe has, behind the first bytes of got. */
static size_t drain_behind(size_t all)
{
    ssize_t n;

    while (all < sizeof(got) - 1 && (n = read(reader, got + all, sizeof(got) - 1 - all)) > 0)
        all += (size_t)n;
    got[all] = '\0';
    return all;
}

static size_t drain(void)
{
    return drain_behind(0);
}

/* The one line that was written, as JSON. */
static const struct stoa_json *line(void)
{
    const struct stoa_json *json = NULL;
    struct stoa_json_error error;
    size_t len = drain();

    cr_assert(len > 0 && got[len - 1] == '\n' && strchr(got, '\n') == got + len - 1, "%s", got);
    cr_assert_eq(stoa_json_parse(arena, (stoa_str){got, len}, &error, &json), STOA_OK, "%s: %s",
                 got, error.reason);
    return json;
}

Test(log, writes_an_event_as_one_json_object)
{
    struct stoa_json *tree = stoa_json_array(arena);
    stoa_json_push(tree, stoa_json_new_int(arena, 1));
    log_warn("sql", "slow \"query\"\n", stoa_f("ms", stoa_i(-7)), stoa_f("ok", stoa_b(true)),
             stoa_f("text", stoa_z("a<b\x1b[0m")), stoa_f("none", stoa_null()),
             stoa_f("price", stoa_m(stoa_money_of(450, "EUR"))), stoa_f("tree", stoa_j(tree)));
    const struct stoa_json *json = line();
    stoa_money price;
    stoa_ms t;

    cr_assert(stoa_str_is(stoa_json_str(json, "level"), "warn"));
    cr_assert(stoa_str_is(stoa_json_str(json, "area"), "sql"));
    cr_assert(stoa_str_is(stoa_json_str(json, "message"), "slow \"query\"\n"));
    cr_assert_eq(stoa_json_int(json, "ms", 0), -7);
    cr_assert(stoa_json_true(json, "ok"));
    cr_assert(stoa_str_is(stoa_json_str(json, "text"), "a<b\x1b[0m"));
    cr_assert_eq(stoa_json_type(stoa_json_get(json, "none")), STOA_JSON_NULL);
    cr_assert_eq(stoa_json_money(json, "price", &price), STOA_OK);
    cr_assert_eq(stoa_json_int(json, "tree.0", 0), 1);
    cr_assert_eq(stoa_time_parse(stoa_json_str(json, "time"), &t), STOA_OK);
    cr_assert_leq(clock_utc_ms() - t, 60000);
}

Test(log, leaves_out_what_is_below_its_level)
{
    log_put(STOA_DEBUG, "x", "not this", STOA_NO_FIELDS);
    cr_assert_eq(drain(), 0);
    cr_assert_not(log_enabled(STOA_DEBUG));
    log_init(writer, LOG_JSON, STOA_ERROR);
    log_warn("x", "nor this", stoa_f("a", stoa_i(1)));
    log_access(&(struct log_access){.status = 200});
    log_flush();
    cr_assert_eq(drain(), 0);
    log_error("x", "but this", stoa_f("a", stoa_i(1)));
    cr_assert_gt(drain(), 0);
}

static struct log_access entry(void)
{
    return (struct log_access){.method = STOA_STR("GET"),
                               .path = STOA_STR("/p/\"x\"\n"),
                               .route = STOA_STR("/p/{id}"),
                               .plugin = STOA_STR("product"),
                               .client = STOA_STR("127.0.0.1"),
                               .request_id = "78e5875f96f8541b0000000000000001",
                               .trace_id = "4bf92f3577b34da6a3ce929d0e0e4736",
                               .user_id = STOA_STR("usr_1"),
                               .status = 200,
                               .loop = 1,
                               .bytes = 12,
                               .duration_us = 345};
}

Test(log, writes_a_request_when_it_is_flushed)
{
    struct log_access one = entry();

    log_access(&one);
    cr_assert_eq(drain(), 0);
    log_flush();
    const struct stoa_json *json = line();
    cr_assert(stoa_str_is(stoa_json_str(json, "path"), "/p/\"x\"\n"));
    cr_assert(stoa_str_is(stoa_json_str(json, "route"), "/p/{id}"));
    cr_assert(stoa_str_is(stoa_json_str(json, "user_id"), "usr_1"));
    cr_assert(stoa_str_is(stoa_json_str(json, "request_id"), one.request_id));
    cr_assert(stoa_str_is(stoa_json_str(json, "trace_id"), one.trace_id));
    cr_assert_eq(stoa_json_int(json, "status", 0), 200);
    cr_assert_eq(stoa_json_int(json, "bytes", 0), 12);
    cr_assert_eq(stoa_json_int(json, "duration_us", 0), 345);
    cr_assert_eq(stoa_json_int(json, "loop", 0), 1);
    log_flush();
    cr_assert_eq(drain(), 0, "once");
}

Test(log, tells_when_a_request_ended)
{
    struct log_access one = entry();
    stoa_ms time;

    one.ended_us = clock_monotonic_us() - 3600000000;
    log_access(&one);
    log_flush();
    cr_assert_eq(stoa_time_parse(stoa_json_str(line(), "time"), &time), STOA_OK);
    cr_assert_leq(labs(time + 3600000 - clock_utc_ms()), 60000);
}

Test(log, leaves_the_query_out_whoever_gave_it)
{
    struct log_access one = entry();
    char text[LOG_LINE_MAX];

    one.path = STOA_STR("/orders/S-1?token=secret&x=?");
    log_access(&one);
    log_flush();
    cr_assert(stoa_str_is(stoa_json_str(line(), "path"), "/orders/S-1"));
    text[log_line_access_text(text, &one, false)] = 0;
    cr_assert_not_null(strstr(text, "/orders/S-1 "), "%s", text);
    cr_assert_null(strstr(text, "secret"), "%s", text);
}

Test(log, keeps_the_order_of_requests_and_events)
{
    struct log_access one = entry();

    log_access(&one);
    log_info("x", "after", stoa_f("a", stoa_i(1)));
    drain();
    cr_assert(strstr(got, "\"request\"") < strstr(got, "\"after\""));
}

/* The longest that each part can be, of the bytes that grow most. */
Test(log, cuts_what_a_client_made_long)
{
    static char longer[20000];
    memset(longer, '\1', sizeof(longer));
    stoa_str s = {longer, sizeof(longer)};
    const char *id = entry().trace_id;
    struct log_access one = {s,  s,         s,          s,         s,         s, id,
                             id, INT32_MIN, UINT32_MAX, INT64_MIN, INT64_MIN, 0};

    log_access(&one);
    log_flush();
    cr_assert_eq(stoa_json_str(line(), "path").len, 512);
    cr_assert_leq(strlen(got), LOG_LINE_MAX);
    for (size_t len = 0; len < sizeof(longer); len += 97) {
        stoa_str part = {longer, len};
        log_info("x", "long", stoa_f("a", stoa_s(part)), stoa_f("b", stoa_i(1)),
                 stoa_f("c", stoa_s(part)), stoa_f("d", stoa_i(2)));
        line();
        cr_assert_leq(strlen(got), LOG_LINE_MAX);
        stoa_arena_reset(arena);
    }
}

Test(log, cuts_between_characters)
{
    char text[2000];

    for (uint32_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "\xc3\xa9", 2);
    for (uint64_t max = 0; max < 20; max++)
        cr_assert(stoa_str_is_utf8(log_line_cut((stoa_str){text, sizeof(text)}, max)));
    cr_assert_eq(log_line_cut(STOA_STR("abc"), 2).len, 2);
}

Test(log, is_readable_text_when_told_and_cannot_steer_a_terminal)
{
    struct log_access one = entry();
    one.path = STOA_STR("/\x1b[31mred\r\n\x7f\xc2\x9b\xff \xc3\xa9&");

    log_init(writer, LOG_TEXT, STOA_INFO);
    log_access(&one);
    log_error("sql", "gone\n", stoa_f("host", stoa_z("db\x1b")), stoa_f("n", stoa_i(3)));
    drain();
    cr_assert(strstr(got, " 200 GET /\\x1b[31mred\\x0d\\x0a\\x7f\\xc2\\x9b\\xff \xc3\xa9& 0.3 ms "
                          "product\n"),
              "%s", got);
    cr_assert(strstr(got, " error sql: gone\\x0a host=db\\x1b n=3\n"), "%s", got);
    cr_assert_null(strchr(got, '\x1b'));
}

Test(log, loses_lines_rather_than_time_and_says_how_many)
{
    struct log_access one = entry();
    int64_t written = 3000, arrived = 0;

    for (int64_t i = 0; i < written; i++) {
        log_access(&one);
        if (i % 50 == 0)
            log_flush();
    }
    int64_t lost = metric_value(METRIC_log_lines_lost_total);
    cr_assert_gt(lost, 0);
    size_t len = drain();
    for (uint32_t round = 0; round < 4;
         round++) { /* a pipe takes a part of a line, then the rest */
        log_flush();
        len = drain_behind(len);
    }
    stoa_str rest = {got, len};
    while (rest.len) {
        const struct stoa_json *json;
        stoa_str text = stoa_str_cut(&rest, '\n');
        cr_assert_eq(stoa_json_parse(arena, text, NULL, &json), STOA_OK, "%.*s", (int)text.len,
                     text.ptr);
        arrived += stoa_json_int(json, "status", 0) == 200;
        cr_assert(stoa_json_int(json, "count", lost) == lost);
        stoa_arena_reset(arena);
    }
    cr_assert_eq(arrived + lost, written);
    cr_assert_eq(metric_value(METRIC_log_lines_lost_total), lost);
}

Test(log, tells_the_reader_what_it_missed)
{
    struct log_access one = entry();

    for (uint32_t i = 0; i < 3000; i++)
        log_access(&one);
    drain();
    log_flush();
    drain();
    cr_assert_not_null(strstr(got, "lines were lost"), "%s", got);
}

static void *log_one(void *arg)
{
    struct log_access one = entry();
    log_access(&one);
    return arg;
}

Test(log, writes_what_a_thread_gathered_when_it_ends)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, log_one, NULL), 0);
    pthread_join(thread, NULL);
    line();
}

Test(log, reopens_its_file)
{
    char dir[] = "/tmp/stoa-test-XXXXXX", path[64], moved[64], file[LOG_FILE_MAX];

    cr_assert_not_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/log", dir);
    snprintf(moved, sizeof(moved), "%s/log.1", dir);
    cr_assert_eq(log_configure("", "json", "info"), STOA_OK);
    cr_assert_eq(log_reopen(file), STOA_OK);
    cr_assert_str_eq(file, "");
    cr_assert_eq(log_configure(path, "json", "info"), STOA_OK);
    log_info("x", "first", stoa_f("a", stoa_i(1)));
    cr_assert_eq(rename(path, moved), 0);
    log_info("x", "still first", stoa_f("a", stoa_i(1)));
    cr_assert_eq(log_reopen(file), STOA_OK);
    cr_assert_str_eq(file, path);
    log_info("x", "second", stoa_f("a", stoa_i(1)));
    cr_assert_eq(log_configure(dir, "json", "warn"), STOA_E_CONFIG);
    log_warn("x", "where it was", stoa_f("a", stoa_i(1)));
    cr_assert_eq(log_reopen(file), STOA_E_CONFIG);
    cr_assert_str_eq(file, dir);
    int fd = open(path, O_RDONLY);
    got[read(fd, got, 1000)] = '\0';
    cr_assert(strstr(got, "second") && strstr(got, "where it was") && !strstr(got, "first"));
    unlink(path);
    unlink(moved);
    rmdir(dir);
}
