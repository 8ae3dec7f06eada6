/* plugin/trial.h: the first load of a plugin that did not come with the binary happens in a process
 * made for it, so that what hangs or crashes there never does it here
 * (docs/adr/0014-trust-and-trial.md). SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_TRIAL_H
#define PLUGIN_TRIAL_H

#include "config/config.h"
#include "plugin/bits.h"

enum {
    TRIAL_DEFAULT_MS = 10000,
    TRIAL_MEMORY_MIB = 512, /* address space; not in a build with sanitizers */
    TRIAL_FILES_MAX = 64,   /* descriptors */
    TRIAL_KEPT = 256,       /* good ones that are remembered */
};

/* The program that is started as `stoa __trial NAME`; NULL: nothing is tried (unit tests). */
extern const char *trial_program;

/* Loads bits, calls create() with its table of config, and destroy(). Ends at once for shipped
 * bits, for those that have served, and for what this process has tried with the same settings.
 * STOA_E_PLUGIN with *diag naming step and signal or time when the process did not end by itself,
 * or could not load it. What create() returns is not judged: the load proper does that. The
 * loader's thread. */
STOA_NODISCARD stoa_err trial_run(const struct plugin_bits *bits, const struct config *config,
                                  struct diag *diag);
/* The child's side. */
int trial_child_main(int argc, char **argv);

#endif
