/* errors.c: the table of stoa/errors.h as arrays. SPDX-License-Identifier: Apache-2.0 */
#include <stoa/errors.h>

struct error_row {
    const char *name;
    int32_t status;
    const char *text;
};

#define X(name, status, text) {#name, status, text},
static const struct error_row rows[] = {{"OK", 200, "Done"}, STOA_ERRORS(X)};
#undef X
static_assert(sizeof(rows) / sizeof(rows[0]) == STOA_E_COUNT, "one row an error");

/* A number that a plugin made up is our fault to show, not the buyer's. */
static const struct error_row *row_of(stoa_err err)
{
    uint32_t index = (uint32_t)err < STOA_E_COUNT ? (uint32_t)err : (uint32_t)STOA_E_INTERNAL;
    return &rows[index];
}

const char *stoa_err_name(stoa_err err)
{
    return row_of(err)->name;
}
int32_t stoa_err_status(stoa_err err)
{
    return row_of(err)->status;
}
const char *stoa_err_text(stoa_err err)
{
    return row_of(err)->text;
}
