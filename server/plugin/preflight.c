/* plugin/preflight.c: each rule is a function that finds its sin or passes; each refusal names the
 * reason and the mend. Reasons and reproductions: docs/adr/0004-preflight.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "plugin/preflight.h"

#include "plugin/elf_view.h"

#define FLAGS_HINT "build it with the flags of `pkg-config stoa-sdk`"

struct check {
    const struct elf_view *elf;
    const char *file;
    struct diag *diag;
    bool relaxed;
    stoa_str dynamic, dynamic_strings, symbols, symbol_strings;
    uint64_t symbols_address, strings_address; /* where the sections say they are */
};

bool preflight_is_relaxed(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(STOA_COVERAGE)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

static stoa_err refuse(struct check *c, const char *hint, const char *why, const char *what)
{
    diag_set(c->diag, c->file, 0, 0, "%s%s", why, what);
    diag_hint(c->diag, "%s", hint);
    return STOA_E_PLUGIN;
}

/* PF_X on the stack makes the host's own stack executable (glibc before 2.41). */
static stoa_err check_segments(struct check *c)
{
    for (uint32_t i = 0; i < c->elf->segment_count; i++) {
        const Elf64_Phdr *p = &c->elf->segments[i];
        if (p->p_type == PT_GNU_STACK && (p->p_flags & PF_X))
            return refuse(c, "link it with -Wl,-z,noexecstack", "it asks for an executable stack",
                          "");
        if (p->p_type == PT_LOAD && (p->p_flags & PF_W) && (p->p_flags & PF_X))
            return refuse(c, FLAGS_HINT, "it has memory that is writable and executable", "");
    }
    return STOA_OK;
}

static bool is_allowed_library(const struct check *c, const char *name)
{
    static const char *const allowed[] = {"libc.so.6", "libm.so.6", "libgcc_s.so.1",
                                          "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};

    for (uint32_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        if (strcmp(name, allowed[i]) == 0)
            return true;
    return c->relaxed &&
           (strncmp(name, "libasan", 7) == 0 || strncmp(name, "libubsan", 8) == 0 ||
            strncmp(name, "libclang_rt", 11) == 0 || strncmp(name, "libgcov", 7) == 0);
}

static bool runs_code(int64_t tag)
{
    return tag == DT_INIT || tag == DT_FINI || tag == DT_INIT_ARRAY || tag == DT_FINI_ARRAY ||
           tag == DT_PREINIT_ARRAY;
}

static stoa_err check_library(struct check *c, const Elf64_Dyn *d)
{
    const char *name = elf_string(c->dynamic_strings, d->d_un.d_val);

    if (d->d_tag == DT_NEEDED && is_allowed_library(c, name))
        return STOA_OK;
    return refuse(c, "link it statically with hidden symbols, or do the work through the SDK",
                  "it needs a library that plugins may not bring: ", name);
}

/* The loader follows these addresses, this file the sections: they must be the same. */
static stoa_err check_table(struct check *c, const Elf64_Dyn *d)
{
    uint64_t wanted = d->d_tag == DT_SYMTAB ? c->symbols_address : c->strings_address;

    if (d->d_un.d_ptr == wanted)
        return STOA_OK;
    return refuse(c, "copy or build it again", "its sections and its segments disagree", "");
}

static stoa_err check_dynamic_entry(struct check *c, const Elf64_Dyn *d)
{
    switch (d->d_tag) {
    case DT_TEXTREL:
        return refuse(c, "compile it with -fPIC", "its code needs relocation (TEXTREL)", "");
    case DT_FLAGS:
        if (d->d_un.d_val & DF_TEXTREL)
            return refuse(c, "compile it with -fPIC", "its code needs relocation (TEXTREL)", "");
        if (d->d_un.d_val & DF_STATIC_TLS)
            return refuse(c, "do not use -ftls-model=initial-exec", "it needs static TLS", "");
        return STOA_OK;
    case DT_NEEDED:
    case DT_AUXILIARY:
    case DT_FILTER:
    case DT_AUDIT:
    case DT_DEPAUDIT:
        return check_library(c, d);
    case DT_SYMTAB:
    case DT_STRTAB:
        return check_table(c, d);
    default:
        if (runs_code(d->d_tag) && !c->relaxed)
            return refuse(c, "link it with -nostartfiles and without constructors",
                          "it runs code when it is loaded", "");
        return STOA_OK;
    }
}

static stoa_err check_dynamic(struct check *c)
{
    uint64_t count = c->dynamic.len / sizeof(Elf64_Dyn);

    for (uint64_t i = 0; i < count; i++) {
        Elf64_Dyn d;
        memcpy(&d, c->dynamic.ptr + i * sizeof d, sizeof d);
        if (d.d_tag == DT_NULL)
            break;
        STOA_TRY(check_dynamic_entry(c, &d));
    }
    return STOA_OK;
}

/* Constructors run inside dlopen(), before anything about the plugin could be judged; writable data
 * is state that a swap would lose. */
static stoa_err check_sections(struct check *c)
{
    static const char *const writable_ok[] = {".data.rel.ro", ".got", ".got.plt", ".dynamic",
                                              ".tm_clone_table"};

    for (uint32_t i = 0; i < c->elf->section_count; i++) {
        const Elf64_Shdr *s = &c->elf->sections[i];
        const char *name = elf_section_name(c->elf, i);
        if (!(s->sh_flags & SHF_ALLOC) || s->sh_size == 0 || c->relaxed)
            continue;
        if (s->sh_type == SHT_INIT_ARRAY || s->sh_type == SHT_FINI_ARRAY ||
            s->sh_type == SHT_PREINIT_ARRAY)
            return refuse(c, "link it with -nostartfiles and without constructors",
                          "it runs code when it is loaded: ", name);
        bool ok = !(s->sh_flags & SHF_WRITE);
        for (uint32_t k = 0; k < sizeof writable_ok / sizeof *writable_ok; k++)
            ok = ok || strcmp(name, writable_ok[k]) == 0;
        if (!ok)
            return refuse(c, "keep state in what create() returns, or in the database",
                          "it has writable data: ", name);
    }
    return STOA_OK;
}

/* What plants a pointer into the plugin somewhere the host cannot clear. */
static bool is_forbidden_import(const char *name)
{
    static const char *const forbidden[] = {"pthread_create",
                                            "pthread_key_create",
                                            "pthread_atfork",
                                            "on_exit",
                                            "atexit",
                                            "signal",
                                            "sigaction",
                                            "setlocale",
                                            "uselocale",
                                            "dlopen",
                                            "dlmopen",
                                            "fork",
                                            "vfork",
                                            "execve",
                                            "system",
                                            "popen",
                                            "exit",
                                            "_exit",
                                            "abort",
                                            "setenv",
                                            "putenv",
                                            "chdir",
                                            "umask",
                                            "setrlimit",
                                            "__cxa_thread_atexit_impl"};

    for (uint32_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (strcmp(name, forbidden[i]) == 0)
            return true;
    return false;
}

static stoa_err check_symbol(struct check *c, const Elf64_Sym *symbol, bool *has_descriptor)
{
    const char *name = elf_string(c->symbol_strings, symbol->st_name);
    bool defined = symbol->st_shndx != SHN_UNDEF;

    if (defined && ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
        return refuse(c, "remove the ifunc attribute", "it chooses code at load (IFUNC): ", name);
    if (ELF64_ST_BIND(symbol->st_info) == STB_GNU_UNIQUE)
        return refuse(c, "build it with -fno-gnu-unique", "it has a process-wide symbol: ", name);
    if (!defined && !c->relaxed && is_forbidden_import(name))
        return refuse(c, "use the SDK's own function for it",
                      "it calls what plugins may not: ", name);
    if (defined && strcmp(name, "stoa_plugin") == 0)
        *has_descriptor = true;
    return STOA_OK;
}

static stoa_err check_symbols(struct check *c)
{
    uint64_t count = c->symbols.len / sizeof(Elf64_Sym);
    bool has_descriptor = false;

    for (uint64_t i = 1; i < count; i++) {
        Elf64_Sym symbol;
        memcpy(&symbol, c->symbols.ptr + i * sizeof symbol, sizeof symbol);
        STOA_TRY(check_symbol(c, &symbol, &has_descriptor));
    }
    if (!has_descriptor)
        return refuse(c, "describe the plugin with STOA_PLUGIN(…)",
                      "it does not export stoa_plugin", "");
    return STOA_OK;
}

static bool ends_within(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < len; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (i > 0 && name[i] >= '0' && name[i] <= '9')))
            return false;
    return len > 0;
}

static stoa_err check_manifest(struct check *c, struct stoa_manifest_note *ret)
{
    int32_t index = elf_section_named(c->elf, ".note.stoa");
    stoa_str note = index < 0 ? (stoa_str){0} : elf_section_bytes(c->elf, (uint32_t)index);

    if (note.len < sizeof *ret)
        return refuse(c, "write STOA_MANIFEST(\"name\", \"1.0.0\", \"…\") in one of its files",
                      "it has no manifest", "");
    memcpy(ret, note.ptr, sizeof *ret);
    if (!ends_within(ret->name, sizeof ret->name) ||
        !ends_within(ret->version, sizeof ret->version) ||
        !ends_within(ret->capabilities, sizeof ret->capabilities) || !is_name(ret->name))
        return refuse(c, "a name is lower-case letters and digits", "its manifest is broken", "");
    if (ret->abi_major != STOA_ABI_MAJOR || ret->abi_minor > STOA_ABI_MINOR) {
        diag_set(c->diag, c->file, 0, 0, "it was built for SDK ABI %u.%u, this host has %d.%d",
                 ret->abi_major, ret->abi_minor, STOA_ABI_MAJOR, STOA_ABI_MINOR);
        diag_hint(c->diag, "build it again with this host's SDK, or update the host");
        return STOA_E_ABI;
    }
    return STOA_OK;
}

static stoa_str linked_strings(const struct elf_view *elf, int32_t index)
{
    uint32_t link = index < 0 ? elf->section_count : elf->sections[index].sh_link;

    return link < elf->section_count ? elf_section_bytes(elf, link) : (stoa_str){0};
}

/* What the loader reads is found through the segments, what is judged here through the sections. */
static bool is_loaders_dynamic(const struct elf_view *elf, const Elf64_Shdr *section)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < elf->segment_count; i++) {
        const Elf64_Phdr *p = &elf->segments[i];
        if (p->p_type != PT_DYNAMIC)
            continue;
        found++;
        if (p->p_offset != section->sh_offset || p->p_vaddr != section->sh_addr ||
            p->p_filesz != section->sh_size)
            return false;
    }
    return found == 1;
}

static stoa_err find_tables(struct check *c)
{
    const struct elf_view *elf = c->elf;
    int32_t dynamic = elf_section_of_type(elf, SHT_DYNAMIC);
    int32_t symbols = elf_section_of_type(elf, SHT_DYNSYM);

    if (dynamic < 0 || symbols < 0)
        return refuse(c, FLAGS_HINT, "it has no dynamic section", "");
    if (!is_loaders_dynamic(elf, &elf->sections[dynamic]))
        return refuse(c, "copy or build it again", "its sections and its segments disagree", "");
    c->dynamic = elf_section_bytes(elf, (uint32_t)dynamic);
    c->dynamic_strings = linked_strings(elf, dynamic);
    c->symbols = elf_section_bytes(elf, (uint32_t)symbols);
    c->symbol_strings = linked_strings(elf, symbols);
    c->symbols_address = elf->sections[symbols].sh_addr;
    if (elf->sections[symbols].sh_link < elf->section_count)
        c->strings_address = elf->sections[elf->sections[symbols].sh_link].sh_addr;
    return STOA_OK;
}

stoa_err preflight_manifest(const char *file, stoa_str bytes, struct diag *diag,
                            struct stoa_manifest_note *ret)
{
    struct elf_view elf;
    const char *reason = "";
    struct check c = {.elf = &elf, .file = file, .diag = diag};

    if (!elf_view_open(bytes, &elf, &reason))
        return refuse(&c, "copy or build it again", reason, "");
    return check_manifest(&c, ret);
}

stoa_err preflight_check(const char *file, stoa_str bytes, struct diag *diag, struct preflight *ret)
{
    struct elf_view elf;
    const char *reason = "";
    struct check c = {.elf = &elf, .file = file, .diag = diag, .relaxed = preflight_is_relaxed()};
    struct preflight found = {0};

    if (!elf_view_open(bytes, &elf, &reason))
        return refuse(&c, "copy or build it again", reason, "");
    STOA_TRY(find_tables(&c));
    STOA_TRY(check_manifest(&c, &found.manifest));
    STOA_TRY(check_segments(&c));
    STOA_TRY(check_dynamic(&c));
    STOA_TRY(check_sections(&c));
    STOA_TRY(check_symbols(&c));
    found.is_pure = !c.relaxed;
    *ret = found;
    return STOA_OK;
}
