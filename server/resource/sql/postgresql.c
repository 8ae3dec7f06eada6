/* SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/driver.h"
static stoa_err nope(const struct sql_options *options, struct diag *diag, struct sql **ret)
{
    diag_set(diag, "", 0, 0, "PostgreSQL is not built in");
    return STOA_E_CONFIG;
}
const struct sql_driver postgresql_driver = {.open = nope, .is_postgresql = true};
