/* base/aside.h: work for nobody who waits, done while others serve. SPDX-License-Identifier:
 * Apache-2.0 */
#ifndef BASE_ASIDE_H
#define BASE_ASIDE_H

/* Runs work(arg) in a thread that all others come before, and waits for its end: on a busy machine
 * it has what the loops leave. One thread for all such work, as priority is easily given up and not
 * had back: callers wait for each other, and work runs nothing aside itself. When that thread
 * cannot be made it runs here. */
void aside_run(void (*work)(void *arg), void *arg);
/* For what work begins and others are served by, or wait for: threads and children inherit the
 * priority that they are started with, and a lock is held for as long. Runs start(arg) in the
 * thread that waits in aside_run(), and waits for its end; where nothing runs aside, here. start
 * runs nothing aside. */
void aside_start(void (*start)(void *arg), void *arg);
/* Makes the thread now, so that no work waits for that. */
void aside_prepare(void);

#endif
