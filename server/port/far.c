/* port/far.c: the plugin's side of a wire: each effect is written down, carried to the host, and
 * its answer read into the request's own memory. The host is trusted: an answer that cannot be read
 * is our bug. SPDX-License-Identifier: Apache-2.0 */
#include "call/tx.h"
#include "port/message.h"

enum { QUESTION_FIRST = 256 };

static void begin(struct stoa_req *req, struct stoa_buf *out)
{
    stoa_buf_init(out, req->arena, QUESTION_FIRST);
}

/* STOA_OK: answer is at the payload. */
static stoa_err ask(struct stoa_req *req, enum message kind, const struct stoa_buf *question,
                    struct decoder *answer)
{
    stoa_str bytes;

    STOA_TRY(req->carrier->ask(req, kind, stoa_buf_str(question), &bytes));
    *answer = (struct decoder){.arena = req->arena, .rest = bytes};
    return (stoa_err)get_u32(answer);
}

static void end(const struct decoder *answer)
{
    stoa_assert(!answer->broken && answer->rest.len == 0);
}

static stoa_err ask_only(struct stoa_req *req, enum message kind, const struct stoa_buf *question)
{
    struct decoder answer;
    stoa_err err = ask(req, kind, question, &answer);

    if (err == STOA_OK)
        end(&answer);
    return err;
}

static stoa_err ask_str(struct stoa_req *req, enum message kind, const struct stoa_buf *question,
                        stoa_str *ret)
{
    struct decoder answer;
    stoa_str text;

    STOA_TRY(ask(req, kind, question, &answer));
    text = get_str(&answer);
    end(&answer);
    if (ret)
        *ret = text;
    return STOA_OK;
}

static stoa_err ask_json(struct stoa_req *req, enum message kind, const struct stoa_buf *question,
                         const struct stoa_json **ret)
{
    struct decoder answer;

    STOA_TRY(ask(req, kind, question, &answer));
    *ret = get_json(&answer);
    end(&answer);
    return STOA_OK;
}

/* ---- sql ---- */

static stoa_err run(struct stoa_req *req, enum message kind, const struct stoa_stmt *stmt,
                    struct stoa_values args, const struct stoa_rows **ret)
{
    struct stoa_buf out;
    struct decoder answer;

    begin(req, &out);
    put_str(&out, stoa_str_of(stmt->name));
    put_str(&out, stoa_str_of(stmt->text));
    put_str(&out, stmt->postgresql ? stoa_str_of(stmt->postgresql) : (stoa_str){0});
    put_u32(&out, stmt->flags);
    put_u32(&out, ret != NULL);
    put_values(&out, args);
    STOA_TRY(ask(req, kind, &out, &answer));
    if (ret)
        *ret = get_rows(&answer);
    end(&answer);
    return STOA_OK;
}

stoa_err far_sql(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                 const struct stoa_rows **ret)
{
    return run(req, MESSAGE_SQL, stmt, args, ret);
}

stoa_err far_tx_sql(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                    const struct stoa_rows **ret)
{
    return run(req, MESSAGE_TX_SQL, stmt, args, ret);
}

/* The handle is the plugin's only; the host has its own. */
stoa_err far_tx_begin(struct stoa_req *req)
{
    struct stoa_buf out;

    begin(req, &out);
    STOA_TRY(ask_only(req, MESSAGE_TX_BEGIN, &out));
    req->tx = stoa_new(req->arena, struct stoa_tx);
    req->tx->req = req;
    return STOA_OK;
}

stoa_err far_tx_note(struct stoa_req *req, enum port_tx_note note, int32_t status,
                     const struct stoa_json *json)
{
    struct stoa_buf out;

    begin(req, &out);
    put_u32(&out, note);
    put_u32(&out, (uint32_t)status);
    put_json(&out, json);
    return ask_only(req, MESSAGE_TX_NOTE, &out);
}

/* The commit may have filled in the reply. */
stoa_err far_tx_end(struct stoa_req *req, bool commit)
{
    struct stoa_buf out;
    struct decoder answer;
    stoa_err err;

    begin(req, &out);
    put_u32(&out, commit);
    err = ask(req, MESSAGE_TX_END, &out, &answer);
    req->tx = NULL;
    if (err != STOA_OK)
        return err;
    if (get_u32(&answer) != 0)
        get_reply(&answer, &req->reply);
    end(&answer);
    return STOA_OK;
}

stoa_err far_emit(struct stoa_req *req, const char *event, stoa_str aggregate,
                  const struct stoa_json *data)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, stoa_str_of(event));
    put_str(&out, aggregate);
    put_json(&out, data);
    return ask_only(req, MESSAGE_EMIT, &out);
}

/* ---- The rest ---- */

stoa_err far_cache(struct stoa_req *req, const struct port_cache *q, stoa_str *ret)
{
    struct stoa_buf out;

    begin(req, &out);
    put_u32(&out, q->op);
    put_str(&out, q->key);
    put_str(&out, q->value);
    put_str(&out, q->tags);
    put_i64(&out, q->ttl_ms);
    return ask_str(req, MESSAGE_CACHE, &out, ret);
}

stoa_err far_call(struct stoa_req *req, const struct stoa_call *call, struct stoa_answer *ret)
{
    struct stoa_buf out;
    struct decoder answer;

    begin(req, &out);
    put_str(&out, stoa_str_of(call->plugin));
    put_u32(&out, call->method);
    put_u32(&out, call->timeout_ms);
    put_str(&out, call->path);
    put_json(&out, call->body);
    put_fields(&out, call->headers);
    STOA_TRY(ask(req, MESSAGE_CALL, &out, &answer));
    *ret = (struct stoa_answer){.status = (int32_t)get_u32(&answer)};
    ret->json = get_json(&answer);
    ret->body = get_str(&answer);
    end(&answer);
    return STOA_OK;
}

stoa_err far_collect(struct stoa_req *req, const char *point, const struct stoa_json *question,
                     const struct stoa_json **ret)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, stoa_str_of(point));
    put_json(&out, question);
    return ask_json(req, MESSAGE_COLLECT, &out, ret);
}

stoa_err far_mail_send(struct stoa_req *req, const struct stoa_mail *mail)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, mail->to);
    put_str(&out, mail->subject);
    put_str(&out, mail->text);
    put_str(&out, mail->html);
    put_str(&out, mail->message_id);
    return ask_only(req, MESSAGE_MAIL_SEND, &out);
}

stoa_err far_mail_list(struct stoa_req *req, uint32_t limit, const struct stoa_json **ret)
{
    struct stoa_buf out;

    begin(req, &out);
    put_u32(&out, limit);
    return ask_json(req, MESSAGE_MAIL_LIST, &out, ret);
}

stoa_err far_render(struct stoa_req *req, const char *page, const struct stoa_json *data,
                    stoa_str *ret)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, stoa_str_of(page));
    put_json(&out, data);
    return ask_str(req, MESSAGE_RENDER, &out, ret);
}

/* path = NULL: the host makes the reply. */
stoa_err far_asset(struct stoa_req *req, stoa_str name, stoa_str *path)
{
    struct stoa_buf out;
    struct decoder answer;

    begin(req, &out);
    put_u32(&out, path != NULL);
    put_str(&out, name);
    if (path)
        return ask_str(req, MESSAGE_ASSET, &out, path);
    STOA_TRY(ask(req, MESSAGE_ASSET, &out, &answer));
    get_reply(&answer, &req->reply);
    end(&answer);
    return STOA_OK;
}

stoa_err far_password(struct stoa_req *req, stoa_str password, stoa_str hash, stoa_str *ret)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, password);
    put_str(&out, hash);
    return ask_str(req, MESSAGE_PASSWORD, &out, ret);
}

stoa_err far_sleep(struct stoa_req *req, int64_t ms)
{
    struct stoa_buf out;

    begin(req, &out);
    put_i64(&out, ms);
    return ask_only(req, MESSAGE_SLEEP, &out);
}

stoa_err far_fault(struct stoa_req *req, const char *place)
{
    struct stoa_buf out;

    begin(req, &out);
    put_str(&out, stoa_str_of(place));
    return ask_only(req, MESSAGE_FAULT, &out);
}

void far_log(struct stoa_req *req, stoa_level level, const char *message, struct stoa_fields fields)
{
    struct stoa_buf out;

    begin(req, &out);
    put_u32(&out, level);
    put_str(&out, stoa_str_of(message));
    put_fields(&out, fields);
    req->carrier->tell(req, MESSAGE_LOG, stoa_buf_str(&out));
}
