/* resource/sql/pg_library.h: libpq, loaded when the first PostgreSQL is opened. It brings a good
 * twenty libraries along (Kerberos, LDAP, GnuTLS), whose linking is a third of what a process costs
 * to start, and every worker, sandbox and child that evaluates a configuration is one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef RESOURCE_SQL_PG_LIBRARY_H
#define RESOURCE_SQL_PG_LIBRARY_H

#include "resource/sql/driver.h"
#include <libpq-fe.h>

/* What is used of it, without the PQ in front. */
#define PG_FUNCTIONS(X)                                                                            \
    X(cancel)                                                                                      \
    X(clear)                                                                                       \
    X(cmdStatus)                                                                                   \
    X(cmdTuples)                                                                                   \
    X(connectdbParams)                                                                             \
    X(conninfoFree)                                                                                \
    X(conninfoParse)                                                                               \
    X(consumeInput)                                                                                \
    X(enterPipelineMode)                                                                           \
    X(errorMessage)                                                                                \
    X(exec)                                                                                        \
    X(execParams)                                                                                  \
    X(finish)                                                                                      \
    X(flush)                                                                                       \
    X(fname)                                                                                       \
    X(freeCancel)                                                                                  \
    X(ftype)                                                                                       \
    X(getCancel)                                                                                   \
    X(getResult)                                                                                   \
    X(getisnull)                                                                                   \
    X(getlength)                                                                                   \
    X(getssl)                                                                                      \
    X(getvalue)                                                                                    \
    X(gssEncInUse)                                                                                 \
    X(isBusy)                                                                                      \
    X(nfields)                                                                                     \
    X(ntuples)                                                                                     \
    X(pipelineSync)                                                                                \
    X(resultErrorField)                                                                            \
    X(resultMemorySize)                                                                            \
    X(resultStatus)                                                                                \
    X(sendPrepare)                                                                                 \
    X(sendQuery)                                                                                   \
    X(sendQueryParams)                                                                             \
    X(sendQueryPrepared)                                                                           \
    X(setNoticeReceiver)                                                                           \
    X(setnonblocking)                                                                              \
    X(socket)                                                                                      \
    X(sslInUse)                                                                                    \
    X(status)                                                                                      \
    X(transactionStatus)

struct pg_library {
#define X(name) __typeof__(&PQ##name) name;
    PG_FUNCTIONS(X)
#undef X
};
extern struct pg_library pq; /* pq.exec(…) is PQexec(…) */

/* Any thread; before anything of pq is called. It stays loaded. STOA_E_CONFIG with error filled. */
STOA_NODISCARD stoa_err pg_library_load(char error[SQL_ERROR_MAX]);

#endif
