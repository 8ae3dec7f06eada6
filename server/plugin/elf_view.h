/* plugin/elf_view.h: reading a 64-bit little-endian ELF file without trusting a byte of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef PLUGIN_ELF_VIEW_H
#define PLUGIN_ELF_VIEW_H

#include <elf.h>
#include <stoa/str.h>

struct elf_view {
    stoa_str bytes;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *segments;
    uint32_t segment_count;
    const Elf64_Shdr *sections;
    uint32_t section_count;
    stoa_str section_names;
};

/* False when the file is no ELF object that this machine loads, or is cut short; *reason says
 * which. */
bool elf_view_open(stoa_str bytes, struct elf_view *ret, const char **reason);
/* The section's bytes; empty when it has none or they lie outside the file. */
stoa_str elf_section_bytes(const struct elf_view *elf, uint32_t index);
const char *elf_section_name(const struct elf_view *elf, uint32_t index); /* "" when broken */
/* First section of that type or name; -1 when there is none. */
int32_t elf_section_of_type(const struct elf_view *elf, uint32_t type);
int32_t elf_section_named(const struct elf_view *elf, const char *name);
/* NUL-terminated string at offset of a string table; "" when it is not inside. */
const char *elf_string(stoa_str table, uint64_t offset);

#endif
