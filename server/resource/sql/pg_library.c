/* resource/sql/pg_library.c: dlopen() once for all. SPDX-License-Identifier: Apache-2.0 */
#include "resource/sql/pg_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static const char file[] = "libpq.so.5";

struct pg_library pq;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char problem[SQL_ERROR_MAX]; /* empty: it is loaded */

static void load(void)
{
    static const struct {
        const char *name;
        void **function;
    } wanted[] = {
#define X(name) {"PQ" #name, (void **)&pq.name},
        PG_FUNCTIONS(X)
#undef X
    };
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

    if (!library) {
        snprintf(problem, sizeof problem, "%s", dlerror());
        return;
    }
    for (uint32_t i = 0; !problem[0] && i < sizeof wanted / sizeof *wanted; i++)
        if (!(*wanted[i].function = dlsym(library, wanted[i].name)))
            snprintf(problem, sizeof problem, "%s has no %s", file, wanted[i].name);
}

stoa_err pg_library_load(char error[SQL_ERROR_MAX])
{
    pthread_once(&once, load);
    if (!problem[0])
        return STOA_OK;
    snprintf(error, SQL_ERROR_MAX, "%s", problem);
    return STOA_E_CONFIG;
}
