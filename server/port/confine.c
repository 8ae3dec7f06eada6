/* port/confine.c: see confine.h. SPDX-License-Identifier: Apache-2.0 */
#include "port/confine.h"

#include "plugin/preflight.h"
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SPARE_FILES = 16 };

static int statm_fd = -1; /* /proc/self/statm, from before files were taken away */

bool confine_is_possible(void)
{
    return !preflight_is_relaxed();
}

/* ---- Landlock, by system call: libc has no functions for it ---- */

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

struct ruleset { /* linux/landlock.h, as of ABI 6; older kernels take the first fields */
    uint64_t files, net, scoped;
};
enum { LANDLOCK_ASK_VERSION = 1 };

/* Everything that the kernel's version knows is handled, nothing is allowed. */
static size_t ruleset_for(long abi, struct ruleset *ret)
{
    *ret = (struct ruleset){.files = 0x1fff}; /* ABI 1: read, write, execute, make, remove */
    if (abi >= 2)
        ret->files |= 1 << 13; /* rename and link across folders */
    if (abi >= 3)
        ret->files |= 1 << 14; /* truncate */
    if (abi >= 5)
        ret->files |= 1 << 15;      /* ioctl of devices */
    ret->net = abi >= 4 ? 3 : 0;    /* bind and connect, TCP */
    ret->scoped = abi >= 6 ? 3 : 0; /* abstract sockets and signals of others */
    return abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
}

static bool restrict_files(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_ASK_VERSION);
    struct ruleset rules;
    size_t size;
    long fd;
    bool done;

    if (abi < 1)
        return false;
    size = ruleset_for(abi, &rules);
    fd = syscall(SYS_landlock_create_ruleset, &rules, size, 0);
    if (fd < 0)
        return false;
    done = syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    close((int)fd);
    return done;
}

uint32_t confine_files(uint32_t leave_out)
{
    if (!confine_is_possible())
        return 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || chdir("/") != 0)
        return 0;
    statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    return !(leave_out & CONFINE_LANDLOCK) && restrict_files() ? CONFINE_LANDLOCK : 0;
}

/* ---- seccomp ---- */

/* What is left for good: memory that is not code, waiting, time, chance, and the descriptors that
 * are open. */
static const int always[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(membarrier),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};
/* What the loader needs besides, and setting up the rest. */
static const int while_loading[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),    SCMP_SYS(fstat),     SCMP_SYS(newfstatat),
    SCMP_SYS(pread64),   SCMP_SYS(lseek),     SCMP_SYS(mmap),      SCMP_SYS(mprotect),
    SCMP_SYS(prlimit64), SCMP_SYS(getrlimit), SCMP_SYS(setrlimit), SCMP_SYS(prctl),
    SCMP_SYS(seccomp),   SCMP_SYS(tgkill),    SCMP_SYS(fcntl),     SCMP_SYS(dup),
    SCMP_SYS(readlink),
};
/* Nobody asks for these by mistake: the process ends. Everything else that is not allowed fails
 * with EPERM, since libraries try many a thing and get along without. */
static const int deadly[] = {
    SCMP_SYS(execve),      SCMP_SYS(execveat),         SCMP_SYS(ptrace),
    SCMP_SYS(bpf),         SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
    SCMP_SYS(init_module), SCMP_SYS(finit_module),     SCMP_SYS(kexec_load),
    SCMP_SYS(mount),       SCMP_SYS(unshare),          SCMP_SYS(setns),
    SCMP_SYS(pivot_root),  SCMP_SYS(chroot),           SCMP_SYS(add_key),
    SCMP_SYS(keyctl),
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (seccomp_rule_add(filter, action, calls[i], 0) != 0)
            return false;
    return true;
}

/* Memory that is or becomes code is what a smuggled payload needs. */
static bool add_with_arguments(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    const struct scmp_arg_cmp own = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid());
    const struct scmp_arg_cmp get_flags = SCMP_A1(SCMP_CMP_EQ, F_GETFL);
    const struct scmp_arg_cmp set_flags = SCMP_A1(SCMP_CMP_EQ, F_SETFL);
    const struct scmp_arg_cmp set_own_flags = SCMP_A1(SCMP_CMP_EQ, F_SETFD);

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_code) == 0 &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_code) == 0 &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &own) == 0 &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &get_flags) == 0 &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &set_flags) == 0 &&
           seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &set_own_flags) == 0;
}

/* On all threads at once, or on none. */
static bool load_filter(bool is_loading)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    bool done;

    if (!filter)
        return false;
    done = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
           add(filter, SCMP_ACT_ALLOW, always, COUNT(always)) &&
           add(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly)) &&
           (is_loading ? add(filter, SCMP_ACT_ALLOW, while_loading, COUNT(while_loading))
                       : add_with_arguments(filter)) &&
           seccomp_load(filter) == 0;
    seccomp_release(filter);
    return done;
}

uint32_t confine_for_loading(uint32_t leave_out)
{
    if (!confine_is_possible() || (leave_out & CONFINE_SECCOMP))
        return 0;
    return load_filter(true) ? CONFINE_SECCOMP : 0;
}

/* ---- Limits ---- */

static bool limit(int what, uint64_t value)
{
    const struct rlimit both = {value, value};

    return setrlimit((__rlimit_resource_t)what, &both) == 0;
}

/* Address space now, in bytes; read through a descriptor opened before files were taken away. */
static uint64_t address_space(void)
{
    char text[64] = "";

    if (statm_fd < 0 || pread(statm_fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    return strtoull(text, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t highest_fd(void)
{
    int fd = dup(STDERR_FILENO);

    if (fd >= 0)
        close(fd);
    return fd >= 0 ? (uint64_t)fd : 256;
}

static bool set_limits(uint64_t memory)
{
    return limit(RLIMIT_AS, address_space() + memory) && limit(RLIMIT_CORE, 0) &&
           limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_MEMLOCK, 0) &&
           limit(RLIMIT_NOFILE, highest_fd() + SPARE_FILES);
}

bool confine_for_good(uint64_t memory, uint32_t reached)
{
    bool limited = true;

    if (confine_is_possible())
        limited = set_limits(memory) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
    if (statm_fd >= 0)
        close(statm_fd);
    return limited && (!(reached & CONFINE_SECCOMP) || load_filter(false));
}
