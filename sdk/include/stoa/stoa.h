/* stoa/stoa.h: all that a plugin may know, in one header.
 *
 * ABI changelog (major.minor; released entities never change, additions go to the end)
 *   1.0  first
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef STOA_STOA_H
#define STOA_STOA_H

#include "api.h"
#include "arena.h"
#include "call.h"
#include "effects.h"
#include "errors.h"
#include "id.h"
#include "json.h"
#include "money.h"
#include "plugin.h"
#include "request.h"
#include "sql.h"
#include "str.h"
#include "time.h"
#include "value.h"
#include "write.h"

#endif
