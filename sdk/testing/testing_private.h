/* testing_private.h: what the kit's files share. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTING_PRIVATE_H
#define TESTING_PRIVATE_H

#include "testing.h"

/* The set-up went wrong: a test cannot go on. */
void t_fail(const char *what, const char *why) __attribute__((noreturn));
void t_store_open(const char *path);
void t_store_close(void);
void t_visits_begin(void);
void t_visits_end(void); /* on the loop's thread */

#endif
