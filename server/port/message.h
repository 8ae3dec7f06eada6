/* port/message.h: what a plugin behind a wire asks of the host, as bytes: the plugin's side (far.c)
 * and the host's side (near.c). SPDX-License-Identifier: Apache-2.0 */
#ifndef PORT_MESSAGE_H
#define PORT_MESSAGE_H

#include "call/codec.h"

enum message {
    MESSAGE_SQL = 1,
    MESSAGE_TX_BEGIN,
    MESSAGE_TX_SQL,
    MESSAGE_TX_NOTE,
    MESSAGE_TX_END,
    MESSAGE_EMIT,
    MESSAGE_CACHE,
    MESSAGE_CALL,
    MESSAGE_COLLECT,
    MESSAGE_MAIL_SEND,
    MESSAGE_MAIL_LIST,
    MESSAGE_RENDER,
    MESSAGE_ASSET,
    MESSAGE_PASSWORD,
    MESSAGE_SLEEP,
    MESSAGE_FAULT,
    MESSAGE_LOG, /* the only one without an answer */
    MESSAGE_END,
};

/* ---- The plugin's side ---- */

/* What brings a request's questions to the host; req->carrier. */
struct port_carrier {
    /* Waits for the answer, whose bytes live as long as the request. An error: it will not come. */
    stoa_err (*ask)(struct stoa_req *req, enum message kind, stoa_str question, stoa_str *answer);
    void (*tell)(struct stoa_req *req, enum message kind, stoa_str what);
    bool has_faults; /* the host has faults armed; see base/fault.h */
};
/* The effects of a port whose plugin is far away: all of struct stoa_port but name, enter and
 * offload. */
#define PORT_FAR_EFFECTS                                                                           \
    .sql = far_sql, .tx_begin = far_tx_begin, .tx_sql = far_tx_sql, .tx_note = far_tx_note,        \
    .tx_end = far_tx_end, .emit = far_emit, .cache = far_cache, .call = far_call,                  \
    .collect = far_collect, .mail_send = far_mail_send, .mail_list = far_mail_list,                \
    .render = far_render, .asset = far_asset, .password = far_password, .sleep = far_sleep,        \
    .log = far_log
stoa_err far_sql(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                 const struct stoa_rows **ret);
stoa_err far_tx_begin(struct stoa_req *req);
stoa_err far_tx_sql(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                    const struct stoa_rows **ret);
stoa_err far_tx_note(struct stoa_req *req, enum port_tx_note note, int32_t status,
                     const struct stoa_json *json);
stoa_err far_tx_end(struct stoa_req *req, bool commit);
stoa_err far_emit(struct stoa_req *req, const char *event, stoa_str aggregate,
                  const struct stoa_json *data);
stoa_err far_cache(struct stoa_req *req, const struct port_cache *question, stoa_str *ret);
stoa_err far_call(struct stoa_req *req, const struct stoa_call *call, struct stoa_answer *ret);
stoa_err far_collect(struct stoa_req *req, const char *point, const struct stoa_json *question,
                     const struct stoa_json **ret);
stoa_err far_mail_send(struct stoa_req *req, const struct stoa_mail *mail);
stoa_err far_mail_list(struct stoa_req *req, uint32_t limit, const struct stoa_json **ret);
stoa_err far_render(struct stoa_req *req, const char *page, const struct stoa_json *data,
                    stoa_str *ret);
stoa_err far_asset(struct stoa_req *req, stoa_str name, stoa_str *path);
stoa_err far_password(struct stoa_req *req, stoa_str password, stoa_str hash, stoa_str *ret);
stoa_err far_sleep(struct stoa_req *req, int64_t ms);
void far_log(struct stoa_req *req, stoa_level level, const char *message,
             struct stoa_fields fields);
/* A fault place of the plugin, which the host passes. */
stoa_err far_fault(struct stoa_req *req, const char *place);

/* ---- The host's side ---- */

/* Does what question asks, on the host's own request, through the SDK's own checks, if the plugin
 * has the grant for it. The answer's bytes are added to *answer. False: the question is malformed,
 * and nothing was done. Trusts nothing in question. */
STOA_NODISCARD bool message_serve(struct stoa_req *host, enum message kind, stoa_str question,
                                  struct stoa_buf *answer);

/* The handler's end: its error and its reply, as bytes. JSON goes as text. */
void put_end(struct stoa_buf *out, stoa_err err, const struct request_reply *reply);
/* Into the host's request; *err is the handler's. False: malformed. */
STOA_NODISCARD bool get_end(struct stoa_req *host, stoa_str bytes, stoa_err *err);

#endif
