/* store_sql_audit.c: the books of the stock: what should be equal, and the sums that other plugins'
 * books are compared with. SPDX-License-Identifier: Apache-2.0 */
#include "store_sql.h"

/* The columns' own CHECK makes the first unlikely; a restored backup or a hand on the database can
 * still break it. reserved and sold must also be what the orders' lines add up to. */
static const struct stoa_stmt broken_stock = {
    "product.audit_stock",
    "select s.sku, s.initial, s.received, s.available, s.reserved, s.sold, "
    "coalesce(h.reserved, 0) as lines_reserved, coalesce(h.sold, 0) as lines_sold "
    "from product_stock s left join (select l.sku, "
    "sum(case when r.state = 'reserved' then l.quantity else 0 end) as reserved, "
    "sum(case when r.state = 'committed' then l.quantity else 0 end) as sold "
    "from product_reservation_line l join product_reservation r on r.order_id = l.order_id "
    "group by l.sku) h on h.sku = s.sku "
    "where s.initial + s.received <> s.available + s.reserved + s.sold "
    "or s.reserved <> coalesce(h.reserved, 0) or s.sold <> coalesce(h.sold, 0) "
    "order by s.sku limit 1000",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static const struct stoa_stmt stock_totals = {
    "product.audit_totals",
    "select coalesce(sum(initial + received), 0) as stocked_units, "
    "coalesce(sum(available), 0) as available_units, "
    "coalesce(sum(reserved), 0) as reserved_units, coalesce(sum(sold), 0) as sold_units "
    "from product_stock",
    NULL, STOA_SQL_READ | STOA_SQL_SLOW, 0};
static void set_int(struct stoa_json *into, const struct stoa_rows *rows, uint32_t row,
                    const char *column)
{
    stoa_json_set_int(into, column, stoa_rows_int(rows, row, column));
}

static stoa_err find_broken(struct stoa_req *req, struct stoa_json *findings)
{
    static const char *const numbers[] = {"initial", "received",       "available", "reserved",
                                          "sold",    "lines_reserved", "lines_sold"};
    struct stoa_arena *arena = stoa_req_arena(req);
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &broken_stock, STOA_NO_ARGS, &rows));
    for (uint32_t i = 0; i < stoa_rows_count(rows); i++) {
        struct stoa_json *f = stoa_json_push(findings, stoa_json_object(arena));

        stoa_json_set_str(f, "code", STOA_STR("stock"));
        stoa_json_set_str(
            f, "detail",
            stoa_concat(arena, STOA_STR("stock does not add up: "), stoa_rows_str(rows, i, "sku")));
        stoa_json_set_column(f, rows, i, "sku");
        for (uint32_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
            set_int(f, rows, i, numbers[n]);
    }
    return STOA_OK;
}

static stoa_err add_totals(struct stoa_req *req, struct stoa_json *report)
{
    struct stoa_json *totals = stoa_json_object(stoa_req_arena(req));
    const struct stoa_rows *rows;

    STOA_TRY(stoa_sql(req, &stock_totals, STOA_NO_ARGS, &rows));
    set_int(totals, rows, 0, "stocked_units");
    set_int(totals, rows, 0, "available_units");
    set_int(totals, rows, 0, "reserved_units");
    set_int(totals, rows, 0, "sold_units");
    stoa_json_set(report, "totals", totals);
    return STOA_OK;
}

stoa_err sql_audit(struct stoa_req *req, struct stoa_json *findings, struct stoa_json *report)
{
    STOA_TRY(find_broken(req, findings));
    return add_totals(req, report);
}
