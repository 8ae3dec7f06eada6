/* payment/intent.c: opening, asking for, confirming and voiding payments.
 * SPDX-License-Identifier: Apache-2.0 */
#include "payment.h"

enum { KEY_MAX = 64, TOKEN_MAX = 128, ATTEMPT_MAX = 99 };

/* What every question of the order plugin says. STOA_E_INVALID with a problem. */
static stoa_err read_intent(struct stoa_req *req, const struct payment_plugin *self,
                            struct payment_intent *ret)
{
    const struct stoa_json *body = stoa_req_json(req);

    *ret = (struct payment_intent){.order_id = stoa_json_str(body, "order_id"),
                                   .key = stoa_json_str(body, "key"),
                                   .attempt = stoa_json_int(body, "attempt", 0)};
    if (!stoa_str_is(stoa_json_str(body, "provider"), self->provider->name))
        return stoa_fail(req, STOA_E_INVALID, "There is no such payment provider",
                         STOA_FIELDS(stoa_f("field", stoa_z("payment.provider"))));
    if (!stoa_id_is(ret->order_id, "ord") || ret->key.len < 1 || ret->key.len > KEY_MAX ||
        ret->attempt < 1 || ret->attempt > ATTEMPT_MAX ||
        stoa_json_money(body, "amount", &ret->amount) != STOA_OK || ret->amount.minor < 0)
        return stoa_fail(req, STOA_E_INVALID, "order_id, key, attempt or amount is wrong",
                         STOA_NO_FIELDS);
    return STOA_OK;
}

/* Where the buyer goes for the second step, and what that page asks in the end. The payment's id is
 * known to the buyer only: 74 of its bits are chance. */
static struct stoa_json *next_action(struct stoa_req *req, const struct payment_plugin *self,
                                     stoa_str id)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *action = stoa_json_object(arena);

    stoa_json_set_str(action, "type", STOA_STR("redirect"));
    stoa_json_set_str(action, "url",
                      stoa_concat(arena, self->confirm_page, STOA_STR("?payment="), id));
    stoa_json_set_str(action, "confirm_url",
                      stoa_concat(arena, STOA_STR("/api/v1/payments/"), id, STOA_STR("/confirm")));
    return action;
}

static stoa_err reply(struct stoa_req *req, const struct payment_plugin *self,
                      const struct payment_intent *intent, enum payment_state state)
{
    struct stoa_json *json = stoa_json_object(stoa_req_arena(req));
    enum payment_state shown = state == PAYMENT_VOIDING ? PAYMENT_VOIDED : state;

    stoa_json_set_str(json, "id", intent->id);
    stoa_json_set_str(json, "state", stoa_str_of(payment_state_name(shown)));
    if (state == PAYMENT_ACTION)
        stoa_json_set(json, "next_action", next_action(req, self, intent->id));
    return stoa_reply_json(req, 200, json);
}

/* The money came, but this order has a captured payment already: it goes back at once. */
static stoa_err return_second(struct stoa_req *req, const struct payment_plugin *self,
                              const struct payment_intent *intent, enum payment_state *ret)
{
    struct payment_charge charge = {.key = intent->key, .amount = intent->amount};

    stoa_log(req, STOA_ERROR, "a second capture for one order is undone",
             STOA_FIELDS(stoa_f("order_id", stoa_s(intent->order_id)),
                         stoa_f("key", stoa_s(intent->key))));
    STOA_TRY(self->provider->cancel(req, &charge));
    return intent_settle(req, intent, PAYMENT_VOIDED, ret);
}

static stoa_err settle(struct stoa_req *req, const struct payment_plugin *self,
                       const struct payment_intent *intent, enum payment_state said,
                       enum payment_state *ret)
{
    stoa_err err;

    *ret = said;
    if (said == intent->state || said == PAYMENT_NONE)
        return STOA_OK;
    err = intent_settle(req, intent, said, ret);
    return err == STOA_E_EXISTS ? return_second(req, self, intent, ret) : err;
}

/* A repeated open: the first one's row, if it is about the same thing. */
static stoa_err find_first(struct stoa_req *req, struct payment_intent *intent)
{
    struct payment_intent first;

    STOA_TRY(intent_by_key(req, intent->key, &first));
    if (!stoa_str_eq(first.order_id, intent->order_id) ||
        !stoa_money_eq(first.amount, intent->amount))
        return stoa_fail(req, STOA_E_CONFLICT, "This key belongs to another payment",
                         STOA_NO_FIELDS);
    *intent = first;
    return STOA_OK;
}

/* POST /internal/payment/open */
stoa_err intent_open(struct stoa_req *req, void *self)
{
    const struct payment_plugin *payment = self;
    struct payment_intent intent;
    struct payment_charge charge;
    enum payment_state said, now;
    bool is_new;

    STOA_TRY(read_intent(req, payment, &intent));
    charge = (struct payment_charge){intent.key, stoa_json_str(stoa_req_json(req), "token"),
                                     intent.amount};
    if (charge.token.len < 1 || charge.token.len > TOKEN_MAX)
        return stoa_fail(req, STOA_E_INVALID, "The payment's token is missing",
                         STOA_FIELDS(stoa_f("field", stoa_z("payment.token"))));
    intent.id = stoa_id_new(req, "pay");
    STOA_TRY(stoa_fault(req, "payment.open.before"));
    STOA_TRY(intent_insert(req, &intent, payment->provider->name, &is_new));
    if (!is_new)
        STOA_TRY(find_first(req, &intent));
    if (intent.state != PAYMENT_OPENING)
        return reply(req, payment, &intent, intent.state);
    STOA_TRY(stoa_fault(req, "payment.open.sent"));
    STOA_TRY(payment->provider->open(req, &charge, &said));
    STOA_TRY(stoa_fault(req, "payment.open.charged"));
    STOA_TRY(settle(req, payment, &intent, said, &now));
    STOA_TRY(stoa_fault(req, "payment.open.after"));
    return reply(req, payment, &intent, now);
}

/* POST /internal/payment/status: what the provider says, where we do not know for sure. */
stoa_err intent_status(struct stoa_req *req, void *self)
{
    const struct payment_plugin *payment = self;
    struct payment_intent intent, found;
    enum payment_state said, now;
    stoa_err err;

    STOA_TRY(read_intent(req, payment, &intent));
    err = intent_by_key(req, intent.key, &found);
    if (err == STOA_E_NOT_FOUND)
        return reply(req, payment, &intent, PAYMENT_NONE);
    STOA_TRY(err);
    if (found.state != PAYMENT_OPENING && found.state != PAYMENT_ACTION)
        return reply(req, payment, &found, found.state);
    STOA_TRY(payment->provider->status(req, found.key, &said));
    STOA_TRY(settle(req, payment, &found, said, &now));
    return reply(req, payment, &found, now);
}

/* POST /internal/payment/void: afterwards nothing is charged under this key, ever. */
stoa_err intent_void(struct stoa_req *req, void *self)
{
    const struct payment_plugin *payment = self;
    struct payment_intent intent;
    struct payment_charge charge;

    STOA_TRY(read_intent(req, payment, &intent));
    charge = (struct payment_charge){.key = intent.key, .amount = intent.amount};
    intent.id = stoa_id_new(req, "pay");
    intent.state = PAYMENT_VOIDING;
    STOA_TRY(stoa_fault(req, "payment.void.before"));
    STOA_TRY(intent_voiding(req, &intent, payment->provider->name));
    STOA_TRY(stoa_fault(req, "payment.void.sent"));
    STOA_TRY(payment->provider->cancel(req, &charge));
    STOA_TRY(stoa_fault(req, "payment.void.cancelled"));
    STOA_TRY(intent_voided(req, intent.key));
    return stoa_reply_fields(req, 200, STOA_FIELDS(stoa_f("state", stoa_z("voided"))));
}

/* The order learns of it through its one completion path; recovery asks again when this is lost. */
static stoa_err tell_order(struct stoa_req *req, const struct payment_intent *intent,
                           enum payment_state state)
{
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *question = stoa_json_object(arena), *json = stoa_json_object(arena), *payment;
    struct stoa_answer answer;

    stoa_json_set_str(question, "order_id", intent->order_id);
    STOA_TRY(stoa_call_post(req, "order", STOA_STR("/internal/order/advance"), question, &answer));
    if (answer.status != 200)
        return stoa_reply_answer(req, &answer);
    if (state != PAYMENT_CAPTURED)
        return stoa_fail(req, STOA_E_DECLINED, "You were not charged",
                         STOA_FIELDS(stoa_f("order_id", stoa_s(intent->order_id))));
    payment = stoa_json_set(json, "payment", stoa_json_object(arena));
    stoa_json_set_str(payment, "state", stoa_str_of(payment_state_name(state)));
    stoa_json_set(json, "order", stoa_json_copy(arena, answer.json));
    return stoa_reply_json(req, 200, json);
}

/* POST /payments/{id}/confirm {"approve": false to refuse}: the buyer's second step. */
stoa_err intent_confirm(struct stoa_req *req, void *self)
{
    const struct payment_plugin *payment = self;
    const struct stoa_json *approve = stoa_json_get(stoa_req_json(req), "approve");
    struct payment_intent intent;
    enum payment_state said, now;

    STOA_TRY(intent_by_id(req, stoa_req_param(req, "id"), &intent));
    now = intent.state;
    if (intent.state == PAYMENT_ACTION) {
        STOA_TRY(stoa_fault(req, "payment.confirm.before"));
        STOA_TRY(payment->provider->confirm(req, intent.key,
                                            !approve || stoa_json_true(approve, ""), &said));
        STOA_TRY(stoa_fault(req, "payment.confirm.charged"));
        STOA_TRY(settle(req, payment, &intent, said, &now));
        STOA_TRY(stoa_fault(req, "payment.confirm.after"));
    }
    return tell_order(req, &intent, now);
}
