/* base/field.h: the value of a field in a head of HTTP. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

/* The first byte from at on that no value can hold (RFC 9110 §5.5), a control character other than
 * the tab, or end. Eight bytes a step; bytes from 0x80 on pass. */
const char *field_value_end(const char *at, const char *end);

#endif
