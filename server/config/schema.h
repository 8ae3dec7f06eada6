/* config/schema.h: every key of config.lua, once: type, default, range, help. The check, the
 * defaults and the operator guide's list all come from this table (keys.c).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stoa/str.h>

enum config_type {
    CONFIG_STRING,
    CONFIG_INT,
    CONFIG_BOOL,
    CONFIG_SIZE,     /* "64MiB"; bytes in the effective configuration */
    CONFIG_DURATION, /* "10s"; milliseconds in the effective configuration */
    CONFIG_CHOICE,   /* one of .choices */
    CONFIG_LIST,     /* of strings */
    CONFIG_STRINGS,  /* a string, or a list of strings; a list in the effective configuration */
    CONFIG_NAMES,    /* a list of strings, or "*" for all */
    CONFIG_SECRET,   /* a string or stoa.secret(); never printed */
    CONFIG_LISTEN,   /* a list of addresses and of what stoa.tls() returns: section "stoa.tls" */
    CONFIG_GROUP,    /* a table of keys: section "<section>.<name>" */
    CONFIG_MAP,      /* a table of tables by name: section "<section>.<name>.*" */
    CONFIG_RESOURCE, /* what stoa.sqlite() and its like return: section "stoa.<kind>" */
    CONFIG_LATER,    /* known, and refused: this version does not have it */
    CONFIG_TYPES,
};

struct config_key {
    const char *section; /* "", "limits", "nodes.*", "stoa.sqlite" */
    const char *name;
    enum config_type type;
    bool required;
    const char *otherwise; /* as it would be written; lists separated by spaces; NULL: none */
    int64_t min,
        max; /* of the number, or of the string's length; both 0: no limit but 4,096 bytes */
    const char *choices; /* separated by spaces */
    const char *help;
};

extern const struct config_key config_keys[];
extern const uint32_t config_key_count;

/* The key called name of section, or NULL. */
const struct config_key *config_key_find(const char *section, stoa_str name);

/* What a stoa.<kind> {…} is good for. */
struct config_kind {
    const char *name;    /* "sqlite" */
    const char *use;     /* "sql", "cache" …: of what it is a resource */
    const char *instead; /* this version does not have it: what to use; NULL: it has */
};
extern const struct config_kind config_kinds[];
extern const uint32_t config_kind_count;
const struct config_kind *config_kind_find(stoa_str name);
/* The use of the resource called name: "cache" for cache …; "sql" for any name of its own. */
const char *config_use_of(stoa_str name);

/* "64MiB", "4KiB", "1GiB", "512", in bytes. False for anything else. */
bool config_parse_size(stoa_str text, int64_t *ret);
/* "250ms", "10s", "15min", "2h", "7d", in milliseconds. False for anything else. */
bool config_parse_duration(stoa_str text, int64_t *ret);

#endif
