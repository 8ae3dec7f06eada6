/* stock.c: what the order plugin asks (quote, reserve, commit, release) and what the staff counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

enum {
    OVERDUE_MS = 3600 * 1000, /* far past any order's own deadline */
    STOCK_MAX = 1000000000,
};

static stoa_err lines_read(struct stoa_req *req, struct catalogue_lines *ret)
{
    const char *fault = lines_parse(stoa_req_arena(req), stoa_req_json(req), ret);

    if (fault)
        return stoa_fail(req, STOA_E_INVALID, fault, STOA_FIELDS(stoa_f("field", stoa_z("lines"))));
    return STOA_OK;
}

static stoa_err order_read(struct stoa_req *req, stoa_str *ret)
{
    stoa_str order_id = stoa_json_str(stoa_req_json(req), "order_id");

    if (!stoa_id_is(order_id, "ord"))
        return stoa_fail(req, STOA_E_INVALID, "This is no order's id",
                         STOA_FIELDS(stoa_f("field", stoa_z("order_id"))));
    *ret = order_id;
    return STOA_OK;
}

static const char *hold_name(catalogue_hold hold)
{
    static const char *const names[] = {"none", "reserved", "committed", "released"};

    return names[hold];
}

static stoa_err reply_hold(struct stoa_req *req, catalogue_hold hold, bool is_expected)
{
    struct stoa_fields state = STOA_FIELDS(stoa_f("state", stoa_z(hold_name(hold))));

    if (is_expected)
        return stoa_reply_fields(req, 200, state);
    return stoa_fail(req, STOA_E_CONFLICT, "The order's reservation is past this step", state);
}

/* POST /internal/product/quote {"lines": […]}: prices and stock as they are now. */
stoa_err stock_quote(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct catalogue_lines lines = {0};
    struct stoa_json *quote;

    STOA_TRY(lines_read(req, &lines));
    STOA_TRY(p->store->quote(req, lines, &quote));
    return stoa_reply_json(req, 200, quote);
}

/* POST /internal/product/reserve {"order_id", "lines", "expires_at"} */
stoa_err stock_reserve(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct catalogue_reserve what = {0};
    struct stoa_json *sold_out = NULL;
    catalogue_hold hold = CATALOGUE_HOLD_NONE;
    stoa_err err;

    STOA_TRY(order_read(req, &what.order_id));
    STOA_TRY(lines_read(req, &what.lines));
    what.expires_at = stoa_json_int(stoa_req_json(req), "expires_at", 0);
    STOA_TRY(stoa_fault(req, "product.reserve.before"));
    err = p->store->reserve(req, &what, &hold, &sold_out);
    if (err == STOA_E_SOLD_OUT)
        return stoa_fail(req, err, "Not enough pieces are left",
                         STOA_FIELDS(stoa_f("sold_out", stoa_j(sold_out))));
    STOA_TRY(err);
    return reply_hold(req, hold, hold != CATALOGUE_HOLD_RELEASED);
}

/* POST /internal/product/commit {"order_id"}: what was reserved is sold. */
stoa_err stock_commit(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    catalogue_hold hold = CATALOGUE_HOLD_NONE;
    stoa_str order_id = {0};

    STOA_TRY(order_read(req, &order_id));
    STOA_TRY(p->store->commit(req, order_id, &hold));
    return reply_hold(req, hold, hold == CATALOGUE_HOLD_COMMITTED);
}

/* POST /internal/product/release {"order_id"}: what was reserved is for sale again. */
stoa_err stock_release(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    catalogue_hold hold = CATALOGUE_HOLD_NONE;
    stoa_str order_id = {0};

    STOA_TRY(order_read(req, &order_id));
    STOA_TRY(p->store->release(req, order_id, &hold));
    return reply_hold(req, hold, hold == CATALOGUE_HOLD_RELEASED);
}

/* The order's recovery decides what becomes of a reservation, since only it knows whether the money
 * came. One that is overdue by far says that this does not happen, and someone has to look. */
stoa_err stock_watch(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    int64_t overdue;

    STOA_TRY(p->store->overdue(req, stoa_now(req) - OVERDUE_MS, &overdue));
    if (overdue > 0)
        stoa_log(req, STOA_WARN, "reservations are overdue; does the order plugin's recovery run?",
                 STOA_FIELDS(stoa_f("reservations", stoa_i(overdue))));
    return STOA_OK;
}

/* GET /api/v1/inventory/{sku} */
stoa_err stock_show(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct stoa_json *stock;

    STOA_TRY(p->store->stock_get(req, stoa_req_param(req, "sku"), &stock));
    return stoa_reply_json(req, 200, stock);
}

/* PUT /api/v1/inventory/{sku} {"available": 40}: what was counted on the shelf. */
stoa_err stock_set(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    int64_t available = stoa_json_int(stoa_req_json(req), "available", -1);
    struct stoa_json *stock;

    if (available < 0 || available > STOCK_MAX)
        return stoa_fail(req, STOA_E_INVALID, "Give the number of available pieces",
                         STOA_FIELDS(stoa_f("field", stoa_z("available"))));
    return p->store->stock_set(req, stoa_req_param(req, "sku"), available, &stock);
}

/* `stoa audit` */
stoa_err audit_stock(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    struct stoa_arena *arena = stoa_req_arena(req);
    struct stoa_json *report = stoa_json_object(arena), *findings = stoa_json_array(arena), *held;
    int64_t overdue;

    STOA_TRY(p->store->audit(req, findings, report));
    STOA_TRY(p->store->overdue(req, stoa_now(req) - OVERDUE_MS, &overdue));
    if (overdue > 0) {
        held = stoa_json_push(findings, stoa_json_object(arena));
        stoa_json_set_str(held, "code", STOA_STR("stock.held"));
        stoa_json_set_str(held, "detail", STOA_STR("orders hold stock long after their end"));
        stoa_json_set_int(held, "count", overdue);
    }
    stoa_json_set(report, "findings", findings);
    return stoa_reply_json(req, 200, report);
}
