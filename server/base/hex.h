/* base/hex.h: bytes as lower-case hexadecimal digits. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include <stoa/str.h>

/* Writes 2 × len digits at out, no NUL. */
void hex_encode(const void *bytes, uint64_t len, char *out);
/* Reads exactly 2 × len lower-case digits; false when there is anything else (*ret is then
 * nothing to be used). */
bool hex_decode(stoa_str text, void *ret, uint64_t len);
/* Only 0-9 and a-f, and at least one. */
bool hex_is(stoa_str text);

#endif
