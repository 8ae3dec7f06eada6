/* stoa/plugin.h: what a plugin exports: one data symbol that reads like a menu.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_PLUGIN_H
#define STOA_PLUGIN_H

#include "request.h"

#define STOA_ABI_MAJOR 1
#define STOA_ABI_MINOR 0

/* ---- Settings ---- */
typedef enum stoa_setting_type {
    STOA_SET_STRING = 1,
    STOA_SET_INT,
    STOA_SET_BOOL,
    STOA_SET_MONEY,
    STOA_SET_TABLE, /* any Lua table; read as JSON */
} stoa_setting_type;
struct stoa_setting {
    const char *name;
    uint32_t type; /* stoa_setting_type */
    bool required;
    uint8_t reserved[3];
    const char *otherwise; /* default as text ("5", "true", "4.50 EUR"); NULL: none */
    const char *help;
    int64_t min, max; /* for STOA_SET_INT; both 0 = no limit */
};
struct stoa_settings; /* checked against the schema: a required one is there */
STOA_API stoa_str stoa_setting_str(const struct stoa_settings *set, const char *name);
STOA_API int64_t stoa_setting_int(const struct stoa_settings *set, const char *name);
STOA_API bool stoa_setting_bool(const struct stoa_settings *set, const char *name);
STOA_API stoa_money stoa_setting_money(const struct stoa_settings *set, const char *name);
STOA_API const struct stoa_json *stoa_setting_json(const struct stoa_settings *set,
                                                   const char *name);

/* ---- Routes ---- */
typedef enum stoa_permit { /* nothing declared = refused at load */
                           STOA_ANYONE = 1,
                           STOA_CUSTOMER, /* logged in; "own things only" is checked in the
                                             statement */
                           STOA_STAFF,    /* with .permission */
                           STOA_INTERNAL, /* other plugins and the host only; a sandboxed
                                            one with the grant internal:<plugin> */
                           STOA_TOKEN, /* guests with a token of this cart or order, checked in the
                                          statement; customers; staff */
} stoa_permit;
struct stoa_route {
    uint32_t method; /* stoa_method */
    uint32_t reserved;
    const char
        *path; /* "/api/v1/carts/{id}"; {name} is one segment, {name*} at the end is the rest */
    stoa_handler handler;
    uint32_t permit;        /* stoa_permit */
    uint32_t body_max;      /* bytes; 0 = 65,536; at most 1 MiB */
    const char *permission; /* for STOA_STAFF: "orders:write" */
    uint32_t timeout_ms;    /* 0 = 10,000; at most 60,000 */
    uint32_t flags;         /* STOA_ROUTE_… */
};
enum {
    STOA_ROUTE_KEY_REQUIRED = 1, /* 400 without an Idempotency-Key */
    STOA_ROUTE_FORM = 2,         /* takes application/x-www-form-urlencoded; others take JSON */
    STOA_ROUTE_DEVELOPMENT = 4,  /* 404 in production */
    STOA_ROUTE_SECRET = 8,      /* its bodies hold secrets: nothing of them, nor a hash, is kept for
                                   repeats; an Idempotency-Key has no effect */
    STOA_ROUTE_IMPERSONAL = 16, /* a GET for STOA_ANYONE that is the same for everybody, as files
                                   are: who asks is not found out, the identity is a guest's */
};
static_assert(sizeof(struct stoa_route) == 48, "SDK ABI");

struct stoa_provide {
    const char *point; /* "cart.adjustments" */
    stoa_handler handler;
    bool required; /* its failure fails the whole; otherwise it is left out and reported */
    uint8_t reserved[7];
};
struct stoa_hear {
    const char *event; /* "order.paid" */
    stoa_handler handler;
};
struct stoa_job {
    const char *name; /* "recover" */
    stoa_handler handler;
    uint32_t every_ms;   /* 100 or more; once per database, on one loop of who holds the lease */
    uint32_t timeout_ms; /* 0 = 30,000; at most 600,000, and limits.retire once its world has been
                            replaced */
};

struct stoa_instance; /* one generation on one loop */
STOA_API struct stoa_arena *stoa_instance_arena(struct stoa_instance *in);

struct stoa_plugin_v1 {
    uint32_t size; /* sizeof, as the plugin knew it */
    uint16_t abi_major, abi_minor;
    struct stoa_span settings; /* struct stoa_setting */
    struct stoa_span routes;   /* struct stoa_route */
    struct stoa_span provides; /* struct stoa_provide */
    struct stoa_span hears;    /* struct stoa_hear */
    struct stoa_span jobs;     /* struct stoa_job */
    /* No I/O. NULL: the instance is NULL. *ret is `self` of every handler on this loop. */
    stoa_err (*create)(const struct stoa_settings *set, struct stoa_instance *in, void **ret);
    /* Last step that may fail before the plugin serves; once per loop, on a fiber. NULL: nothing.
     */
    stoa_err (*warm)(struct stoa_req *req, void *self);
    void (*cool)(void *self); /* stop starting things. NULL: nothing */
    void (*destroy)(
        void *self); /* after the last request. Arena memory needs none. NULL: nothing */
    /* `stoa seed`: puts demonstration data where there is none yet. NULL: nothing. */
    stoa_err (*seed)(struct stoa_req *req, void *self);
    /* `stoa audit`: pushes findings {code, detail, …} that break an invariant into the reply's
     * array under "findings", and totals for the host's cross-plugin sums under "totals". A long
     * one is made in parts: a reply with a string "next" is asked for again with {"after": next};
     * what the parts find is put together, their totals are added up. NULL: nothing. */
    stoa_err (*audit)(struct stoa_req *req, void *self);
};
static_assert(offsetof(struct stoa_plugin_v1, settings) == 8, "SDK ABI");
static_assert(sizeof(struct stoa_plugin_v1) == 136, "SDK ABI");

#define STOA_SETTINGS(...) STOA_SPAN(struct stoa_setting, __VA_ARGS__)
#define STOA_ROUTES(...) STOA_SPAN(struct stoa_route, __VA_ARGS__)
#define STOA_PROVIDES(...) STOA_SPAN(struct stoa_provide, __VA_ARGS__)
#define STOA_HEARS(...) STOA_SPAN(struct stoa_hear, __VA_ARGS__)
#define STOA_JOBS(...) STOA_SPAN(struct stoa_job, __VA_ARGS__)

/* The plugin's only exported symbol. */
#define STOA_PLUGIN(...)                                                                           \
    STOA_API extern const struct stoa_plugin_v1 stoa_plugin;                                       \
    const struct stoa_plugin_v1 stoa_plugin = {.size = sizeof(struct stoa_plugin_v1),              \
                                               .abi_major = STOA_ABI_MAJOR,                        \
                                               .abi_minor = STOA_ABI_MINOR,                        \
                                               __VA_ARGS__}

/* The manifest: an ELF note, read without running or mapping the plugin. The only place that says
 * name and version. capabilities: separated by spaces ("sql mail events:order.paid call:product").
 */
struct stoa_manifest_note {
    uint32_t name_size, desc_size, type; /* type 1; gABI note header */
    char owner[8];                       /* "Stoa" */
    uint16_t abi_major, abi_minor;
    char name[32];
    char version[20];
    char capabilities[256];
};
#define STOA_MANIFEST(name_, version_, capabilities_)                                              \
    __attribute__((section(".note.stoa"), used,                                                    \
                   aligned(4))) static const struct stoa_manifest_note stoa_manifest = {           \
        .name_size = 5,                                                                            \
        .desc_size =                                                                               \
            sizeof(struct stoa_manifest_note) - offsetof(struct stoa_manifest_note, abi_major),    \
        .type = 1,                                                                                 \
        .owner = "Stoa",                                                                           \
        .abi_major = STOA_ABI_MAJOR,                                                               \
        .abi_minor = STOA_ABI_MINOR,                                                               \
        .name = name_,                                                                             \
        .version = version_,                                                                       \
        .capabilities = capabilities_}

#endif
