/* config/config.h: config.lua, evaluated in a short-lived child, checked against the schema, and
 * immutable from then on. SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/diag.h"
#include <stoa/json.h>
#include <stoa/plugin.h>

struct config; /* owns an arena; every default is filled in */

/* Evaluates path (own child process: 2 s CPU, 256 MiB, no io/os/load/random) and checks the result.
 * STOA_E_CONFIG with *diag otherwise. data: --data DIR, or NULL for the file's own. node: --node or
 * NULL. */
struct config_source {
    const char *path;
    const char *origin; /* whose text path holds (a kept revision): folders, secrets and messages
                           are that file's. NULL: path's own */
    const char *data;
    const char *node;
    bool is_all; /* several nodes and none named: the whole shop, for work that serves nobody (seed)
                  */
    const char *listen; /* --listen 127.0.0.1:8081 replaces the node's listen; may be NULL */
    /* One that was loaded before: the same text is not evaluated again, unless it reads files, and
     * when nothing else differs (folder, values of secrets) *ret is that one once more, to be
     * destroyed once more. NULL: none. */
    const struct config *last;
    /* What the text said once (config_evaluated()): it is not asked again. Empty: it is. */
    stoa_str evaluated;
};
STOA_NODISCARD stoa_err config_load(const struct config_source *source, struct diag *diag,
                                    struct config **ret);
/* A configuration that no file has: json as it is, without defaults and checks. For the trial of a
 * plugin, which has nothing but its own table. */
STOA_NODISCARD stoa_err config_from_json(stoa_str json, struct config **ret);
/* As often as it was loaded. By one thread at a time, as loading is. */
void config_destroy(struct config *config);
/* The child's side: `stoa __config` reads name and text, and writes canonical JSON (or the diag).
 */
int config_child_main(void);

/* The whole effective configuration: every key of docs/operator-guide.md is there, sizes in bytes,
 * durations in milliseconds, folders absolute, secrets as handles {"secret": name}; "shop.name",
 * "limits.connections" … "node" is this node: name, listen, run ("*" or names), is_all for the
 * whole shop. A resource says "kind": "sqlite". */
const struct stoa_json *config_json(const struct config *config);
/* A path that the schema does not have is a bug, and asserted, but for those below "plugins". */
stoa_str config_str(const struct config *config, const char *path);
int64_t config_int(const struct config *config, const char *path);
bool config_bool(const struct config *config, const char *path);
/* SHA-256 of the canonical JSON as hex. */
const char *config_hash(const struct config *config);
/* Where a literal key stands in the file: fills *diag's file, line, column. */
void config_locate(const struct config *config, const char *path, struct diag *ret);
/* A problem with the value at path: place, line and message; add diag_hint() as needed. */
void config_problem(const struct config *config, const char *path, struct diag *diag,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Checks a plugin's own keys at path ("plugins.order") against the plugin's schema. The keys that
 * all plugins have are left alone. STOA_E_CONFIG with *diag otherwise. */
STOA_NODISCARD stoa_err config_check_table(const struct config *config, const char *path,
                                           const struct stoa_setting *schema, uint32_t count,
                                           struct diag *diag);
/* The value behind a secret handle or a plain string; never logged. */
stoa_str config_secret(const struct config *config, const char *path);
/* Do both say the same at path? The values behind secrets count, not their names alone. */
bool config_is_same(const struct config *a, const struct config *b, const char *path);
/* The file's own text, what it said (canonical JSON, of which config_hash() is the hash; files and
 * the environment are a part of it, secrets are handles), and its name as it was given. */
stoa_str config_text(const struct config *config);
stoa_str config_evaluated(const struct config *config);
const char *config_file(const struct config *config);
/* Effective configuration with secrets masked, for `stoa -T`. */
void config_print(const struct config *config, struct stoa_buf *out);
/* docs: every key with type, default, range and help, as Markdown. */
void config_reference(struct stoa_buf *out);

#endif
