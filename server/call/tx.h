/* call/tx.h: a request's transaction, with what must become true together with it: the journal row,
 * events, the stored reply, dropped cache tags. SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_TX_H
#define CALL_TX_H

#include "plugin/request.h"
#include "resource/sql/sql.h"

enum {
    TX_DROPS_MAX = 256, /* different tags: as many as one reply between nodes carries (drop.h) */
    TX_EVENTS_MAX = 64,
    TX_EVENT_BYTES_MAX = 64 << 10,
};

struct tx_drop {
    stoa_str tag;
    struct tx_drop *next;
};

struct stoa_tx {
    struct stoa_req *req;
    struct sql_tx *sql;
    bool is_broken;          /* a statement failed: only rollback is possible */
    bool is_journal_written; /* lazily, with the first statement, so that the id is known by then */
    stoa_str creates;
    int32_t reply_status; /* 0: none given */
    const struct stoa_json *reply_json;
    uint32_t events, drop_count;
    struct tx_drop *drops; /* each tag once, in the request's arena */
};

/* Each as its namesake in stoa/sql.h; the open transaction is req->tx. */
STOA_NODISCARD stoa_err tx_begin(struct stoa_req *req);
STOA_NODISCARD stoa_err tx_exec(struct stoa_tx *tx, const struct stoa_stmt *stmt,
                                struct stoa_values args, const struct stoa_rows **ret);
STOA_NODISCARD stoa_err tx_creates(struct stoa_tx *tx, stoa_str id);
STOA_NODISCARD stoa_err tx_reply(struct stoa_tx *tx, int32_t status, const struct stoa_json *json);
STOA_NODISCARD stoa_err tx_emit(struct stoa_tx *tx, const char *event, stoa_str aggregate,
                                const struct stoa_json *data);
/* Drops the tag when it commits; one more than TX_DROPS_MAX makes the commit STOA_E_TX. */
void tx_drop_tag(struct stoa_tx *tx, stoa_str tag);
STOA_NODISCARD stoa_err tx_commit(struct stoa_tx *tx);
void tx_rollback(struct stoa_tx *tx);
/* A statement of the host's own inside tx. */
STOA_NODISCARD stoa_err tx_exec_host(struct stoa_tx *tx, const struct stoa_stmt *stmt,
                                     struct stoa_values args, const struct stoa_rows **ret);

#endif
