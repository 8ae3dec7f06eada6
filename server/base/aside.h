/* base/aside.h: work that only computes, done while others serve. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

/* Runs work(arg) in a thread that all others come before, and waits for its end: on a busy machine
 * it has what the loops leave. A thread of its own each time (some 50 us), as priority is easily
 * given up and not had back, and children that are started there would have none either: work
 * starts none. When no thread can be made it runs here. */
void aside_run(void (*work)(void *arg), void *arg);

#endif
