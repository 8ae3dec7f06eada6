/* What a plugin's file must be, and what is said when it is not. SPDX-License-Identifier:
 * Apache-2.0 */
#include "plugin/preflight.h"

#include "plugin/elf_view.h"
#include "toys.h"

static struct stoa_arena *arena;
static struct diag diag;
static struct preflight found;

static void start(void)
{
    arena = stoa_arena_create();
}

static void end(void)
{
    stoa_arena_destroy(arena);
}

TestSuite(preflight, .init = start, .fini = end);

static stoa_err check(stoa_str bytes)
{
    diag = (struct diag){0};
    return preflight_check("toy.so", bytes, &diag, &found);
}

static void refused(const char *name, stoa_err err, const char *message, const char *hint)
{
    cr_assert_eq(check(toy_bytes(arena, name)), err, "%s: %s", name, diag.message);
    cr_assert(strstr(diag.message, message), "%s: %s", name, diag.message);
    cr_assert(strstr(diag.hint, hint), "%s: %s", name, diag.hint);
    cr_assert_str_eq(diag.file, "toy.so");
}

Test(preflight, a_plugin_passes_and_says_who_it_is)
{
    cr_assert_eq(check(toy_bytes(arena, "toy")), STOA_OK, "%s", diag.message);
    cr_assert_str_eq(found.manifest.name, "toy");
    cr_assert_str_eq(found.manifest.version, "1.0.0");
    cr_assert_str_eq(found.manifest.capabilities, "sql");
    cr_assert_eq(found.is_pure, !preflight_is_relaxed());
}

Test(preflight, refuses_what_was_built_for_another_host)
{
    refused("sin_major", STOA_E_ABI, "SDK ABI 99.0, this host has 1.0", "build it again");
    refused("sin_minor", STOA_E_ABI, "SDK ABI 1.77", "update the host");
}

Test(preflight, refuses_what_does_not_say_who_it_is)
{
    refused("sin_no_manifest", STOA_E_PLUGIN, "it has no manifest", "STOA_MANIFEST");
    refused("sin_name", STOA_E_PLUGIN, "its manifest is broken", "lower-case");
    refused("sin_no_descriptor", STOA_E_PLUGIN, "does not export stoa_plugin", "STOA_PLUGIN");
}

Test(preflight, refuses_what_would_weaken_the_process)
{
    refused("sin_execstack", STOA_E_PLUGIN, "executable stack", "noexecstack");
    refused("sin_textrel", STOA_E_PLUGIN, "TEXTREL", "-fPIC");
    refused("sin_needed", STOA_E_PLUGIN, "may not bring: libz", "statically");
    refused("sin_ifunc", STOA_E_PLUGIN, "IFUNC): chosen", "ifunc");
    refused("sin_unique", STOA_E_PLUGIN, "process-wide symbol: unique_toy", "unique");
    refused("sin_static_tls", STOA_E_PLUGIN, "static TLS", "initial-exec");
}

Test(preflight, refuses_what_could_not_be_swapped)
{
    if (preflight_is_relaxed())
        cr_skip_test("a host with sanitizers lets these pass");
    refused("sin_constructor", STOA_E_PLUGIN, "runs code when it is loaded", "constructors");
    refused("sin_writable", STOA_E_PLUGIN, "writable data: .bss", "create()");
    refused("sin_import", STOA_E_PLUGIN, "calls what plugins may not: system", "SDK");
}

/* ---- Broken files ---- */

Test(preflight, a_file_cut_anywhere_is_refused)
{
    stoa_str whole = toy_bytes(arena, "toy");

    for (uint64_t len = 0; len < whole.len; len += len < 2048 ? 1 : 61) {
        char *copy = malloc(len ? len : 1);
        memcpy(copy, whole.ptr, len);
        cr_assert_neq(check((stoa_str){copy, len}), STOA_OK, "%d bytes", (int)len);
        cr_assert(diag.message[0] && diag.hint[0]);
        free(copy);
    }
}

Test(preflight, says_that_a_file_is_cut_short)
{
    stoa_str whole = toy_bytes(arena, "toy");

    cr_assert_eq(check((stoa_str){whole.ptr, 10}), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "too short"));
    cr_assert_eq(check((stoa_str){whole.ptr, whole.len - 1}), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "cut short"));
    cr_assert_eq(check(STOA_STR("#!/bin/sh\necho this is a script that somebody called a plugin, "
                                "and it is long enough\n")),
                 STOA_E_PLUGIN);
}

static char *exact_copy(stoa_str whole)
{
    char *copy = malloc(whole.len);

    memcpy(copy, whole.ptr, whole.len);
    return copy;
}

/* Any verdict is right but a crash, and what passes still says a whole name. */
static void flip_every_bit(stoa_str whole, uint64_t from, uint64_t len)
{
    char *copy = exact_copy(whole);

    for (uint64_t i = from; i < from + len; i++)
        for (int bit = 0; bit < 8; bit++) {
            copy[i] = (char)(copy[i] ^ (1 << bit));
            if (check((stoa_str){copy, whole.len}) == STOA_OK)
                cr_assert(strlen(found.manifest.name) > 0);
            else
                cr_assert(diag.message[0] && diag.hint[0]);
            copy[i] = (char)(copy[i] ^ (1 << bit));
        }
    free(copy);
}

static struct elf_view view(stoa_str whole)
{
    struct elf_view elf;
    const char *reason;

    cr_assert(elf_view_open(whole, &elf, &reason));
    return elf;
}

Test(preflight, any_flipped_bit_of_the_headers_is_survived)
{
    stoa_str whole = toy_bytes(arena, "toy");
    struct elf_view elf = view(whole);

    flip_every_bit(whole, 0, sizeof(Elf64_Ehdr));
    flip_every_bit(whole, elf.header->e_phoff, elf.segment_count * sizeof(Elf64_Phdr));
    flip_every_bit(whole, elf.header->e_shoff, elf.section_count * sizeof(Elf64_Shdr));
}

static const Elf64_Shdr *section(const struct elf_view *elf, int32_t index)
{
    cr_assert_geq(index, 0);
    return &elf->sections[index];
}

Test(preflight, any_flipped_bit_of_the_tables_is_survived)
{
    stoa_str whole = toy_bytes(arena, "toy");
    struct elf_view elf = view(whole);
    const Elf64_Shdr *note = section(&elf, elf_section_named(&elf, ".note.stoa"));
    const Elf64_Shdr *dynamic = section(&elf, elf_section_of_type(&elf, SHT_DYNAMIC));
    const Elf64_Shdr *symbols = section(&elf, elf_section_of_type(&elf, SHT_DYNSYM));

    flip_every_bit(whole, note->sh_offset, note->sh_size);
    flip_every_bit(whole, dynamic->sh_offset, dynamic->sh_size);
    flip_every_bit(whole, symbols->sh_offset, symbols->sh_size);
}

/* ---- Files that say one thing to us and another to the loader ---- */

static stoa_err check_changed(void (*change)(char *bytes, const struct elf_view *elf))
{
    stoa_str whole = toy_bytes(arena, "toy");
    char *copy = exact_copy(whole);
    struct elf_view elf = view((stoa_str){copy, whole.len});
    stoa_err err;

    change(copy, &elf);
    err = check((stoa_str){copy, whole.len});
    free(copy);
    return err;
}

static void make_rwx(char *bytes, const struct elf_view *elf)
{
    for (uint32_t i = 0; i < elf->segment_count; i++)
        if (elf->segments[i].p_type == PT_LOAD)
            ((Elf64_Phdr *)elf->segments)[i].p_flags |= PF_W | PF_X;
}

static void move_dynamic(char *bytes, const struct elf_view *elf)
{
    ((Elf64_Shdr *)elf->sections)[elf_section_of_type(elf, SHT_DYNAMIC)].sh_offset += 16;
}

static void move_symbols(char *bytes, const struct elf_view *elf)
{
    ((Elf64_Shdr *)elf->sections)[elf_section_of_type(elf, SHT_DYNSYM)].sh_addr += 24;
}

static void audit_instead(char *bytes, const struct elf_view *elf)
{
    Elf64_Dyn *d =
        (Elf64_Dyn *)(bytes + section(elf, elf_section_of_type(elf, SHT_DYNAMIC))->sh_offset);

    while (d->d_tag != DT_STRSZ)
        d++;
    d->d_tag = DT_AUDIT;
}

Test(preflight, refuses_what_only_the_loader_would_see)
{
    cr_assert_eq(check_changed(make_rwx), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "writable and executable"));
    cr_assert_eq(check_changed(move_dynamic), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "disagree"));
    cr_assert_eq(check_changed(move_symbols), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "disagree"));
    cr_assert_eq(check_changed(audit_instead), STOA_E_PLUGIN);
    cr_assert(strstr(diag.message, "may not bring"));
}
