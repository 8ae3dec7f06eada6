/* base/random.h: chance: the kernel's for secrets, a fast one for what only must differ.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Unpredictable bytes (getrandom, read ahead by each thread and wiped when handed out). Any thread.
 * Never fails: without the kernel's chance the process ends. */
void random_bytes(void *ret, size_t len);
/* 64 bits that differ, but that who saw enough of them can predict: trace ids, back-off, sampling.
 * Never 0. */
uint64_t random_fast(void);

#endif
