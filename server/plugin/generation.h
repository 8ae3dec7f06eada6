/* plugin/generation.h: one loaded copy of one plugin's .so: verified bits are the loaded bits.
 * Worlds share it as long as neither bits nor settings change (docs/adr/0017-sharing.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_GENERATION_H
#define PLUGIN_GENERATION_H

#include "plugin/bits.h"
#include <stoa/plugin.h>

struct generation {
    char name[32];
    char version[20];
    char capabilities[256];
    char sha256[65];
    struct file_stamp file; /* where these bits were read last; the loader's thread only */
    char signer[32];        /* see bits.h */
    char signature[256];    /* what was beside its file */
    uint64_t number;        /* never used twice in this process */
    uint32_t uses;          /* worlds that have it; the loader's thread only */
    bool is_pure;           /* may be unmapped; see preflight.h */
    bool is_shipped;        /* see bits.h, as for is_ours */
    bool is_ours;
    bool is_kept; /* apply/history.c has its bits; the loader's thread only */
    int fd; /* of the sealed copy; open as long as it is mapped (dlopen knows it by this path) */
    void *dl;
    struct stoa_plugin_v1 desc; /* the plugin's, zero-extended to what this host knows */
    struct stoa_settings *settings;
    /* Why it does not serve; NULL: it does. Then one world only has it. */
    const char *_Atomic left_out;
    uint32_t events_max;     /* that it may emit a second; 0: any number */
    _Atomic uint64_t events; /* the second (monotonic) and, below it, how many it was */
    /* Of one that runs in a sandbox; see sandbox.h. */
    char why_confined[200];
    bool is_confined;
    bool is_trusted;   /* shipped with the binary, or said so: has what its manifest asks for */
    char granted[512]; /* words, see port/grants.h */
    const struct sandbox_ops *placed;
    struct sandbox *sandbox;
};

struct config;
/* Maps bits and takes their descriptor. config: its table there is checked against the plugin's
 * schema. STOA_E_ABI or STOA_E_PLUGIN with *diag otherwise, STOA_E_CONFIG for its settings. */
STOA_NODISCARD stoa_err generation_map(struct plugin_bits *bits, const struct config *config,
                                       struct diag *diag, struct generation **ret);
struct sandbox_ops;
struct world_options;
/* Puts bits into a sandbox, which takes their descriptor. *diag as above. */
STOA_NODISCARD stoa_err generation_place(struct plugin_bits *bits,
                                         const struct world_options *options, struct diag *diag,
                                         struct generation **ret);
/* plugin_bits_open() and generation_map(). */
STOA_NODISCARD stoa_err generation_open(const char *path, const struct config *config,
                                        const char *expected_name, struct diag *diag,
                                        struct generation **ret);
/* One use more. */
struct generation *generation_share(struct generation *generation);
/* One use less. After the last nothing points into it. NULL is fine. One that is not pure stays
 * mapped, and is counted. */
void generation_close(struct generation *generation);
/* Generations open now, and how many were closed but had to stay mapped. Any thread. */
struct generation_counts {
    uint64_t alive, kept;
};
struct generation_counts generation_count(void);

/* Somebody else's, in a sandbox: it gets nothing by being part of the shop. */
bool generation_is_stranger(const struct generation *generation);

/* Entry index of a span as this host's struct of size bytes: shorter entries are zero-extended. */
void span_read(const struct stoa_span *span, uint32_t index, void *ret, uint32_t size);

#endif
