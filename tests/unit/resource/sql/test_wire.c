/* PostgreSQL's messages as bytes, without a server: a session is a pair of sockets, and what comes
 * is whatever a test says. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/pg.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct pg_conn conn;
static int server;
static struct stoa_arena *mem;

static void open_wire(void)
{
    char error[SQL_ERROR_MAX];
    int fds[2];

    cr_assert_eq(pg_library_load(error), STOA_OK);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    conn = (struct pg_conn){.watched_fd = fds[0], .wire = pg_wire_create(fds[0])};
    server = fds[1];
    mem = stoa_arena_create();
}

static void close_wire(void)
{
    while (conn.statements.oldest)
        pg_statement_forget(&conn, conn.statements.oldest);
    pg_wire_destroy(conn.wire);
    close(conn.watched_fd);
    close(server);
    stoa_arena_destroy(mem);
}

TestSuite(wire, .init = open_wire, .fini = close_wire);

static struct stoa_rows *rows;

static struct sql_call call_of(const char *owner)
{
    return (struct sql_call){.owner = owner,
                             .name = "t.test",
                             .text = "SELECT $1",
                             .hash = 1,
                             .arena = mem,
                             .ret = &rows};
}

/* Bytes with their NULs. */
#define BYTES(literal)                                                                             \
    (stoa_str)                                                                                     \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static void say(stoa_str bytes)
{
    cr_assert_eq(write(server, bytes.ptr, bytes.len), (ssize_t)bytes.len);
}

static stoa_str heard(void)
{
    static char bytes[4096];
    ssize_t n = read(server, bytes, sizeof(bytes));

    return (stoa_str){bytes, n > 0 ? (uint64_t)n : 0};
}

#define PARSED "1\0\0\0\4"
#define DESCRIBED                                                                                  \
    "t\0\0\0\6\0\0"                                                                                \
    "T\0\0\0\64\0\2id\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0"                              \
    "is_new\0\0\0\0\0\0\0\0\0\0\20\0\1\377\377\377\377\0\0"
#define BOUND "2\0\0\0\4"
#define ROW_7 "D\0\0\0\20\0\2\0\0\0\0017\0\0\0\1t"
#define ROW_NULL "D\0\0\0\17\0\2\377\377\377\377\0\0\0\1f"
#define COMPLETE "C\0\0\0\15SELECT 2\0"
#define READY "Z\0\0\0\5I"
#define FAILED "E\0\0\0\32SERROR\0C22012\0Mno no\0\0"
#define ANSWER PARSED DESCRIBED BOUND ROW_7 ROW_NULL COMPLETE READY

static void ask(const struct sql_call *call, struct pg_reply *reply)
{
    cr_assert(pg_conn_queue(&conn, call, false, reply));
    pg_wire_sync(conn.wire);
    cr_assert_eq(pg_wire_flush(conn.wire), 0);
}

static void check_rows(const struct pg_reply *reply, const struct sql_call *call)
{
    cr_assert(reply->is_complete && !reply->error);
    cr_assert(pg_wire_fits(reply, call));
    cr_assert_eq(pg_wire_rows(reply, call), STOA_OK);
    cr_assert_eq(stoa_rows_count(rows), 2);
    cr_assert_eq(stoa_rows_int(rows, 0, "id"), 7);
    cr_assert_eq(stoa_rows_int(rows, 0, "is_new"), 1);
    cr_assert(stoa_rows_is_null(rows, 1, "id"));
    cr_assert_eq(stoa_rows_int(rows, 1, "is_new"), 0);
}

Test(wire, asks_with_texts)
{
    const struct sql_param params[] = {{.s = STOA_STR("ab")}, {.is_int = true, .i = -5}, {.i = 0}};
    struct sql_call call = call_of(NULL);
    struct pg_reply reply;
    stoa_str expected = BYTES("P\0\0\0\21\0SELECT $1\0\0\0"
                              "D\0\0\0\6S\0"
                              "B\0\0\0\34\0\0\0\0\0\3\0\0\0\2ab\0\0\0\2-5\377\377\377\377\0\0"
                              "E\0\0\0\11\0\0\0\0\0"
                              "S\0\0\0\4");

    call.params = params;
    call.params_count = 3;
    ask(&call, &reply);
    cr_assert(stoa_str_eq(heard(), expected));
    pg_reply_finish(&reply);
}

Test(wire, reads_an_answer_in_any_pieces)
{
    stoa_str all = BYTES(ANSWER);

    for (uint64_t piece = 1; piece <= all.len; piece++) {
        struct sql_call call = call_of(NULL);
        struct pg_reply reply;
        bool ended = false;

        ask(&call, &reply);
        heard();
        for (uint64_t at = 0; at < all.len; at += piece) {
            cr_assert_not(ended);
            say(stoa_str_sub(all, at, piece));
            cr_assert(pg_wire_read(&conn));
            ended = pg_wire_results(&conn, &reply);
        }
        cr_assert(ended && !conn.broken);
        check_rows(&reply, &call);
        pg_reply_finish(&reply);
    }
}

Test(wire, describes_a_statement_once)
{
    struct sql_call call = call_of("t");
    struct pg_reply first, second;

    ask(&call, &first);
    cr_assert_eq(heard().ptr[0], 'P');
    ask(&call, &second);
    cr_assert_eq(heard().ptr[0], 'B');
    say(BYTES(ANSWER BOUND ROW_7 ROW_NULL COMPLETE READY));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &first));
    pg_statement_forget(&conn, conn.statements.newest); /* the answers know their columns */
    cr_assert(pg_wire_results(&conn, &second));
    check_rows(&first, &call);
    check_rows(&second, &call);
    pg_reply_finish(&first);
    pg_reply_finish(&second);
}

static bool is_tried_again(const char *answer, uint64_t len)
{
    struct sql_call call = call_of("t");
    struct pg_reply reply;
    bool again = false;

    ask(&call, &reply);
    heard();
    say((stoa_str){answer, len});
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &reply));
    (void)pg_reply_take(&conn, &reply, &call, &again);
    return again;
}

/* A plan that is too old is told in any language, and never of one that was just made. */
Test(wire, an_old_plan_is_made_anew)
{
    static const char old[] = "E\0\0\0\44SFEHLER\0C0A000\0Mgecachter Plan\0\0" READY;

    cr_assert_not(is_tried_again(old, sizeof(old) - 1));
    cr_assert_not(is_tried_again(ANSWER, sizeof(ANSWER) - 1));
    cr_assert(is_tried_again(old, sizeof(old) - 1));
}

/* A timeout may strike between Parse and Describe: nobody would ever know its columns. */
Test(wire, a_statement_that_was_not_described_is_prepared_anew)
{
    struct sql_call call = call_of("t");
    struct pg_reply reply;
    bool again;

    ask(&call, &reply);
    cr_assert_eq(heard().ptr[0], 'P');
    say(BYTES(PARSED FAILED READY));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &reply));
    cr_assert_neq(pg_reply_take(&conn, &reply, &call, &again), STOA_OK);
    ask(&call, &reply);
    cr_assert_eq(heard().ptr[0], 'P');
    say(BYTES(ANSWER));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &reply));
    check_rows(&reply, &call);
    pg_reply_finish(&reply);
}

Test(wire, who_runs_what_was_not_described_asks_again)
{
    struct sql_call call = call_of("t");
    struct pg_reply first, second;
    bool again;

    ask(&call, &first);
    ask(&call, &second);
    say(BYTES(PARSED FAILED READY BOUND ROW_7 COMPLETE READY));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &first));
    cr_assert(pg_wire_results(&conn, &second));
    cr_assert_neq(pg_reply_take(&conn, &first, &call, &again), STOA_OK);
    cr_assert_not(again);
    cr_assert_neq(pg_reply_take(&conn, &second, &call, &again), STOA_OK);
    cr_assert(again);
    cr_assert_null(conn.statements.newest);
}

Test(wire, an_error_ends_all_that_share_its_sync_and_no_other)
{
    struct sql_call call = call_of(NULL);
    struct pg_reply replies[3], end = {.shares_sync = false};

    for (int i = 0; i < 2; i++) {
        cr_assert(pg_conn_queue(&conn, &call, false, &replies[i]));
        replies[i].shares_sync = true;
    }
    pg_wire_sync(conn.wire);
    ask(&call, &replies[2]);
    say(BYTES(FAILED READY ANSWER));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &replies[0]));
    cr_assert(pg_wire_results(&conn, &replies[1]));
    cr_assert(pg_wire_results(&conn, &end));
    cr_assert(pg_wire_results(&conn, &replies[2]));
    cr_assert_str_eq(replies[0].error->state, "22012");
    cr_assert_str_eq(replies[0].error->words, "no no");
    cr_assert(!replies[0].is_aborted && replies[1].is_aborted && !replies[1].error);
    check_rows(&replies[2], &call);
    for (int i = 0; i < 3; i++)
        pg_reply_finish(&replies[i]);
}

Test(wire, what_nobody_waits_for_is_dropped_or_ends_it)
{
    say(BYTES("N\0\0\0\5\0S\0\0\0\10a\0b\0A\0\0\0\13\0\0\0\1c\0\0"));
    cr_assert(pg_wire_read(&conn));
    pg_wire_idle(&conn);
    cr_assert_not(conn.broken);
    say(BYTES(FAILED));
    cr_assert(pg_wire_read(&conn));
    pg_wire_idle(&conn);
    cr_assert(conn.broken);
}

static void check_broken(stoa_str bytes, bool overflowed)
{
    struct sql_call call = call_of(NULL);
    struct pg_reply reply;

    conn.broken = false;
    ask(&call, &reply);
    say(bytes);
    cr_assert(pg_wire_read(&conn));
    cr_assert_not(pg_wire_results(&conn, &reply));
    cr_assert(conn.broken);
    cr_assert_eq(pg_conn_overflowed(&conn), overflowed);
    pg_reply_finish(&reply);
}

Test(wire, gives_up_on_what_no_server_says)
{
    check_broken(BYTES("D\0\0\0\3"), false);
}

Test(wire, gives_up_on_unknown_messages)
{
    check_broken(BYTES("G\0\0\0\7\0\0\0"), false);
}

Test(wire, gives_up_on_more_than_a_result_may_hold)
{
    check_broken(BYTES("D\177\377\377\377"), true);
}

Test(wire, keeps_its_buffers_small_however_many_answers_come)
{
    struct sql_call call = call_of("t");
    struct pg_reply reply;
    size_t before = pg_wire_size(conn.wire);

    ask(&call, &reply);
    say(BYTES(ANSWER BOUND)); /* part of the next one is always there */
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &reply));
    pg_reply_finish(&reply);
    for (int i = 0; i < 1000; i++) {
        ask(&call, &reply);
        heard();
        say(BYTES(ROW_7 ROW_NULL COMPLETE READY BOUND));
        cr_assert(pg_wire_read(&conn));
        cr_assert(pg_wire_results(&conn, &reply));
        check_rows(&reply, &call);
        pg_reply_finish(&reply);
    }
    cr_assert_eq(pg_wire_size(conn.wire), before);
}

Test(wire, notices_its_end)
{
    close(server);
    cr_assert_not(pg_wire_read(&conn));
    server = -1;
}

Test(wire, a_row_that_was_not_described_is_none)
{
    struct sql_call call = call_of(NULL);
    struct pg_reply reply;

    ask(&call, &reply);
    say(BYTES(PARSED DESCRIBED BOUND "D\0\0\0\13\0\1\0\0\0\0017" COMPLETE READY));
    cr_assert(pg_wire_read(&conn));
    cr_assert(pg_wire_results(&conn, &reply));
    cr_assert_neq(pg_wire_fits(&reply, &call) ? pg_wire_rows(&reply, &call) : STOA_E_TOO_LARGE,
                  STOA_OK);
    pg_reply_finish(&reply);
}

/* What plugins see of rows, to the last byte. */
static uint64_t touch_rows(void)
{
    uint64_t sum = 0;

    for (uint32_t row = 0; row < stoa_rows_count(rows); row++)
        for (uint32_t column = 0; column < rows_columns(rows); column++) {
            stoa_str cell = rows_cell(rows, row, column);
            for (uint64_t i = 0; i < cell.len; i++)
                sum += (uint8_t)cell.ptr[i];
            sum += strlen(rows_column_name(rows, column));
        }
    return sum;
}

/* With one byte changed an answer may be any other, or none; it reaches past no end. */
static uint64_t read_changed(uint64_t at, char to)
{
    char bytes[] = ANSWER;
    struct sql_call call;
    struct pg_reply reply;
    uint64_t sum = 0;

    bytes[at] = to;
    close_wire();
    open_wire();
    call = call_of(NULL);
    ask(&call, &reply);
    say((stoa_str){bytes, sizeof(bytes) - 1});
    cr_assert(pg_wire_read(&conn));
    if (pg_wire_results(&conn, &reply) && reply.is_complete && pg_wire_fits(&reply, &call) &&
        pg_wire_rows(&reply, &call) == STOA_OK)
        sum = touch_rows();
    pg_reply_finish(&reply);
    return sum;
}

Test(wire, trusts_no_number)
{
    static const char others[] = {0, 1, 2, 5, 'D', 'T', 0x7f, -128, -1};
    uint64_t sum = 0;

    for (uint64_t at = 0; at < sizeof(ANSWER) - 1; at++)
        for (size_t i = 0; i < sizeof(others); i++)
            sum += read_changed(at, others[i]);
    cr_assert_gt(sum, 0);
}
