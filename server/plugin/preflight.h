/* plugin/preflight.h: what a plugin's file must be before any of it is mapped (design: sdk.md,
 * ABI). Pure: bytes in, verdict out. SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_PREFLIGHT_H
#define PLUGIN_PREFLIGHT_H

#include "base/diag.h"
#include <stoa/plugin.h>

struct preflight {
    struct stoa_manifest_note manifest; /* strings NUL-terminated */
    bool is_pure; /* no writable data, constructors or foreign libraries: may be unmapped */
};

/* file: for messages. STOA_E_ABI or STOA_E_PLUGIN with *diag saying what and how to mend it. Any
 * bytes are safe. */
STOA_NODISCARD stoa_err preflight_check(const char *file, stoa_str bytes, struct diag *diag,
                                        struct preflight *ret);
/* Only the manifest, of a file that may fail the rest. */
STOA_NODISCARD stoa_err preflight_manifest(const char *file, stoa_str bytes, struct diag *diag,
                                           struct stoa_manifest_note *ret);
/* A host with sanitizers or coverage lets their data, constructors and libraries pass. */
bool preflight_is_relaxed(void);

#endif
