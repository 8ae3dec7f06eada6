/* json_plain.h: texts that the formatter could have written. SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_PLAIN_H
#define JSON_PLAIN_H

#include <stoa/str.h>

/* Whether text is an array or object of which stoa_json_parse() makes a tree that
 * stoa_json_format() writes as the very same bytes: compact, no escapes, whole numbers only, at
 * most 4 KiB, 8 levels and 16 members an object. Documents that a plugin has stored mostly are. A
 * text that is not may be JSON all the same. */
bool json_is_plain(stoa_str text);

#endif
