/* testing.h: a shop in a test: the real host with plugins that are structs in the test's file, no
 * sockets, databases of its own. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTING_H
#define TESTING_H

#include "plugin/request.h"
#include "resource/sql/sql.h"
#include <stoa/stoa.h>

struct t_plugin {
    const char *name;
    const struct stoa_plugin_v1 *desc;
    const char *settings; /* JSON, as plugins = { name = {…} } in config.lua; NULL: none */
};

struct t_shop {
    const struct t_plugin *plugins; /* in the order in which points are asked */
    uint32_t plugin_count;
    const char *sql;           /* makes the plugins' tables; NULL: none */
    const char *port;          /* "loopback"; NULL: "local" */
    const char *theme;         /* folder; NULL: nothing can be rendered */
    uint32_t event_backoff_ms; /* 0: 1,000 */
};

/* Opens the shop, runs body on a fiber of its loop, closes it. One at a time. */
void t_run(const struct t_shop *what, void (*body)(void));
/* A test of the file's own t_shop. */
#define STOA_TEST(name)                                                                            \
    static void name(void);                                                                        \
    Test(stoa, name)                                                                               \
    {                                                                                              \
        t_run(&t_shop, name);                                                                      \
    }                                                                                              \
    static void name(void)

/* The shop's folder, its database, and memory until the test ends. */
const char *t_folder(void);
struct sql *t_sql(void);
struct stoa_arena *t_arena(void);
struct world *t_world(void);

/* ---- Visitors. A path may have a query. Each returns the status; the rest is in t_answer(). ----
 */
int32_t t_get(const char *path);
int32_t t_post(const char *path, const char *json); /* json NULL: no body */
struct t_visit {
    const char *method, *path, *type, *body; /* type NULL: application/json when there is a body */
    const char *key;                         /* Idempotency-Key */
    const char *headers[16];                 /* name, value, name, value …; names in lower case */
    const char *host;                        /* NULL: "127.0.0.1:8080" */
    const char *client;                      /* NULL: "192.0.2.1" */
    bool is_https;
};
int32_t t_visit(const struct t_visit *visit);
struct t_answer {
    int32_t status;
    stoa_str body;
    const struct stoa_json *json; /* NULL when the body is none */
    const struct stoa_req *req;
};
const struct t_answer *t_answer(void);
/* Of the last answer; ptr is NULL when it is not there. */
stoa_str t_header(const char *name);

/* A request of the host's own to the plugin, as events and jobs have: for calling the SDK directly
 * (port "local"). */
struct stoa_req *t_request(const char *plugin);

/* ---- The database, past the host ---- */
int64_t t_rows(const char *table);
int64_t t_number(const char *query); /* first cell of the first row; 0 without one */
void t_script(const char *text);
void t_empty(void); /* deletes every row but the migrations' */

/* ---- Events ---- */
/* Waits until no event can be delivered now: none is left, or the rest waits for its next try. */
void t_settle(void);

/* ---- Faults ---- */
struct t_fault {
    const char *place;
    uint32_t n;
};
bool t_fault_next(struct t_fault *fault);
/* The body once for each passage of the place (base/fault.h), which fails with STOA_E_STORE then,
 * on an empty database; ends when the place is not reached that often. */
#define FOR_EACH_FAULT(place_) for (struct t_fault fault_ = {place_, 0}; t_fault_next(&fault_);)

#endif
