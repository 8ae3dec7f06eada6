/* bench/pair.c: what ./dev bench measures a call between nodes against: as many bytes to and fro
 * between two processes on a core each that do nothing else: epoll_wait, read, write.
 *   pair CORE CORE BYTES_THERE BYTES_BACK EXCHANGES     prints microseconds an exchange
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MAX = 65536 };

static char bytes[BYTES_MAX];

static void need(int holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    exit(1);
}

static void pin(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    need(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity");
}

static int watch(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;

    need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0, "setsockopt");
    need(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
    return epoll;
}

static ssize_t take(int epoll, int fd)
{
    struct epoll_event event;

    need(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
    return read(fd, bytes, sizeof bytes);
}

static void be_asked(int listener, size_t back)
{
    int fd = accept(listener, NULL, NULL), epoll = watch(fd);

    while (take(epoll, fd) > 0)
        need(write(fd, bytes, back) == (ssize_t)back, "write");
    exit(0);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double ask(const struct sockaddr_in *address, size_t there, int exchanges)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), epoll = watch(fd);
    double began;

    need(connect(fd, (const struct sockaddr *)address, sizeof *address) == 0, "connect");
    began = now_us();
    for (int i = 0; i < exchanges; i++) {
        need(write(fd, bytes, there) == (ssize_t)there, "write");
        need(take(epoll, fd) > 0, "read");
    }
    began = now_us() - began;
    close(fd);
    return began / exchanges;
}

static int number(const char *text, long max)
{
    char *end;
    long value = strtol(text, &end, 10);

    need(*text && !*end && value >= 0 && value <= max, text);
    return (int)value;
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), there, back, exchanges;
    pid_t asked;

    need(argc == 6, "pair takes five numbers");
    there = number(argv[3], BYTES_MAX);
    back = number(argv[4], BYTES_MAX);
    exchanges = number(argv[5], 1000000);
    need(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0 &&
             getsockname(listener, (struct sockaddr *)&address, &size) == 0,
         "listen");
    asked = fork();
    need(asked >= 0, "fork");
    pin(number(argv[asked ? 1 : 2], CPU_SETSIZE - 1));
    if (!asked)
        be_asked(listener, (size_t)back);
    printf("%.2f\n", ask(&address, (size_t)there, exchanges));
    return waitpid(asked, NULL, 0) == asked ? 0 : 1;
}
