/* call/tx.c: nothing of it is visible before the commit, all of it after. SPDX-License-Identifier:
 * Apache-2.0 */
#include "call/tx.h"

#include "base/clock.h"
#include "base/trace.h"
#include "call/drop.h"
#include "call/events.h"
#include "call/journal.h"
#include "plugin/world.h"
#include "resource/cache/cache.h"
#include <stoa/id.h>

static_assert((int)TX_DROPS_MAX <= (int)DROP_TAGS_MAX, "who asked must learn of all of them");

static const struct stoa_stmt EMIT = {
    "outbox.put",
    "INSERT INTO stoa_outbox (id, event, aggregate, data, trace, created_at)"
    " VALUES ($1, $2, $3, $4, $5, $6)",
    NULL, 0, 0};

stoa_err tx_begin(struct stoa_req *req)
{
    struct stoa_tx *tx;
    struct sql_tx *sql;

    if (req->tx || !req->instance->sql)
        return STOA_E_TX;
    STOA_TRY(sql_begin(req->instance->sql, &sql));
    tx = stoa_new(req->arena, struct stoa_tx);
    tx->req = req;
    tx->sql = sql;
    req->tx = tx;
    return STOA_OK;
}

static stoa_err keep(struct stoa_tx *tx, stoa_err err)
{
    tx->is_broken = tx->is_broken || err != STOA_OK;
    return err;
}

static stoa_err exec_as(struct stoa_tx *tx, const char *owner, const struct stoa_stmt *stmt,
                        struct stoa_values args, const struct stoa_rows **ret)
{
    if (tx->is_broken)
        return STOA_E_TX;
    request_root(tx->req)->statements++;
    return keep(tx, sql_tx_exec(tx->sql, owner, stmt, args, tx->req->arena, ret));
}

stoa_err tx_exec_host(struct stoa_tx *tx, const struct stoa_stmt *stmt, struct stoa_values args,
                      const struct stoa_rows **ret)
{
    return exec_as(tx, "host", stmt, args, ret);
}

/* The journal's row goes first: it decides whether this request is the one that acts. */
static stoa_err write_journal(struct stoa_tx *tx)
{
    if (tx->is_journal_written)
        return STOA_OK;
    tx->is_journal_written = true;
    return keep(tx, journal_write(tx));
}

stoa_err tx_exec(struct stoa_tx *tx, const struct stoa_stmt *stmt, struct stoa_values args,
                 const struct stoa_rows **ret)
{
    STOA_TRY(write_journal(tx));
    return exec_as(tx, tx->req->instance->generation->name, stmt, args, ret);
}

stoa_err tx_creates(struct stoa_tx *tx, stoa_str id)
{
    if (tx->is_journal_written)
        return keep(tx, STOA_E_TX);
    tx->creates = id;
    return STOA_OK;
}

stoa_err tx_reply(struct stoa_tx *tx, int32_t status, const struct stoa_json *json)
{
    struct stoa_buf buf;

    STOA_TRY(write_journal(tx));
    stoa_buf_init(&buf, tx->req->arena, 512);
    if (json)
        stoa_json_format(json, &buf);
    STOA_TRY(keep(tx, journal_store(tx, status, stoa_buf_str(&buf))));
    tx->reply_status = status;
    tx->reply_json = json;
    return STOA_OK;
}

stoa_err tx_emit(struct stoa_tx *tx, const char *event, stoa_str aggregate,
                 const struct stoa_json *data)
{
    char trace[56];
    struct stoa_buf buf;

    STOA_TRY(write_journal(tx));
    stoa_buf_init(&buf, tx->req->arena, 512);
    stoa_json_format(data, &buf);
    if (tx->events == TX_EVENTS_MAX || buf.len > TX_EVENT_BYTES_MAX)
        return keep(tx, STOA_E_TOO_LARGE);
    tx->events++;
    trace_format(&tx->req->trace, trace);
    return exec_as(tx, "host", &EMIT,
                   STOA_ARGS(stoa_s(stoa_id_new(tx->req, "evt")), stoa_z(event), stoa_s(aggregate),
                             stoa_s(stoa_buf_str(&buf)), stoa_z(trace), stoa_i(clock_utc_ms())),
                   NULL);
}

static bool is_noted(const struct stoa_tx *tx, stoa_str tag)
{
    for (const struct tx_drop *d = tx->drops; d; d = d->next)
        if (stoa_str_eq(d->tag, tag))
            return true;
    return false;
}

void tx_drop_tag(struct stoa_tx *tx, stoa_str tag)
{
    struct tx_drop *d;

    if (is_noted(tx, tag))
        return;
    if (tx->drop_count == TX_DROPS_MAX) {
        tx->is_broken = true; /* committing without the drop would serve stale prices */
        return;
    }
    d = stoa_new(tx->req->arena, struct tx_drop);
    *d = (struct tx_drop){stoa_str_copy(tx->req->arena, tag), tx->drops};
    tx->drops = d;
    tx->drop_count++;
}

static void drop_copies(struct stoa_tx *tx)
{
    for (const struct tx_drop *d = tx->drops; d; d = d->next)
        drop_tag(tx->req, d->tag);
}

/* The error of a commit may have come after it was made. */
static void after_doubt(struct stoa_tx *tx)
{
    struct journal *j = tx->req->journal;

    drop_copies(tx);
    if (j && tx->is_journal_written && !j->is_inbox && j->state <= JOURNAL_RESUMED)
        j->state = JOURNAL_DOUBTFUL;
}

static void after_commit(struct stoa_tx *tx)
{
    struct stoa_req *req = tx->req;

    drop_copies(tx);
    if (req->journal && tx->is_journal_written && !req->journal->is_inbox)
        req->journal->state = tx->reply_status ? JOURNAL_STORED : JOURNAL_WRITTEN;
    if (tx->reply_status && tx->reply_json)
        stoa_reply_json(req, tx->reply_status, tx->reply_json);
    else if (tx->reply_status)
        STOA_IGNORE(stoa_reply(req, tx->reply_status, NULL, (stoa_str){0})); /* not too long */
    if (tx->reply_status >= 400 && tx->reply_json)
        req->reply.type = "application/problem+json";
    if (tx->events > 0)
        events_wake(req->instance->sql);
}

stoa_err tx_commit(struct stoa_tx *tx)
{
    stoa_err err = write_journal(tx);

    if (tx->is_broken) {
        tx_rollback(tx);
        return err != STOA_OK ? err : STOA_E_TX;
    }
    tx->req->tx = NULL;
    err = sql_commit(tx->sql);
    if (err == STOA_OK)
        after_commit(tx);
    else
        after_doubt(tx);
    return err;
}

void tx_rollback(struct stoa_tx *tx)
{
    if (!tx || tx->req->tx != tx)
        return;
    tx->req->tx = NULL;
    sql_rollback(tx->sql);
}
