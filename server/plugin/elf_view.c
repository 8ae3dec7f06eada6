/* plugin/elf_view.c: bounds first, pointers after. SPDX-License-Identifier: Apache-2.0 */
#include "plugin/elf_view.h"

#if defined(__x86_64__)
#define ELF_MACHINE_HERE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE_HERE EM_AARCH64
#else
#error "plugins are loaded on x86_64 and aarch64 only"
#endif

enum { SEGMENTS_MAX = 64, SECTIONS_MAX = 512 };

static bool inside(stoa_str bytes, uint64_t offset, uint64_t len)
{
    return offset <= bytes.len && len <= bytes.len - offset;
}

static bool refuse(const char **reason, const char *why)
{
    *reason = why;
    return false;
}

static bool check_header(const struct elf_view *elf, const char **reason)
{
    const Elf64_Ehdr *h = elf->header;

    if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(reason, "it is no ELF file");
    if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB)
        return refuse(reason, "it is not for a 64-bit little-endian machine");
    if (h->e_machine != ELF_MACHINE_HERE)
        return refuse(reason, "it was built for another kind of processor");
    if (h->e_type != ET_DYN)
        return refuse(reason, "it is no shared object");
    if (h->e_phentsize != sizeof(Elf64_Phdr) || h->e_phnum == 0 || h->e_phnum > SEGMENTS_MAX)
        return refuse(reason, "its program headers are broken");
    if (h->e_shentsize != sizeof(Elf64_Shdr) || h->e_shnum == 0 || h->e_shnum > SECTIONS_MAX)
        return refuse(reason, "it has no section headers (was it stripped too far?)");
    return true;
}

static bool check_segments(const struct elf_view *elf, const char **reason)
{
    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *p = &elf->segments[i];
        if (!inside(elf->bytes, p->p_offset, p->p_filesz) || p->p_filesz > p->p_memsz)
            return refuse(reason, "it is cut short: a segment lies beyond its end");
    }
    return true;
}

bool elf_view_open(stoa_str bytes, struct elf_view *ret, const char **reason)
{
    struct elf_view elf = {.bytes = bytes};

    if (bytes.len < sizeof(Elf64_Ehdr))
        return refuse(reason, "it is too short for an ELF file");
    if ((uintptr_t)bytes.ptr % _Alignof(Elf64_Ehdr) != 0)
        return refuse(reason, "its copy in memory is not aligned");
    elf.header = (const Elf64_Ehdr *)bytes.ptr;
    if (!check_header(&elf, reason))
        return false;
    elf.segment_count = elf.header->e_phnum;
    elf.section_count = elf.header->e_shnum;
    if (!inside(bytes, elf.header->e_phoff, elf.segment_count * sizeof(Elf64_Phdr)) ||
        !inside(bytes, elf.header->e_shoff, elf.section_count * sizeof(Elf64_Shdr)) ||
        elf.header->e_phoff % 8 != 0 || elf.header->e_shoff % 8 != 0)
        return refuse(reason, "it is cut short: its headers lie beyond its end");
    elf.segments = (const Elf64_Phdr *)(bytes.ptr + elf.header->e_phoff);
    elf.sections = (const Elf64_Shdr *)(bytes.ptr + elf.header->e_shoff);
    if (!check_segments(&elf, reason))
        return false;
    if (elf.header->e_shstrndx < elf.section_count)
        elf.section_names = elf_section_bytes(&elf, elf.header->e_shstrndx);
    *ret = elf;
    return true;
}

stoa_str elf_section_bytes(const struct elf_view *elf, uint32_t index)
{
    const Elf64_Shdr *s = &elf->sections[index];

    if (s->sh_type == SHT_NOBITS || !inside(elf->bytes, s->sh_offset, s->sh_size))
        return (stoa_str){0};
    return (stoa_str){elf->bytes.ptr + s->sh_offset, s->sh_size};
}

const char *elf_string(stoa_str table, uint64_t offset)
{
    if (offset >= table.len || !memchr(table.ptr + offset, '\0', table.len - offset))
        return "";
    return table.ptr + offset;
}

const char *elf_section_name(const struct elf_view *elf, uint32_t index)
{
    return elf_string(elf->section_names, elf->sections[index].sh_name);
}

int32_t elf_section_of_type(const struct elf_view *elf, uint32_t type)
{
    for (uint32_t i = 0; i < elf->section_count; i++)
        if (elf->sections[i].sh_type == type)
            return (int32_t)i;
    return -1;
}

int32_t elf_section_named(const struct elf_view *elf, const char *name)
{
    for (uint32_t i = 0; i < elf->section_count; i++)
        if (strcmp(elf_section_name(elf, i), name) == 0)
            return (int32_t)i;
    return -1;
}
