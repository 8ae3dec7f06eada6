/* config/config_private.h: what the files of this folder share. SPDX-License-Identifier: Apache-2.0
 */
#ifndef CONFIG_PRIVATE_H
#define CONFIG_PRIVATE_H

#include "config/check.h"
#include "config/config.h"

struct config_secret_value {
    stoa_str name, value;
};

struct config {
    struct stoa_arena *arena;
    uint32_t uses;    /* by worlds; one thread at a time counts */
    const char *file; /* folders and messages are relative to it */
    const char *read; /* where its text is */
    /* What else it was made of. NULL: not given, or of no matter. */
    const char *data, *node, *listen, *folder, *here;
    bool is_all;
    stoa_str text;
    stoa_str evaluated; /* what the text said: JSON; secrets are handles */
    bool is_pure;       /* nothing but the text was a part of it */
    const struct scan *scan;
    const struct stoa_json *json;
    const struct stoa_json *secret_paths; /* where a string is a secret too */
    struct config_secret_value *secrets;
    uint32_t secret_count;
    char hash[65];
};

enum { CONFIG_SECRETS_MAX = 64 };

/* Finds the value of every {"secret": name} in config->json: in STOA_SECRET_NAME, else in the file
 * secrets/name beside the configuration. STOA_E_CONFIG with *diag when one is nowhere. */
STOA_NODISCARD stoa_err config_secrets_read(struct config *config, struct diag *diag);
/* They have the values that a reading finds now. arena: for these, which are wiped. */
bool config_secrets_are_same(const struct config *config, struct stoa_arena *arena);
void config_secrets_wipe(struct config *config);
/* The name of a handle; empty when json is none. */
stoa_str config_secret_name(const struct stoa_json *json);
/* text as it may be printed: in an address ("…://…") without the user's password and without the
 * values of parameters that are called password, key, token and the like; without more of it when
 * it is not clear where a password ends. is_secret: "***" when it is no address. text itself or of
 * the arena. */
stoa_str config_mask(struct stoa_arena *arena, stoa_str text, bool is_secret);

#endif
