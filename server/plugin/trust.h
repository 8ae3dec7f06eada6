/* plugin/trust.h: whose plugins are loaded. A signature is a line in <plugin>.so.sig, Ed25519 over
 * the SHA-256 of the bits; the keys are trust = { keys = { "name:hex" } } of config.lua
 * (docs/adr/0014-trust-and-trial.md). SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_TRUST_H
#define PLUGIN_TRUST_H

#include "plugin/bits.h"
#include <stoa/json.h>

enum { TRUST_LINE_MAX = 256 }; /* of a signature or a key, with its end */

/* trust: that table of the configuration; NULL: no keys, nothing required. Fills in bits' signer,
 * signature and is_shipped. STOA_E_PLUGIN with *diag when a signature of a known key is not one of
 * these bits; with trust.require also when there is none, or none of a known key. */
STOA_NODISCARD stoa_err trust_check(const struct stoa_json *trust, struct plugin_bits *bits,
                                    struct diag *diag);
/* The folder beside the binary. Who may write there may replace the binary, too. */
void trust_shipped_folder(char ret[PATH_MAX]);
/* "acme:64 hex digits"; name may be NULL. False for anything else. */
bool trust_parse_key(stoa_str text, stoa_str *name, unsigned char ret[32]);
/* A new pair of keys: the line for a file that only its owner may read, and that for config.lua. */
bool trust_make_key(const char *name, char secret[TRUST_LINE_MAX], char open[TRUST_LINE_MAX]);
/* The line for <plugin>.so.sig; false when secret is no line of trust_make_key(). */
bool trust_sign(stoa_str secret, const char *sha256, char ret[TRUST_LINE_MAX]);

#endif
