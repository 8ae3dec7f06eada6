/* config/check.h: the configuration as it was written, checked against the schema and completed
 * with its defaults. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H

#include "base/diag.h"
#include "config/scan.h"
#include "config/schema.h"
#include <stoa/json.h>

/* One check of one file: where problems go. Of several the first in the file is kept and the rest
 * counted. */
struct check {
    struct stoa_arena *arena;
    const char *file;
    stoa_str text;
    const struct scan *scan;
    struct diag *diag;
    uint32_t problems;
    struct stoa_json *secrets; /* array of the paths that hold secrets */
};

/* Fills diag's file, line, column and source with where path stands. */
void check_place(const struct check *check, const char *path, struct diag *diag);
/* Reports a problem at path. What stands behind "; " in the message is the hint. */
void check_problem(struct check *check, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* STOA_OK when there was no problem, else STOA_E_CONFIG, with "(and 2 more)" added to the message.
 */
stoa_err check_end(struct check *check);
/* "a string", "a table" … as an operator would say it. */
const char *check_kind(const struct stoa_json *json);

/* given completed: every key of the schema is there, sizes and durations are numbers. What is wrong
 * went to check_problem(); the tree is then of no use. */
struct stoa_json *check_fill(struct check *check, const struct stoa_json *given);
/* What no single key can tell: names that refer to others, addresses, http in the open. */
void check_relations(struct check *check, const struct stoa_json *filled);
/* "127.0.0.1", "::1", "localhost", with or without brackets. */
bool check_is_loopback(stoa_str host);
/* scheme://host[:port]; host without port and brackets, port with ":" or empty. */
struct check_url {
    stoa_str scheme, host, port;
};
bool check_url_parse(stoa_str url, struct check_url *ret);

#endif
