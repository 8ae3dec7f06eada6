/* store_sql.h: the parts of the sql store, each in its file. SPDX-License-Identifier: Apache-2.0 */
#ifndef PRODUCT_STORE_SQL_H
#define PRODUCT_STORE_SQL_H

#include "product.h"

/* The column's amount in the row's column "currency". */
stoa_money row_money(const struct stoa_rows *rows, uint32_t row, const char *column);

/* Ends tx: commits when the work went well, else rolls back and passes its error on. */
stoa_err sql_finish(struct stoa_tx *tx, stoa_err err);

/* store_sql_stock.c */
stoa_err sql_reserve(struct stoa_req *req, const struct catalogue_reserve *what,
                     catalogue_hold *ret, struct stoa_json **sold_out);
stoa_err sql_commit(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret);
stoa_err sql_release(struct stoa_req *req, stoa_str order_id, catalogue_hold *ret);
stoa_err sql_overdue(struct stoa_req *req, stoa_ms before, int64_t *ret);
stoa_err sql_stock_get(struct stoa_req *req, stoa_str sku, struct stoa_json **ret);
stoa_err sql_stock_set(struct stoa_req *req, stoa_str sku, int64_t available,
                       struct stoa_json **ret);

/* store_sql_edit.c */
stoa_err sql_create(struct stoa_req *req, const struct stoa_json *product, stoa_str *ret);
stoa_err sql_change(struct stoa_req *req, stoa_str id, int64_t version,
                    const struct stoa_json *product);
stoa_err sql_archive(struct stoa_req *req, stoa_str id);
stoa_err sql_import_first(struct stoa_req *req, const struct stoa_json *categories,
                          const struct stoa_json *products);

/* store_sql_audit.c */
stoa_err sql_audit(struct stoa_req *req, struct stoa_json *findings, struct stoa_json *report);

#endif
