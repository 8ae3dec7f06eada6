/* assert.c: the end of a process whose state can no longer be believed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <stoa/api.h>
#include <unistd.h>

void stoa_assert_failed(const char *fact, const char *file, int32_t line)
{
    char text[512];
    int len = snprintf(text, sizeof(text), "%s:%d: not true: %s\n", file, line, fact);

    if (len > (int)sizeof(text) - 1)
        len = sizeof(text) - 1;
    /* write(2), because a stdio lock may be held by what failed. */
    if (len > 0 && write(STDERR_FILENO, text, (size_t)len) < 0)
        _exit(134);
    abort();
}
