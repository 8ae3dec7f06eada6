/* A plugin for looking at: good, or with the one sin that SIN_… names. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stoa/stoa.h>

#ifdef SIN_MAJOR
#undef STOA_ABI_MAJOR
#define STOA_ABI_MAJOR 99
#endif
#ifdef SIN_MINOR
#undef STOA_ABI_MINOR
#define STOA_ABI_MINOR 77
#endif
#ifdef SIN_NAME
#define TOY_NAME "Toy!"
#endif
#ifndef TOY_NAME
#define TOY_NAME "toy"
#endif
#ifndef TOY_VERSION
#define TOY_VERSION "1.0.0"
#endif

#ifndef SIN_NO_MANIFEST
STOA_MANIFEST(TOY_NAME, TOY_VERSION, "sql");
#endif

static stoa_err create(const struct stoa_settings *set, struct stoa_instance *in, void **ret)
{
    static const char version[] = TOY_VERSION;

    *ret = (void *)version;
    return STOA_OK;
}

#ifdef SIN_CONSTRUCTOR
static volatile int built;
__attribute__((constructor)) static void build(void)
{
    built = 1;
}
#endif

#ifdef SIN_WRITABLE
static int calls;
STOA_API int count(void);
int count(void)
{
    return ++calls;
}
#endif

#ifdef SIN_IMPORT
int system(const char *command);
STOA_API int run(void);
int run(void)
{
    return system("true");
}
#endif

#ifdef SIN_IFUNC
static int one(void)
{
    return 1;
}
__attribute__((used)) static int (*choose(void))(void)
{
    return one;
}
STOA_API int chosen(void) __attribute__((ifunc("choose")));
#endif

#ifdef SIN_UNIQUE
__asm__(".section .rodata\n.globl unique_toy\n.type unique_toy, @gnu_unique_object\n"
        "unique_toy: .long 1\n.size unique_toy, 4\n.text\n");
#endif

#ifdef SIN_STATIC_TLS
static __thread int calls __attribute__((tls_model("initial-exec")));
STOA_API int count(void);
int count(void)
{
    return ++calls;
}
#endif

#ifdef SIN_TEXTREL
__asm__(".text\n.globl toy_place\n.hidden toy_place\ntoy_place: .quad toy_place\n");
#endif

#ifndef SIN_NO_DESCRIPTOR
STOA_PLUGIN(.create = create);
#else
STOA_API extern const void *const not_the_descriptor;
const void *const not_the_descriptor = create;
#endif
