/* base/thread.h: threads that serve. SPDX-License-Identifier: Apache-2.0 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* Starts a thread with every signal blocked but those of its own faults, since signals are the main
 * thread's business, and with the ordinary priority, also where work runs aside. name: at most 15
 * bytes. ret: to be joined; NULL: nobody joins it. False with errno: there are too many threads. */
bool thread_start(const char *name, void *(*run)(void *arg), void *arg, pthread_t *ret);

#endif
