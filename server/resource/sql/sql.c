/* The face of the resource: checks a call once for all databases, counts and times it, and hands it
 * to the driver. SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/metrics.h"
#include "fiber/fiber.h"
#include "resource/sql/driver.h"
#include "resource/sql/words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { OFF_FIBER_MS = 60000 }; /* patience of the command line */

static _Thread_local char last_error[SQL_ERROR_MAX];
static _Thread_local uint64_t statements_run;

void sql_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(last_error, sizeof(last_error), format, args);
    va_end(args);
}

const char *sql_last_error(void)
{
    return last_error;
}

uint64_t sql_statements_on_this_thread(void)
{
    return statements_run;
}

int64_t sql_deadline(void)
{
    return fiber_self() ? fiber_deadline() : clock_monotonic_ms() + OFF_FIBER_MS;
}

bool sql_owns(const char *owner, stoa_str table)
{
    uint64_t len;

    if (strcmp(owner, "host") == 0)
        owner = "stoa";
    len = strlen(owner);
    if (table.len <= len || table.ptr[len] != '_')
        return false;
    for (uint64_t i = 0; i < len; i++)
        if (table.ptr[i] != (owner[i] == '-' ? '_' : owner[i]))
            return false;
    return true;
}

stoa_err sql_open(const struct sql_options *options, struct diag *diag, struct sql **ret)
{
    const struct sql_driver *driver = options->postgresql ? &postgresql_driver : &sqlite_driver;
    struct sql *sql;

    if (!options->postgresql == !options->sqlite) {
        diag_set(diag, "", 0, 0, "resource %s needs a file (SQLite) or a URL (PostgreSQL)",
                 options->name);
        return STOA_E_CONFIG;
    }
    STOA_TRY(driver->open(options, diag, &sql));
    sql->driver = driver;
    sql->pool = options->pool;
    snprintf(sql->name, sizeof(sql->name), "%s", options->name ? options->name : "sql");
    seen_init(&sql->seen);
    *ret = sql;
    return STOA_OK;
}

void sql_close(struct sql *sql)
{
    if (!sql)
        return;
    sql->driver->close(sql);
    seen_finish(&sql->seen);
    free(sql);
}

void sql_rest(struct sql *sql)
{
    if (sql->driver->rest)
        sql->driver->rest(sql);
}

const char *sql_name(const struct sql *sql)
{
    return sql->name;
}

bool sql_is_postgresql(const struct sql *sql)
{
    return sql->driver->is_postgresql;
}

/* Text with a NUL inside would be cut short by one database and kept by the other; what is not
 * UTF-8 is refused by one and kept by the other. Both are nobody's text. */
static stoa_err param_text(const struct sql_call *call, uint32_t i, stoa_str s,
                           struct sql_param *ret)
{
    if ((s.len && memchr(s.ptr, 0, s.len)) || !stoa_str_is_utf8(s) || s.len > ROWS_BYTES_MAX) {
        sql_error("%s: $%u is no text (NUL inside, not UTF-8, or above 8 MiB)", call->name, i + 1);
        return STOA_E_INVALID;
    }
    ret->s = s.ptr ? s : STOA_STR("");
    return STOA_OK;
}

static stoa_err param_from(const struct sql_call *call, uint32_t i, const stoa_value *value,
                           struct sql_param *ret)
{
    struct stoa_buf buf;

    *ret = (struct sql_param){0};
    switch ((stoa_kind)value->kind) {
    case STOA_V_NULL:
        return STOA_OK;
    case STOA_V_BOOL:
    case STOA_V_INT:
        *ret = (struct sql_param){.is_int = true, .i = value->i};
        return STOA_OK;
    case STOA_V_STR:
        return param_text(call, i, value->s, ret);
    case STOA_V_MONEY:
        *ret = (struct sql_param){.is_int = true, .i = value->m.minor};
        return STOA_OK;
    case STOA_V_JSON:
        if (!value->j)
            return STOA_OK;
        stoa_assert(call->arena);
        stoa_buf_init(&buf, call->arena, 256);
        stoa_json_format(value->j, &buf);
        return param_text(call, i, stoa_buf_str(&buf), ret);
    }
    sql_error("%s: $%u has an unknown kind %u", call->name, i + 1, value->kind);
    return STOA_E_INTERNAL;
}

/* The first time a statement is seen on this resource: may this owner run it at all? */
static stoa_err call_check_new(struct sql *sql, struct sql_call *call)
{
    struct stoa_arena *arena = stoa_arena_create();
    struct words *words = stoa_new(arena, struct words);
    const struct seen like = {.hash = call->hash,
                              .owner = (char *)call->owner,
                              .name = (char *)call->name,
                              .text = (char *)call->text,
                              .flags = call->flags};
    stoa_err err = STOA_OK;

    words_read(arena, call->text,
               (call->flags & STOA_SQL_READ ? WORDS_READ_ONLY : 0) |
                   (strcmp(call->owner, "host") == 0 ? WORDS_HOST : 0),
               words);
    if (words->refused[0]) {
        sql_error("%s: refused: %s", call->name, words->refused);
        err = STOA_E_FORBIDDEN;
    } else if (sql->driver->check_words) {
        err = sql->driver->check_words(sql, call, words->list, words->count);
    }
    if (err == STOA_OK)
        call->seen = seen_add(&sql->seen, &like);
    stoa_arena_destroy(arena);
    return err;
}

/* Its hash and what is known of it. */
static stoa_err call_find(struct sql *sql, struct sql_call *call)
{
    call->seen = seen_guess(&sql->seen, call->owner, call->text, call->flags);
    if (call->seen) {
        call->hash = call->seen->hash;
        return STOA_OK;
    }
    call->hash = statement_hash(call->owner, call->text, call->flags);
    call->seen = seen_find(&sql->seen, call->hash, call->owner, call->text);
    if (!call->seen)
        return call_check_new(sql, call);
    seen_remember(&sql->seen, call->text, call->seen);
    return STOA_OK;
}

static stoa_err call_fill(struct sql *sql, struct sql_call *call, struct stoa_values args,
                          struct sql_param params[SQL_PARAMS_MAX])
{
    if (args.count > SQL_PARAMS_MAX) {
        sql_error("%s: more than %d parameters", call->name, SQL_PARAMS_MAX);
        return STOA_E_INTERNAL;
    }
    for (uint32_t i = 0; i < args.count; i++)
        STOA_TRY(param_from(call, i, &args.ptr[i], &params[i]));
    call->params = params;
    call->params_count = args.count;
    return call_find(sql, call);
}

static struct sql_call call_of(const struct sql *sql, const char *owner,
                               const struct stoa_stmt *stmt, struct stoa_arena *arena)
{
    return (struct sql_call){
        .owner = owner,
        .name = stmt->name ? stmt->name : "?",
        .text = sql->driver->is_postgresql && stmt->postgresql ? stmt->postgresql : stmt->text,
        .flags = stmt->flags,
        .arena = arena};
}

struct sql_call sql_inner(const char *text, const struct sql_param *params, uint32_t count)
{
    return (struct sql_call){.name = "stoa",
                             .text = text,
                             .params = params,
                             .params_count = count,
                             .hash = statement_hash(NULL, text, 0)};
}

static void call_done(int64_t started_us, stoa_err err)
{
    int64_t took = clock_monotonic_us() - started_us;

    statements_run++;
    metric_add(METRIC_sql_statements_total, 1);
    metric_observe_us(METRIC_sql_seconds, took);
    if (err != STOA_OK)
        metric_add(METRIC_sql_errors_total, 1);
}

/* Nothing is begun for a request that is over. */
static stoa_err may_begin(const struct sql_call *call)
{
    stoa_err err = fault_point("sql.exec");

    if (err == STOA_OK && fiber_self())
        err = fiber_check();
    if (err != STOA_OK)
        sql_error("%s: not begun: %s", call->name, stoa_err_name(err));
    return err;
}

/* cap: the declared contract */
stoa_err sql_exec(struct sql *sql, const char *owner, const struct stoa_stmt *stmt,
                  struct stoa_values args, struct stoa_arena *arena, const struct stoa_rows **ret)
{
    struct sql_call call = call_of(sql, owner, stmt, arena);
    struct sql_param params[SQL_PARAMS_MAX];
    struct stoa_rows *rows = NULL;
    int64_t started = clock_monotonic_us();
    stoa_err err;

    call.ret = ret ? &rows : NULL;
    err = may_begin(&call);
    if (err == STOA_OK)
        err = call_fill(sql, &call, args, params);
    if (err == STOA_OK)
        err = sql->driver->exec(sql, &call);
    if (err == STOA_OK && ret)
        *ret = rows;
    call_done(started, err);
    return err;
}

stoa_err sql_begin(struct sql *sql, struct sql_tx **ret)
{
    struct sql_tx *tx;

    STOA_TRY(fault_point("sql.begin"));
    tx = sql->driver->begin(sql);
    tx->sql = sql;
    *ret = tx;
    return STOA_OK;
}

/* cap: the declared contract */
stoa_err sql_tx_exec(struct sql_tx *tx, const char *owner, const struct stoa_stmt *stmt,
                     struct stoa_values args, struct stoa_arena *arena,
                     const struct stoa_rows **ret)
{
    struct sql_call call = call_of(tx->sql, owner, stmt, arena);
    struct sql_param params[SQL_PARAMS_MAX];
    struct stoa_rows *rows = NULL;
    int64_t started = clock_monotonic_us();
    stoa_err err;

    if (tx->failed) {
        sql_error("%s: the transaction has failed before; only rollback is possible", call.name);
        return STOA_E_TX;
    }
    call.ret = ret ? &rows : NULL;
    err = may_begin(&call);
    if (err == STOA_OK)
        err = call_fill(tx->sql, &call, args, params);
    if (err == STOA_OK)
        err = tx->sql->driver->tx_exec(tx, &call);
    if (err == STOA_OK && ret)
        *ret = rows;
    tx->failed = err != STOA_OK;
    call_done(started, err);
    return err;
}

stoa_err sql_commit(struct sql_tx *tx)
{
    stoa_err err = fault_point("sql.commit.before");

    if (tx->failed) {
        sql_error("the transaction has failed before; it is rolled back");
        err = STOA_E_TX;
    } else if (err == STOA_OK && sql_deadline() <= clock_monotonic_ms()) {
        sql_error("the deadline passed before COMMIT; rolled back");
        err = STOA_E_TIMEOUT;
    }
    if (err != STOA_OK) {
        sql_rollback(tx);
        return err;
    }
    err = tx->sql->driver->commit(tx);
    if (err != STOA_OK) {
        metric_add(METRIC_sql_errors_total, 1);
        return err;
    }
    return fault_point("sql.commit.after");
}

void sql_rollback(struct sql_tx *tx)
{
    if (tx)
        tx->sql->driver->rollback(tx);
}

stoa_err sql_script(struct sql *sql, const char *text, struct diag *diag)
{
    struct sql_script script = {.text = text};

    return sql->driver->script(sql, &script, diag);
}

void sql_diag_at(struct diag *diag, const struct sql_script *script, uint64_t offset,
                 const char *message)
{
    const char *line_begins = script->text;
    uint32_t line = 1;

    for (uint64_t i = 0; i < offset && script->text[i]; i++)
        if (script->text[i] == '\n') {
            line++;
            line_begins = script->text + i + 1;
        }
    diag_set(diag, script->file ? script->file : "", line,
             (uint32_t)(script->text + offset - line_begins) + 1, "%s", message);
    snprintf(diag->source, sizeof(diag->source), "%.*s", (int)strcspn(line_begins, "\n"),
             line_begins);
}

stoa_err sql_explain_all(struct sql *sql, struct stoa_arena *arena, struct stoa_json **ret)
{
    struct stoa_json *all = stoa_json_array(arena);

    for (uint32_t i = 0; i < SEEN_BUCKETS; i++)
        for (struct seen *seen = atomic_load(&sql->seen.buckets[i]); seen;
             seen = atomic_load(&seen->chain)) {
            stoa_str plan = STOA_STR("");
            STOA_TRY(sql->driver->explain(sql, seen, arena, &plan));
            struct stoa_json *one = stoa_json_push(all, stoa_json_object(arena));
            stoa_json_set_str(one, "owner", stoa_str_of(seen->owner));
            stoa_json_set_str(one, "name", stoa_str_of(seen->name));
            stoa_json_set_str(one, "text", stoa_str_of(seen->text));
            stoa_json_set_str(one, "plan", plan);
        }
    *ret = all;
    return STOA_OK;
}
