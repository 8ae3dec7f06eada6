/* theme/tree.h: a theme as it was read from its folder. SPDX-License-Identifier: Apache-2.0 */
#ifndef THEME_TREE_H
#define THEME_TREE_H

#include "assets.h"
#include "ast.h"
#include "compile.h"
#include "locale.h"
#include <sodium.h>

enum {
    TREE_TEMPLATES_MAX = 1000,
    TREE_SECTIONS_MAX = 64,
    TREE_BLOCKS_MAX = 50,
    TREE_DIGEST_LEN = 32
};

struct page_section {
    const struct template *tpl;
    const struct stoa_json *object; /* what the section sees as {{ section }} */
};

/* templates/<name>.json or .liquid */
struct page {
    stoa_str name;
    const struct template *layout; /* NULL: none */
    const struct template *plain;  /* .liquid; else sections */
    const struct page_section *sections;
    uint32_t section_count;
};

struct theme {
    struct stoa_arena *arena;
    uint32_t uses;
    const char *folder;
    struct trail *trail;                   /* of its last reading */
    unsigned char digest[TREE_DIGEST_LEN]; /* of all that was read, with paths */
    char *name;
    const struct stoa_json *about; /* theme.json: {{ theme }} */
    struct template **templates;
    uint32_t template_count;
    struct page *pages;
    uint32_t page_count;
    struct assets assets;
    struct locales locales;
};

const struct template *tree_get(const struct theme *theme, enum template_place place,
                                stoa_str name);
const struct page *tree_page(const struct theme *theme, stoa_str name);

/* --- for the compiler --- */
/* The template, or NULL after an error that says which there are. */
const struct template *tree_find_template(struct compiler *c, enum template_place place,
                                          stoa_str name);
/* {% schema %}: text is JSON; sets the template's schema and defaults. */
void tree_read_schema(struct compiler *c, stoa_str text);
/* A constant that a filter names: an asset or a key of the locale that does not exist is an error.
 */
void tree_check_literal(struct compiler *c, const struct expr_filter *filter, stoa_str name);

/* --- for theme.c and schema.c --- */
struct tree_reader {
    struct theme *theme;
    struct stoa_arena *arena;
    const char *folder;
    struct diag *diag;
    const struct theme *last;
    struct trail *trail;
    bool only_looks; /* reads what it would, for the digest, and makes nothing of it */
    crypto_generichash_state digest;
};
/* Reads one page of templates/. False with the diag filled. */
bool page_read(struct tree_reader *reader, const char *file, stoa_str text, struct page *ret);
/* The section object: defaults of the schema, then what the page sets. Unknown settings are errors.
 */
bool schema_apply(struct tree_reader *reader, const char *file, const struct template *tpl,
                  const struct stoa_json *entry, const struct stoa_json **ret);

#endif
