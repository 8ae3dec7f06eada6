/* payment/payment.h: what the plugin's files share, and what a provider is.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PAYMENT_PAYMENT_H
#define PAYMENT_PAYMENT_H

#include <stoa/stoa.h>

/* name in the database and in answers */
#define PAYMENT_STATES(X)                                                                          \
    X(OPENING, "opening") /* written before the provider is asked; nothing is known yet */         \
    X(CAPTURED, "captured")                                                                        \
    X(DECLINED, "declined")                                                                        \
    X(ACTION, "requires_action") /* the buyer has a second step to take */                         \
    X(VOIDING, "voiding")        /* to be undone; an open that is under way loses */               \
    X(VOIDED, "voided")                                                                            \
    X(NONE, "none") /* nothing under this key */

#define X(name, text) PAYMENT_##name,
enum payment_state { PAYMENT_STATES(X) PAYMENT_STATE_COUNT };
#undef X
const char *payment_state_name(enum payment_state state);
enum payment_state payment_state_of(stoa_str name); /* PAYMENT_STATE_COUNT: no such name */

struct payment_charge {
    stoa_str key;   /* the shop's; the provider knows the charge by it */
    stoa_str token; /* the provider's name for the buyer's means of payment */
    stoa_money amount;
};
struct payment_back {
    stoa_str refund_key, key;
    stoa_money amount;
};

/* Somebody who moves money. Each entry may be repeated: the key makes it one effect. STOA_OK means
 * that the provider has answered; after an error nothing is known, and status tells. None is called
 * while a transaction is open. */
struct payment_provider {
    const char *name;
    /* CAPTURED, DECLINED, ACTION, or VOIDED when the key was voided before. */
    stoa_err (*open)(struct stoa_req *req, const struct payment_charge *charge,
                     enum payment_state *ret);
    /* As open, or NONE. */
    stoa_err (*status)(struct stoa_req *req, stoa_str key, enum payment_state *ret);
    /* The buyer has taken the second step, with or without success. As status. */
    stoa_err (*confirm)(struct stoa_req *req, stoa_str key, bool is_accepted,
                        enum payment_state *ret);
    /* Gives back what was captured. Afterwards open with this key charges nothing, even one that
     * is still on its way: recovery relies on that when it cancels an order. */
    stoa_err (*cancel)(struct stoa_req *req, const struct payment_charge *charge);
    /* STOA_E_RANGE: more than is left of the charge. */
    stoa_err (*refund)(struct stoa_req *req, const struct payment_back *back);
};
extern const struct payment_provider payment_sandbox;

struct payment_plugin {
    const struct payment_provider *provider;
    stoa_str confirm_page;
};

/* ---- intent_store.c ---- */
struct payment_intent {
    stoa_str id, order_id, key;
    int64_t attempt;
    stoa_money amount;
    enum payment_state state;
};
/* By key, or by id. STOA_E_NOT_FOUND. */
STOA_NODISCARD stoa_err intent_by_key(struct stoa_req *req, stoa_str key,
                                      struct payment_intent *ret);
STOA_NODISCARD stoa_err intent_by_id(struct stoa_req *req, stoa_str id, struct payment_intent *ret);
/* Writes intent, unless there is one with its key: *is_new says which. */
STOA_NODISCARD stoa_err intent_insert(struct stoa_req *req, const struct payment_intent *intent,
                                      const char *provider, bool *is_new);
/* Notes what the provider said, unless the intent was settled meanwhile; *ret is its state now. */
STOA_NODISCARD stoa_err intent_settle(struct stoa_req *req, const struct payment_intent *intent,
                                      enum payment_state state, enum payment_state *ret);
/* Marks it as to be voided, writing it if need be; then as voided. */
STOA_NODISCARD stoa_err intent_voiding(struct stoa_req *req, const struct payment_intent *intent,
                                       const char *provider);
STOA_NODISCARD stoa_err intent_voided(struct stoa_req *req, stoa_str key);

/* ---- handlers ---- */
stoa_err intent_open(struct stoa_req *req, void *self); /* intent.c */
stoa_err intent_status(struct stoa_req *req, void *self);
stoa_err intent_void(struct stoa_req *req, void *self);
stoa_err intent_confirm(struct stoa_req *req, void *self);
stoa_err refund_make(struct stoa_req *req, void *self);    /* refund.c */
stoa_err audit_captured(struct stoa_req *req, void *self); /* audit.c */
stoa_err audit_payments(struct stoa_req *req, void *self);

#endif
