/* Any bytes get a verdict: refused with a reason and a mend, or a manifest that can be trusted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf_view.h"
#include "plugin/preflight.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const struct stoa_manifest_note *m)
{
    stoa_assert(memchr(m->name, '\0', sizeof(m->name)) && m->name[0]);
    stoa_assert(memchr(m->version, '\0', sizeof(m->version)));
    stoa_assert(memchr(m->capabilities, '\0', sizeof(m->capabilities)));
    stoa_assert(m->abi_major == STOA_ABI_MAJOR && m->abi_minor <= STOA_ABI_MINOR);
}

/* Everything that the view hands out lies in the file. */
static void check_view(stoa_str bytes)
{
    struct elf_view elf;
    const char *reason = NULL;

    if (!elf_view_open(bytes, &elf, &reason)) {
        stoa_assert(reason && *reason);
        return;
    }
    for (uint32_t i = 0; i < elf.section_count; i++) {
        stoa_str section = elf_section_bytes(&elf, i);
        stoa_assert(!section.ptr || (section.ptr >= bytes.ptr && section.len <= bytes.len &&
                                     section.ptr + section.len <= bytes.ptr + bytes.len));
        stoa_assert(strlen(elf_section_name(&elf, i)) <= bytes.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct diag diag = {0};
    struct preflight found;
    char *copy = malloc(size ? size : 1); /* aligned, and watched at its end */
    stoa_str bytes = {copy, size};

    memcpy(copy, data, size);
    check_view(bytes);
    if (preflight_check("x.so", bytes, &diag, &found) == STOA_OK)
        check_manifest(&found.manifest);
    else
        stoa_assert(diag.message[0] && diag.hint[0]);
    free(copy);
    return 0;
}
