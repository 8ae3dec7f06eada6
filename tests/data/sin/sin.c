/* tests/data/sin/sin.c: what an attacker does, or a bug: each route one sin. Where preflight
 * forbids libc's functions, it makes the system call itself. x86-64 only. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stoa/stoa.h>

STOA_MANIFEST("sin", "1.0.0", "sql cache call:product");

/* Numbers of system calls on x86-64. */
enum {
    CALL_MMAP = 9,
    CALL_DUP = 32,
    CALL_GETPPID = 110,
    CALL_SOCKET = 41,
    CALL_FORK = 57,
    CALL_EXECVE = 59,
    CALL_EXIT_GROUP = 231,
    CALL_KILL = 62,
    CALL_OPENAT = 257,
    CALL_WRITE = 1,
    AT_CWD = -100,
};

static long call6(long number, long a, long b, long c, const long rest[3])
{
    register long d __asm__("r10") = rest[0];
    register long e __asm__("r8") = rest[1];
    register long f __asm__("r9") = rest[2];
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(d), "r"(e), "r"(f)
                     : "rcx", "r11", "memory");
    return ret;
}

static long call(long number, long a, long b, long c)
{
    static const long none[3];

    return call6(number, a, b, c, none);
}

static stoa_err say(struct stoa_req *req, int64_t result)
{
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("result", stoa_i(result))));
}

/* What a visitor proves himself with, and what takes its place. */
static stoa_err steal(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_reply_header(req, "set-cookie", stoa_req_query(req, "cookie")));
    return stoa_reply_fields(
        req, 200,
        STOA_FIELDS(stoa_f("cookie", stoa_s(stoa_req_header(req, "cookie"))),
                    stoa_f("authorization", stoa_s(stoa_req_header(req, "authorization")))));
}

/* ---- Dying ---- */

static void die(void)
{
    volatile int *volatile nowhere = NULL;

    *nowhere = 1; /* NOLINT: the sin */
}

static stoa_err null_write(struct stoa_req *req, void *self)
{
    die();
    return say(req, 0);
}

static stoa_err fail_assert(struct stoa_req *req, void *self)
{
    stoa_assert(!"the plugin's own");
    return say(req, 0);
}

static int deeper(volatile char *above, int depth)
{
    volatile char here[512];

    here[0] = above[0];
    return depth == 0 ? here[0] : deeper(here, depth - 1) + here[0];
}

static stoa_err overflow(struct stoa_req *req, void *self)
{
    volatile char here[1] = {1};

    return say(req, deeper(here, 100000000));
}

static stoa_err loop(struct stoa_req *req, void *self)
{
    for (volatile uint64_t i = 0;; i++)
        ;
    return say(req, 0);
}

/* Half a second and more, as the clock goes by. */
static stoa_err busy(struct stoa_req *req, void *self)
{
    stoa_ms until = stoa_now(req) + 600;

    while (stoa_now(req) < until)
        ;
    return say(req, 0);
}

static stoa_err end_process(struct stoa_req *req, void *self)
{
    return say(req, call(CALL_EXIT_GROUP, 0, 0, 0));
}

/* Through the arena, whose takes never fail. */
static stoa_err memory(struct stoa_req *req, void *self)
{
    for (int i = 0; i < 2048; i++)
        memset(stoa_arena_take(stoa_req_arena(req), 1 << 20), 1, 1 << 20);
    return say(req, 2048);
}

/* Through the kernel, mapping by mapping: how many MiB it got. */
static stoa_err map_memory(struct stoa_req *req, void *self)
{
    static const long anonymous[3] = {0x22, -1, 0};
    int64_t got = 0;

    while (got < 2048) {
        long at = call6(CALL_MMAP, 0, 1 << 20, 3, anonymous);
        if (at < 0 && at > -4096)
            break;
        *(volatile char *)at = 1; /* NOLINT: its own page */
        got++;
    }
    return say(req, got);
}

/* ---- Breaking out ---- */

static stoa_err leak_files(struct stoa_req *req, void *self)
{
    int64_t got = 0;

    while (got < 100000 && call(CALL_DUP, 2, 0, 0) >= 0)
        got++;
    return say(req, got);
}

static stoa_err fork_bomb(struct stoa_req *req, void *self)
{
    long pid = 0;

    for (int i = 0; i < 1000; i++) {
        pid = call(CALL_FORK, 0, 0, 0);
        if (pid == 0)
            call(CALL_EXIT_GROUP, 0, 0, 0);
    }
    return say(req, pid);
}

static stoa_err read_file(struct stoa_req *req, void *self)
{
    return say(req, call(CALL_OPENAT, AT_CWD, (long)"/etc/passwd", 0));
}

static stoa_err connect_out(struct stoa_req *req, void *self)
{
    return say(req, call(CALL_SOCKET, 2, 1, 0));
}

static stoa_err kill_host(struct stoa_req *req, void *self)
{
    long host = call(CALL_GETPPID, 0, 0, 0);

    return say(req, call(CALL_KILL, host > 0 ? host : 1, 9, 0));
}

static stoa_err execute(struct stoa_req *req, void *self)
{
    return say(req, call(CALL_EXECVE, (long)"/bin/true", 0, 0));
}

static stoa_err map_code(struct stoa_req *req, void *self)
{
    static const long anonymous[3] = {0x22, -1, 0};

    return say(req, call6(CALL_MMAP, 0, 4096, 7, anonymous));
}

/* Nonsense into every descriptor it has: the host's ends of these sockets read it. */
static stoa_err write_garbage(struct stoa_req *req, void *self)
{
    static const char garbage[256] = "\xff\xff\xff\x7fgarbage";

    for (int fd = 3; fd < 64; fd++)
        call(CALL_WRITE, fd, (long)garbage, sizeof garbage);
    return say(req, 0);
}

/* Answers that nobody has asked for, on every socket that it has: a frame with each call, so that
 * none is cut. */
static stoa_err flood(struct stoa_req *req, void *self)
{
    enum { PONG = 65, TIMES = 20000 };
    static const uint32_t frame[3] = {0, 0, PONG};

    for (int i = 0; i < TIMES; i++)
        for (int fd = 5; fd < 16; fd++)
            call(CALL_WRITE, fd, (long)frame, sizeof frame);
    STOA_TRY(stoa_sleep(req, 1000));
    return say(req, 0);
}

/* ---- Asking for too much ---- */

static stoa_err call_forbidden(struct stoa_req *req, void *self)
{
    struct stoa_answer answer;
    stoa_err err = stoa_call_get(req, "user", STOA_STR("/api/v1/me"), &answer);

    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("error", stoa_z(stoa_err_name(err)))));
}

static stoa_err call_granted(struct stoa_req *req, void *self)
{
    struct stoa_answer answer;

    STOA_TRY(stoa_call_get(req, "product", STOA_STR("/api/v1/products"), &answer));
    return stoa_reply_answer(req, &answer);
}

/* What only the shop's own plugins ask: somebody's reserved stock goes back on sale. */
static stoa_err call_internal(struct stoa_req *req, void *self)
{
    struct stoa_json *body = stoa_json_object(stoa_req_arena(req));
    struct stoa_answer answer;
    stoa_err err;

    stoa_json_set_str(body, "order_id", stoa_id_new(req, "ord"));
    err = stoa_call_post(req, "product", STOA_STR("/internal/product/release?a=b"), body, &answer);
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("error", stoa_z(stoa_err_name(err)))));
}

/* A job asks for what the staff only may see. */
static stoa_err job_staff(struct stoa_req *req, void *self)
{
    struct stoa_answer answer;
    stoa_err err = stoa_call_get(req, "product", STOA_STR("/api/v1/inventory/none"), &answer);

    stoa_cache_put(req, STOA_STR("job"), stoa_str_of(stoa_err_name(err)), 60000, STOA_STR("sin"));
    return STOA_OK;
}

static stoa_err job_said(struct stoa_req *req, void *self)
{
    stoa_str said;

    STOA_TRY(stoa_cache_get(req, STOA_STR("job"), &said));
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("error", stoa_s(said))));
}

static stoa_err send_mail(struct stoa_req *req, void *self)
{
    const struct stoa_mail mail = {.to = STOA_STR("a@example.com")};
    stoa_err err = stoa_mail_send(req, &mail);

    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("error", stoa_z(stoa_err_name(err)))));
}

static const struct stoa_stmt READ_USERS = {"sin.users", "SELECT id FROM user_account", NULL,
                                            STOA_SQL_READ, 0};
static const struct stoa_stmt PUT = {"sin.put", "INSERT INTO sin_row (id) VALUES ($1)", NULL, 0, 0};
static const struct stoa_stmt COUNT = {"sin.count", "SELECT COUNT(*) AS n FROM sin_row", NULL,
                                       STOA_SQL_READ, 0};

static stoa_err read_users(struct stoa_req *req, void *self)
{
    stoa_err err = stoa_sql(req, &READ_USERS, STOA_NO_ARGS, NULL);

    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("error", stoa_z(stoa_err_name(err)))));
}

static stoa_err ask_too_often(struct stoa_req *req, void *self)
{
    for (int i = 0; i < 1000000; i++)
        STOA_TRY(stoa_sleep(req, 0));
    return say(req, 0);
}

/* ---- Dying once ---- */

static stoa_err once(struct stoa_req *req, void *self)
{
    stoa_str seen;

    if (stoa_cache_get(req, stoa_req_param(req, "n"), &seen) == STOA_OK)
        return say(req, 1);
    stoa_cache_put(req, stoa_req_param(req, "n"), STOA_STR("1"), 60000, STOA_STR("sin"));
    die();
    return say(req, 0);
}

static stoa_err die_in_transaction(struct stoa_req *req, void *self)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_tx_sql(tx, &PUT, STOA_ARGS(stoa_s(stoa_id_new(req, "row"))), NULL));
    die();
    return stoa_tx_commit(tx);
}

static stoa_err count_rows(struct stoa_req *req, void *self)
{
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &COUNT, STOA_NO_ARGS, &rows));
    return say(req, stoa_rows_int(rows, 0, "n"));
}

/* Commits, dies, and is run again: the key finds what was made. */
static stoa_err die_after_commit(struct stoa_req *req, void *self)
{
    struct stoa_once before = stoa_once(req);
    stoa_str id = stoa_id_new(req, "row");
    struct stoa_tx *tx;

    if (before.state == STOA_ONCE_RESUME)
        return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("id", stoa_s(before.id))));
    STOA_TRY(stoa_tx_begin(req, &tx));
    STOA_TRY(stoa_tx_creates(tx, id));
    STOA_TRY(stoa_tx_sql(tx, &PUT, STOA_ARGS(stoa_s(id)), NULL));
    STOA_TRY(stoa_tx_commit(tx));
    die();
    return say(req, 0);
}

static stoa_err innocent(struct stoa_req *req, void *self)
{
    return say(req, 7);
}

static stoa_err slow(struct stoa_req *req, void *self)
{
    STOA_TRY(stoa_sleep(req, 300));
    return say(req, 7);
}

#define SIN(path_, handler_)                                                                       \
    {                                                                                              \
        STOA_GET, .path = "/sin/" path_, .handler = handler_, .permit = STOA_ANYONE                \
    }

STOA_PLUGIN(.routes = STOA_ROUTES(
                SIN("null", null_write), SIN("assert", fail_assert), SIN("overflow", overflow),
                SIN("loop", loop), SIN("exit", end_process), SIN("memory", memory),
                SIN("map", map_memory), SIN("files", leak_files), SIN("fork", fork_bomb),
                SIN("open", read_file), SIN("connect", connect_out), SIN("kill", kill_host),
                SIN("exec", execute), SIN("code", map_code), SIN("garbage", write_garbage),
                SIN("flood", flood), SIN("call", call_forbidden), SIN("internal", call_internal),
                SIN("job", job_said), SIN("product", call_granted), SIN("mail", send_mail),
                SIN("users", read_users), SIN("often", ask_too_often), SIN("once/{n}", once),
                SIN("rows", count_rows), SIN("innocent", innocent), SIN("busy", busy),
                SIN("slow", slow), SIN("steal", steal),
                {STOA_POST, .path = "/sin/null", .handler = null_write, .permit = STOA_ANYONE},
                {STOA_POST, .path = "/sin/tx", .handler = die_in_transaction,
                 .permit = STOA_ANYONE},
                {STOA_POST, .path = "/sin/commit", .handler = die_after_commit,
                 .permit = STOA_ANYONE}),
            .jobs = STOA_JOBS({"staff", job_staff, .every_ms = 1000}));
