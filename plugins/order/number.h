/* order/number.h: the number that people read out on the telephone. Pure.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef ORDER_NUMBER_H
#define ORDER_NUMBER_H

#include <stoa/str.h>

/* "0A3F-9K2M-7QXZ": 7 characters of time (64 ms each, since 2026; sortable until 2095) and 5 of
 * chance, so that nobody can count the shop's orders. Crockford base 32: no I, L, O, U. */
stoa_str number_make(struct stoa_arena *arena, int64_t now_ms, uint64_t chance);
/* As people type it: any case, with or without dashes. STOA_E_INVALID when it is none. */
STOA_NODISCARD stoa_err number_parse(struct stoa_arena *arena, stoa_str text, stoa_str *ret);

#endif
