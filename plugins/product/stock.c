/* stock.c: what the order plugin asks (quote, reserve, commit, release) and what the staff counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

enum {
    OVERDUE_MS = 3600 * 1000, /* far past any order's own deadline */
    STOCK_MAX = 1000000000,
};

static stoa_err bad_lines(struct stoa_req *req, const char *detail)
{
    return stoa_fail(req, STOA_E_INVALID, detail, STOA_FIELDS(stoa_f("field", stoa_z("lines"))));
}

static int compare(stoa_str a, stoa_str b)
{
    uint64_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter ? memcmp(a.ptr, b.ptr, shorter) : 0;

    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Puts the line at its place by SKU, or adds to the one that is there. */
static void insert_line(struct catalogue_lines *lines, struct catalogue_line line)
{
    uint32_t at = lines->count;

    while (at > 0 && compare(lines->ptr[at - 1].sku, line.sku) > 0)
        at--;
    if (at > 0 && stoa_str_eq(lines->ptr[at - 1].sku, line.sku)) {
        lines->ptr[at - 1].quantity += line.quantity;
        return;
    }
    memmove(lines->ptr + at + 1, lines->ptr + at, (lines->count - at) * sizeof line);
    lines->ptr[at] = line;
    lines->count++;
}

stoa_err lines_read(struct stoa_req *req, const struct stoa_json *body, struct catalogue_lines *ret)
{
    const struct stoa_json *list = stoa_json_get(body, "lines");
    struct catalogue_lines lines = {0};
    uint32_t count = stoa_json_count(list);

    if (stoa_json_type(list) != STOA_JSON_ARRAY || count == 0 || count > CATALOGUE_LINES_MAX)
        return bad_lines(req, "There must be 1 to 100 lines");
    lines.ptr = stoa_new_array(stoa_req_arena(req), struct catalogue_line, count + 1);
    for (const struct stoa_json *l = stoa_json_first(list); l; l = stoa_json_next(l)) {
        struct catalogue_line line = {stoa_json_str(l, "sku"), stoa_json_int(l, "quantity", 0)};

        if (line.sku.len == 0 || line.sku.len > 64)
            return bad_lines(req, "A line has a SKU of 1 to 64 bytes");
        if (line.quantity < 1 || line.quantity > CATALOGUE_QUANTITY_MAX)
            return bad_lines(req, "A quantity is 1 to 9999");
        insert_line(&lines, line);
    }
    *ret = lines;
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
    struct catalogue_lines lines;
    struct stoa_json *quote;

    STOA_TRY(lines_read(req, stoa_req_json(req), &lines));
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
    STOA_TRY(lines_read(req, stoa_req_json(req), &what.lines));
    what.expires_at = stoa_json_int(stoa_req_json(req), "expires_at", 0);
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
    stoa_str order_id;

    STOA_TRY(order_read(req, &order_id));
    STOA_TRY(p->store->commit(req, order_id, &hold));
    return reply_hold(req, hold, hold == CATALOGUE_HOLD_COMMITTED);
}

/* POST /internal/product/release {"order_id"}: what was reserved is for sale again. */
stoa_err stock_release(struct stoa_req *req, void *self)
{
    const struct product *p = self;
    catalogue_hold hold = CATALOGUE_HOLD_NONE;
    stoa_str order_id;

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
    struct stoa_json *report = stoa_json_object(arena), *findings = stoa_json_array(arena);

    STOA_TRY(p->store->audit(req, findings, report));
    stoa_json_set(report, "findings", findings);
    return stoa_reply_json(req, 200, report);
}
