/* order/order.h: what the plugin's files share. SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_ORDER_H
#define ORDER_ORDER_H

#include "price.h"
#include "saga.h"

#include <stoa/stoa.h>

/* One loop's instance: settings only; everything else is in the database. */
struct order_plugin {
    int32_t tax_bp;
    const struct stoa_json *tax_classes; /* {"reduced": 7}, in percent; or NULL */
    stoa_str country;                    /* for shipping until the buyer has said where */
    int64_t lease_ms, payment_timeout_ms, payment_window_ms, cart_ms;
};

/* ---- cart_store.c ---- */
struct cart_line {
    stoa_str sku;
    int64_t quantity;
};
struct cart {
    stoa_str id;
    int64_t version;
    stoa_str ordered; /* id of its live order; empty without one */
    const struct stoa_json *attributes;
    struct cart_line *lines; /* room for one more than count */
    uint32_t count;
};
/* What a change does to a cart's lines. */
struct cart_change {
    stoa_str sku;                       /* empty: only the attributes change */
    int64_t quantity;                   /* 0 removes the line */
    const struct stoa_json *attributes; /* NULL: they stay */
};
/* The cart, if this request's token (x-cart-token) or customer may have it. STOA_E_NOT_FOUND. */
STOA_NODISCARD stoa_err cart_load(struct stoa_req *req, stoa_str id, struct cart *ret);
/* Writes a new cart. token: not its hash. */
STOA_NODISCARD stoa_err cart_insert(struct stoa_tx *tx, struct stoa_req *req,
                                    const struct cart *cart, stoa_str token, stoa_ms expires_ms);
/* Compare and set by version. STOA_E_CONFLICT when the cart has changed since or was ordered. */
STOA_NODISCARD stoa_err cart_write(struct stoa_tx *tx, struct stoa_req *req,
                                   const struct cart *cart, const struct cart_change *change,
                                   stoa_ms expires_ms);

/* ---- cart_price.c ---- */
struct price_choice {
    stoa_str shipping_option; /* empty: the first that is offered */
    stoa_str country;         /* empty: the setting's */
    bool is_final;            /* checkout: an option that is not offered is an error */
};
/* Prices of the catalogue, adjustments of other plugins, shipping, tax. At most one call each. */
STOA_NODISCARD stoa_err cart_price(struct stoa_req *req, const struct order_plugin *self,
                                   const struct cart *cart, const struct price_choice *choice,
                                   struct price_sheet *ret);
struct stoa_json *price_lines_json(struct stoa_arena *arena, const struct price_sheet *sheet,
                                   bool is_order);
struct stoa_json *price_adjustments_json(struct stoa_arena *arena, const struct price_sheet *sheet);
struct stoa_json *price_shipping_json(struct stoa_arena *arena, const struct price_sheet *sheet);

/* ---- order_store.c ---- */
struct order_row {
    stoa_str id, number, cart_id, customer_id, email, token_hash;
    char currency[4];
    int64_t subtotal, adjusted, shipping, tax, total;
    const struct stoa_json *lines, *adjustments, *shipping_option, *address;
    stoa_ms created_ms;
    /* Where it stands. */
    struct saga_state saga;
    stoa_str pay_key, provider;
    stoa_str token; /* the guest's, while the saga runs; later empty */
};
/* Who may see an order. */
struct order_reader {
    stoa_str token_hash, customer_id; /* empty: none */
    bool is_staff;
};
struct order_reader order_reader_of(struct stoa_req *req);
/* By id or number. STOA_E_NOT_FOUND also when the reader may not see it. */
STOA_NODISCARD stoa_err order_find(struct stoa_req *req, stoa_str id_or_number,
                                   const struct order_reader *reader, struct order_row *ret);
/* By id, whoever asks. */
STOA_NODISCARD stoa_err order_load(struct stoa_req *req, stoa_str id, struct order_row *ret);
/* The order and its saga, the lease held by owner. STOA_E_CONFLICT when the cart has another
 * version by now (PostgreSQL: also when it was ordered), STOA_E_EXISTS when it has a live order. */
STOA_NODISCARD stoa_err order_insert(struct stoa_tx *tx, const struct order_row *row,
                                     int64_t cart_version, stoa_str owner, stoa_ms lease_until);
/* Takes the lease of an order that is not final and nobody drives. STOA_E_IN_FLIGHT when somebody
 * does, STOA_E_CONFLICT when it is final; *ret is then as loaded. STOA_E_NOT_FOUND. */
STOA_NODISCARD stoa_err order_take(struct stoa_req *req, stoa_str id, stoa_str owner,
                                   stoa_ms lease_until, struct order_row *ret);
/* Where to save a step to: tx, or by itself when tx is NULL. */
struct order_save {
    struct stoa_req *req;
    struct stoa_tx *tx;
    stoa_str owner;
    stoa_ms lease_until; /* 0 gives the lease back */
};
/* Compare and set: only while owner holds the lease at row's step. STOA_E_CONFLICT otherwise. */
STOA_NODISCARD stoa_err order_save(const struct order_save *how, const struct order_row *row,
                                   const struct saga_state *next);
/* Gives the lease back, if owner has it: who comes next need not wait until it ends. */
STOA_NODISCARD stoa_err order_yield(struct stoa_req *req, stoa_str id, stoa_str owner);
/* Ids of orders whose step is overdue and that nobody drives, oldest first. */
STOA_NODISCARD stoa_err order_due(struct stoa_req *req, int64_t limit,
                                  const struct stoa_rows **ret);
/* As the API shows it. token: for who has just placed it; empty leaves it out. */
struct stoa_json *order_json(struct stoa_arena *arena, const struct order_row *row, stoa_str token);

/* ---- saga_run.c ---- */
struct saga_run {
    struct stoa_req *req;
    const struct order_plugin *self;
    struct order_row *order;
    stoa_str owner;       /* of the lease */
    stoa_str pay_token;   /* the provider's; empty unless the buyer is here */
    stoa_str guest_token; /* for the answer */
    bool answers;         /* a client waits, and its answer belongs into the journal */
    bool answered;
    const struct stoa_json *next_action, *sold_out; /* from the last answers of the others */
};
/* A name for who holds a lease. */
stoa_str saga_owner(struct stoa_req *req);
/* Drives the order on until it is final or has to wait. The one completion path: checkout, a
 * resumed checkout, the buyer's confirmation, the provider's message, cancellation and recovery
 * all come through here, one at a time (the lease). STOA_E_CONFLICT when the lease was lost. */
STOA_NODISCARD stoa_err saga_run(struct saga_run *run);
/* Saves next as the order's state, with all that belongs to the same transaction. */
STOA_NODISCARD stoa_err saga_step_to(struct saga_run *run, const struct saga_state *next);
/* The client's answer for where the order stands now, into the journal. */
STOA_NODISCARD stoa_err saga_answer(struct saga_run *run);

/* ---- handlers ---- */
stoa_err cart_create(struct stoa_req *req, void *self); /* cart.c */
stoa_err cart_show(struct stoa_req *req, void *self);
stoa_err cart_change(struct stoa_req *req, void *self);
stoa_err cart_add_line(struct stoa_req *req, void *self);
stoa_err cart_change_line(struct stoa_req *req, void *self);
stoa_err cart_remove_line(struct stoa_req *req, void *self);
stoa_err checkout_place(struct stoa_req *req, void *self); /* checkout.c */
stoa_err orders_show(struct stoa_req *req, void *self);    /* orders.c */
stoa_err orders_list(struct stoa_req *req, void *self);
stoa_err orders_cancel(struct stoa_req *req, void *self);
stoa_err orders_advance(struct stoa_req *req, void *self);
stoa_err recover_orders(struct stoa_req *req, void *self); /* recover.c */
stoa_err recover_carts(struct stoa_req *req, void *self);
stoa_err audit_orders(struct stoa_req *req, void *self); /* audit.c */

#endif
