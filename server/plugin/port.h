/* plugin/port.h: the dozen effects that a plugin can have. The SDK's functions check what is true
 * everywhere and go through the instance's port; port/ has one implementation for each place where
 * a plugin can run. Data that crosses is values, bytes and stoa_json; never pointers into a plugin
 * (offload's function excepted: it runs where the plugin is). SPDX-License-Identifier: Apache-2.0
 */
#ifndef PLUGIN_PORT_H
#define PLUGIN_PORT_H

#include "plugin/request.h"
#include <stoa/stoa.h>

enum port_tx_note { PORT_TX_CREATES, PORT_TX_REPLY };
enum port_cache_op { PORT_CACHE_GET, PORT_CACHE_PUT, PORT_CACHE_DROP };

struct port_cache {
    enum port_cache_op op;
    stoa_str key, value, tags; /* DROP: tags is the one tag */
    int64_t ttl_ms;
};

struct stoa_port {
    const char *name;
    /* The way in: runs the handler with what the request carries, and brings its reply back. */
    stoa_err (*enter)(struct stoa_req *req, stoa_handler handler, void *self);
    /* The ways out. */
    stoa_err (*sql)(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                    const struct stoa_rows **ret);
    stoa_err (*tx_begin)(struct stoa_req *req);
    stoa_err (*tx_sql)(struct stoa_req *req, const struct stoa_stmt *stmt, struct stoa_values args,
                       const struct stoa_rows **ret);
    stoa_err (*tx_note)(struct stoa_req *req, enum port_tx_note note, int32_t status,
                        const struct stoa_json *json); /* CREATES: json is the id, a string */
    stoa_err (*tx_end)(struct stoa_req *req, bool commit);
    stoa_err (*emit)(struct stoa_req *req, const char *event, stoa_str aggregate,
                     const struct stoa_json *data);
    stoa_err (*cache)(struct stoa_req *req, const struct port_cache *question, stoa_str *ret);
    stoa_err (*call)(struct stoa_req *req, const struct stoa_call *call, struct stoa_answer *ret);
    stoa_err (*collect)(struct stoa_req *req, const char *point, const struct stoa_json *question,
                        const struct stoa_json **ret);
    stoa_err (*mail_send)(struct stoa_req *req, const struct stoa_mail *mail);
    stoa_err (*mail_list)(struct stoa_req *req, uint32_t limit, const struct stoa_json **ret);
    stoa_err (*render)(struct stoa_req *req, const char *page, const struct stoa_json *data,
                       stoa_str *ret);
    stoa_err (*asset)(struct stoa_req *req, stoa_str name, stoa_str *path);
    stoa_err (*offload)(struct stoa_req *req, void (*work)(void *arg), void *arg);
    stoa_err (*password)(struct stoa_req *req, stoa_str password, stoa_str hash, stoa_str *ret);
    stoa_err (*sleep)(struct stoa_req *req, int64_t ms);
    void (*log)(struct stoa_req *req, stoa_level level, const char *message,
                struct stoa_fields fields);
};

#endif
