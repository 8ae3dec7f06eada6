/* call/journal.h: idempotency, inbox and saga share one table (docs/architecture.md, journal).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CALL_JOURNAL_H
#define CALL_JOURNAL_H

#include "call/tx.h"

enum {
    JOURNAL_KEY_MAX = 255,
    JOURNAL_KEY_MIN = 16,               /* for who has neither a session nor a cart's token */
    JOURNAL_LEASE_MARGIN_MS = 5000,     /* past the request's deadline its row is free to resume */
    JOURNAL_KEEP_MS = 48 * 3600 * 1000, /* keys are honoured for 24 h at least */
};

enum journal_state {
    JOURNAL_FRESH,     /* nobody came before */
    JOURNAL_RESUMED,   /* an earlier try died: resource_id is what it had begun */
    JOURNAL_WRITTEN,   /* our row stands, with a committed transaction */
    JOURNAL_STORED,    /* … and the reply with it */
    JOURNAL_DOUBTFUL,  /* it may stand: the commit failed with an error that may have come after it
                        */
    JOURNAL_DUPLICATE, /* the event was handled before */
};

struct journal {
    stoa_str scope, key, request_hash;
    enum journal_state state;
    bool is_inbox;
    stoa_str resource_id;
    int64_t lease_until; /* what our row says */
};

/* Whom this process is in the journal's rows; before the first request. */
void journal_init(const char *owner);
/* Rows that an earlier life of this owner left `started` are free to resume at once. */
STOA_NODISCARD stoa_err journal_recover(struct sql *sql);

/* A kept reply is its status, media type, body and Location; other headers are not kept. A body
 * that is no text cannot be kept by PostgreSQL: its repeat resumes. */

/* Reads the row for the request's Idempotency-Key, if it has one. *answered: the reply is filled in
 * from the journal and the handler must not run. STOA_E_IN_FLIGHT, STOA_E_KEY_REUSED,
 * STOA_E_INVALID. */
STOA_NODISCARD stoa_err journal_read(struct stoa_req *req, bool *answered);
/* The handler of a route died in the middle (a sandbox): what its transactions have left decides,
 * as for a repeat that comes later. The lease of its row ends here. */
STOA_NODISCARD stoa_err journal_read_again(struct stoa_req *req, bool *answered);
/* For an event's handler: key is the event's id. */
void journal_inbox(struct stoa_req *req, const char *subscriber, stoa_str event_id);
/* The row, inside the transaction. STOA_E_IN_FLIGHT when somebody was faster. */
STOA_NODISCARD stoa_err journal_write(struct stoa_tx *tx);
STOA_NODISCARD stoa_err journal_store(struct stoa_tx *tx, int32_t status, stoa_str body);
/* After the handler: a row that stands without a reply gets it now, or is freed for another try;
 * one that may stand is freed. */
void journal_finish(struct stoa_req *req);
/* Deletes rows older than JOURNAL_KEEP_MS, in batches; at most 500,000. */
STOA_NODISCARD stoa_err journal_expire(struct sql *sql);

#endif
