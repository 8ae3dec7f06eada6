/* plugin/settings.h: a plugin's table of config.lua, with the defaults of its own schema.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_SETTINGS_H
#define PLUGIN_SETTINGS_H

#include "config/config.h"
#include <stoa/plugin.h>

enum { SETTINGS_MAX = 64 };

/* Reads the schema out of the span, checks the table at path ("plugins.order") against it, and
 * keeps typed values, copied. STOA_E_CONFIG with *diag telling the line otherwise. */
STOA_NODISCARD stoa_err settings_create(const struct config *config, const char *path,
                                        const struct stoa_span *schema, struct diag *diag,
                                        struct stoa_settings **ret);
/* The same from a table that was checked before; its schema's defaults may still be wrong. */
STOA_NODISCARD stoa_err settings_read(const struct stoa_json *table, const struct stoa_span *schema,
                                      struct diag *diag, struct stoa_settings **ret);
/* The plugin's table at path with values in the place of secrets' handles, of strings of its
 * schema, or of all for which none is given (NULL): for that plugin alone, and never to be printed.
 */
const struct stoa_json *settings_table(const struct config *config, const char *path,
                                       const struct stoa_span *schema, struct stoa_arena *arena);
void settings_destroy(struct stoa_settings *settings); /* NULL is fine */

#endif
