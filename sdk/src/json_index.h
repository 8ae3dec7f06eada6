/* json_index.h: elements by position and by name in large containers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef JSON_INDEX_H
#define JSON_INDEX_H

#include "json_private.h"

/* Notes that value was appended (count includes it); begins the index when it is time to. */
void json_index_append(struct stoa_json *container, struct stoa_json *value);
/* The position of the member in an object that has an index, or -1. */
int64_t json_index_find(const struct stoa_json *object, stoa_str name);

#endif
