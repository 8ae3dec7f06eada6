/* order/saga_run.c: does what saga.c decides: calls the others, and saves each step before the next
 * (design: commerce.md, "Checkout is a saga"). SPDX-License-Identifier: Apache-2.0 */
#include "order.h"

enum {
    STEPS_MAX = 16,                /* a run that goes on longer is a bug, not an order */
    CALL_TIMEOUT_MS = 3000,        /* stock */
    REPLY_RESERVE_MS = 1000,       /* kept back for saving and answering */
    RESERVATION_SLACK_MS = 600000, /* stock is held longer than its order can live */
    EVENT_BYTES_MAX = 60000,
};

/* Where tests may stop the process: README.md lists them. */
struct places {
    const char *before, *after;
};
static const struct places action_places[] = {
    [SAGA_REST] = {"checkout.rest", "checkout.rest"},
    [SAGA_GIVE_UP] = {"checkout.give_up.before", "checkout.give_up.after"},
    [SAGA_DO_RESERVE] = {"checkout.reserve.before", "checkout.reserve.after"},
    [SAGA_DO_OPEN] = {"checkout.open.before", "checkout.open.after"},
    [SAGA_DO_STATUS] = {"checkout.status.before", "checkout.status.after"},
    [SAGA_DO_COMMIT] = {"checkout.commit.before", "checkout.commit.after"},
    [SAGA_DO_VOID] = {"checkout.void.before", "checkout.void.after"},
    [SAGA_DO_RELEASE] = {"checkout.release.before", "checkout.release.after"},
};
#define X(name, text, shown)                                                                       \
    [SAGA_##name] = {"checkout.save." text ".before", "checkout.save." text ".after"},
static const struct places save_places[] = {SAGA_STEPS(X)};
#undef X

stoa_str saga_owner(struct stoa_req *req)
{
    return stoa_token_new(req);
}

/* ---- Calls ---- */

static uint32_t timeout_of(const struct saga_run *run, int64_t wanted_ms)
{
    int64_t left_ms = stoa_time_left(run->req) - REPLY_RESERVE_MS;

    if (left_ms < wanted_ms)
        wanted_ms = left_ms;
    return wanted_ms > 1 ? (uint32_t)wanted_ms : 1;
}

static stoa_err ask(struct saga_run *run, const char *plugin, stoa_str path,
                    const struct stoa_json *body, struct stoa_answer *ret)
{
    bool is_payment = strcmp(plugin, "payment") == 0;
    struct stoa_call call = {
        .plugin = plugin,
        .method = STOA_POST,
        .timeout_ms = timeout_of(run, is_payment ? run->self->payment_timeout_ms : CALL_TIMEOUT_MS),
        .path = path,
        .body = body};

    *ret = (struct stoa_answer){0};
    return stoa_call(run->req, &call, ret);
}

static struct stoa_json *question(struct saga_run *run)
{
    struct stoa_json *json = stoa_json_object(stoa_req_arena(run->req));

    stoa_json_set_str(json, "order_id", run->order->id);
    return json;
}

static enum saga_outcome do_reserve(struct saga_run *run)
{
    struct stoa_arena *arena = stoa_req_arena(run->req);
    struct stoa_json *body = question(run);
    struct stoa_json *lines = stoa_json_set(body, "lines", stoa_json_array(arena));
    struct stoa_answer answer;

    for (const struct stoa_json *e = stoa_json_first(run->order->lines); e; e = stoa_json_next(e)) {
        struct stoa_json *line = stoa_json_push(lines, stoa_json_object(arena));
        stoa_json_set_str(line, "sku", stoa_json_str(e, "sku"));
        stoa_json_set_int(line, "quantity", stoa_json_int(e, "quantity", 0));
    }
    stoa_json_set_int(body, "expires_at", run->order->saga.expires_ms + RESERVATION_SLACK_MS);
    if (ask(run, "product", STOA_STR("/internal/product/reserve"), body, &answer) != STOA_OK)
        return SAGA_UNKNOWN;
    if (answer.status == 200)
        return SAGA_OK;
    if (answer.status >= 500 || answer.status == 429)
        return SAGA_UNKNOWN;
    run->sold_out = stoa_json_get(answer.json, "sold_out");
    return SAGA_SOLD_OUT;
}

static enum saga_outcome do_stock(struct saga_run *run, stoa_str path)
{
    struct stoa_answer answer;

    if (ask(run, "product", path, question(run), &answer) != STOA_OK || answer.status != 200)
        return SAGA_UNKNOWN;
    return SAGA_OK;
}

static enum saga_outcome payment_outcome(struct saga_run *run, const struct stoa_answer *answer)
{
    static const struct {
        const char *state;
        enum saga_outcome outcome;
    } known[] = {{"captured", SAGA_CAPTURED},
                 {"declined", SAGA_REFUSED},
                 {"requires_action", SAGA_NEEDS_ACTION},
                 {"none", SAGA_ABSENT},
                 {"voided", SAGA_ABSENT}};
    stoa_str state = stoa_json_str(answer->json, "state");

    for (uint64_t i = 0; answer->status == 200 && i < sizeof(known) / sizeof(known[0]); i++)
        if (stoa_str_is(state, known[i].state)) {
            run->next_action = stoa_json_get(answer->json, "next_action");
            return known[i].outcome;
        }
    return SAGA_UNKNOWN;
}

static struct stoa_json *payment_question(struct saga_run *run)
{
    struct stoa_json *body = question(run);

    stoa_json_set_str(body, "key", run->order->pay_key);
    stoa_json_set_int(body, "attempt", run->order->saga.attempt);
    stoa_json_set_str(body, "provider", run->order->provider);
    stoa_json_set_money(body, "amount", stoa_money_of(run->order->total, run->order->currency));
    return body;
}

static enum saga_outcome do_open(struct saga_run *run)
{
    struct stoa_json *body = payment_question(run);
    struct stoa_answer answer;

    stoa_json_set_str(body, "token", run->pay_token);
    if (ask(run, "payment", STOA_STR("/internal/payment/open"), body, &answer) != STOA_OK)
        return SAGA_UNKNOWN;
    /* Refused before anybody was asked for money. Of a status it would say nothing about money that
     * was: an operator may have changed the provider meanwhile. */
    return answer.status == 422 ? SAGA_REFUSED : payment_outcome(run, &answer);
}

static enum saga_outcome do_status(struct saga_run *run)
{
    struct stoa_answer answer;

    if (ask(run, "payment", STOA_STR("/internal/payment/status"), payment_question(run), &answer) !=
        STOA_OK)
        return SAGA_UNKNOWN;
    return payment_outcome(run, &answer);
}

static enum saga_outcome do_void(struct saga_run *run)
{
    struct stoa_answer answer;

    if (ask(run, "payment", STOA_STR("/internal/payment/void"), payment_question(run), &answer) !=
            STOA_OK ||
        answer.status != 200)
        return SAGA_UNKNOWN;
    return SAGA_OK;
}

static enum saga_outcome perform(struct saga_run *run, enum saga_action action)
{
    switch (action) {
    case SAGA_DO_RESERVE:
        return do_reserve(run);
    case SAGA_DO_OPEN:
        return do_open(run);
    case SAGA_DO_STATUS:
        return do_status(run);
    case SAGA_DO_COMMIT:
        return do_stock(run, STOA_STR("/internal/product/commit"));
    case SAGA_DO_RELEASE:
        return do_stock(run, STOA_STR("/internal/product/release"));
    case SAGA_DO_VOID:
        return do_void(run);
    default:
        return SAGA_OK;
    }
}

/* ---- The client's answer ---- */

static struct stoa_json *problem_json(struct saga_run *run, stoa_err err, const char *detail)
{
    struct stoa_arena *arena = stoa_req_arena(run->req);
    struct stoa_json *json = stoa_json_object(arena);

    stoa_json_set_str(json, "type", STOA_STR("about:blank"));
    stoa_json_set_str(json, "title", stoa_str_of(stoa_err_text(err)));
    stoa_json_set_int(json, "status", stoa_err_status(err));
    stoa_json_set_str(json, "code", stoa_str_of(stoa_err_name(err)));
    stoa_json_set_str(json, "detail", stoa_str_of(detail));
    stoa_json_set_str(json, "order_id", run->order->id);
    if (run->sold_out)
        stoa_json_set(json, "sold_out", stoa_json_copy(arena, run->sold_out));
    return json;
}

static struct stoa_json *sale_json(struct saga_run *run)
{
    struct stoa_arena *arena = stoa_req_arena(run->req);
    enum saga_step step = run->order->saga.step;
    struct stoa_json *json = stoa_json_object(arena), *payment;
    const char *state = saga_is_paid(step)    ? "captured"
                        : step == SAGA_ACTION ? "requires_action"
                                              : "pending";

    stoa_json_set(json, "order", order_json(arena, run->order, run->guest_token));
    payment = stoa_json_set(json, "payment", stoa_json_object(arena));
    stoa_json_set_str(payment, "state", stoa_str_of(state));
    if (step == SAGA_ACTION && run->next_action)
        stoa_json_set(payment, "next_action", stoa_json_copy(arena, run->next_action));
    return json;
}

static stoa_err reply_in(struct saga_run *run, struct stoa_tx *tx)
{
#define X(name, text, err, detail) [SAGA_FOR_##name] = err,
    static const stoa_err errs[] = {SAGA_REASONS(X)};
#undef X
#define X(name, text, err, detail) [SAGA_FOR_##name] = detail,
    static const char *const details[] = {SAGA_REASONS(X)};
#undef X
    enum saga_step step = run->order->saga.step;
    enum saga_reason reason = run->order->saga.reason;

    if (step == SAGA_CANCELLED)
        return stoa_tx_reply(tx, stoa_err_status(errs[reason]),
                             problem_json(run, errs[reason], details[reason]));
    return stoa_tx_reply(tx, saga_is_paid(step) ? 201 : 202, sale_json(run));
}

/* Ends tx with what came of its statements. */
static stoa_err finish(struct stoa_tx *tx, stoa_err err)
{
    if (err == STOA_OK)
        return stoa_tx_commit(tx);
    stoa_tx_rollback(tx);
    return err;
}

stoa_err saga_answer(struct saga_run *run)
{
    struct stoa_tx *tx;

    STOA_TRY(stoa_tx_begin(run->req, &tx));
    STOA_TRY(finish(tx, reply_in(run, tx)));
    run->answered = true;
    return STOA_OK;
}

/* ---- Steps ---- */

/* All that the confirmation mail needs, so that nobody has to ask for it; the guest's token only
 * when there is such a mail. An order whose lines would not fit into an event goes without them:
 * the mail then says how many there are. */
static struct stoa_json *event_json(struct saga_run *run, const char *event)
{
    struct stoa_arena *arena = stoa_req_arena(run->req);
    bool has_mail = strcmp(event, "order.paid") == 0;
    struct stoa_json *json =
        order_json(arena, run->order, has_mail ? run->order->token : STOA_STR(""));
    struct stoa_buf text;

    stoa_json_set_int(json, "line_count", stoa_json_count(run->order->lines));
    stoa_buf_init(&text, arena, 4096);
    stoa_json_format(json, &text);
    if (text.len > EVENT_BYTES_MAX)
        stoa_json_set(json, "lines", stoa_json_array(arena));
    return json;
}

static const char *event_of(enum saga_step before, enum saga_step after)
{
    if (before != SAGA_COMMIT && after == SAGA_COMMIT)
        return "order.paid";
    return after == SAGA_CANCELLED ? "order.cancelled" : NULL;
}

/* The client is answered when the money is ours, when it never will be, or when it has to wait for
 * that. Before the payment it is not: only with the buyer's next try can the order go on. */
static bool is_answer(const struct saga_run *run, const struct saga_state *next)
{
    if (!run->answers || run->answered)
        return false;
    return next->step == SAGA_COMMIT || next->step == SAGA_CANCELLED ||
           (next->is_waiting && next->step != SAGA_RESERVE);
}

static stoa_err save_in(struct saga_run *run, struct order_save *how, const struct saga_state *next,
                        const char *event)
{
    STOA_TRY(order_save(how, run->order, next));
    run->order->saga = *next;
    if (event)
        STOA_TRY(stoa_emit(how->tx, event, run->order->id, event_json(run, event)));
    STOA_TRY(stoa_fault(run->req, "checkout.save.inside"));
    return is_answer(run, next) ? reply_in(run, how->tx) : STOA_OK;
}

static stoa_err save(struct saga_run *run, const struct saga_state *next)
{
    const char *event = event_of(run->order->saga.step, next->step);
    bool answers = is_answer(run, next);
    bool is_over = next->is_waiting || saga_is_final(next->step);
    struct order_save how = {
        .req = run->req, .owner = run->owner, .lease_until = is_over ? 0 : next->deadline_ms};

    if (!event && !answers) {
        STOA_TRY(order_save(&how, run->order, next));
        run->order->saga = *next;
        return STOA_OK;
    }
    STOA_TRY(stoa_tx_begin(run->req, &how.tx));
    STOA_TRY(finish(how.tx, save_in(run, &how, next, event)));
    run->answered = run->answered || answers;
    return STOA_OK;
}

/* Stored before the call that it is for: who comes after a crash asks with the same key. */
static void name_payment(struct saga_run *run, const struct saga_state *next)
{
    struct stoa_arena *arena = stoa_req_arena(run->req);

    if (next->step == SAGA_PAY)
        run->order->pay_key = stoa_concat(arena, run->order->id, STOA_STR(":"),
                                          stoa_str_from_int(arena, next->attempt));
}

stoa_err saga_step_to(struct saga_run *run, const struct saga_state *next)
{
    struct saga_state state = *next;
    struct order_row before = *run->order;
    stoa_err err;

    if (!state.is_waiting)
        state.deadline_ms = stoa_now(run->req) + run->self->lease_ms;
    STOA_TRY(stoa_fault(run->req, save_places[state.step].before));
    name_payment(run, &state);
    err = save(run, &state);
    if (err != STOA_OK) {
        *run->order = before; /* what the transaction would have made of it did not happen */
        return err;
    }
    return stoa_fault(run->req, save_places[state.step].after);
}

static stoa_err step(struct saga_run *run, enum saga_action action)
{
    struct saga_state next;
    enum saga_outcome outcome;

    STOA_TRY(stoa_fault(run->req, action_places[action].before));
    outcome = perform(run, action);
    STOA_TRY(stoa_fault(run->req, action_places[action].after));
    next = saga_apply(&run->order->saga, outcome, stoa_now(run->req));
    return saga_step_to(run, &next);
}

stoa_err saga_run(struct saga_run *run)
{
    run->order->saga.can_pay = run->pay_token.len > 0;
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        enum saga_action action = saga_decide(&run->order->saga, stoa_now(run->req));

        if (action == SAGA_REST)
            return STOA_OK;
        STOA_TRY(step(run, action));
    }
    return STOA_E_INTERNAL;
}
