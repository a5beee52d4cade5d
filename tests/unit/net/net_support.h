/* What the tests of src/net share. Everything in NET_TEST's body runs in the main goroutine. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#ifndef GO_TESTS_UNIT_NET_SUPPORT_H
#define GO_TESTS_UNIT_NET_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <go.h>

#include "poll/fdtable.h"
#include "support/check.h"

#define NET_TEST(name)                                  \
    static int name##_main(void *arg);                  \
    static void name(void **state)                      \
    {                                                   \
        (void)state;                                    \
        assert_int_equal(go_run(name##_main, NULL), 0); \
    }                                                   \
    static int name##_main(void *arg GO_TESTS_UNUSED)

#define GO_TESTS_UNUSED __attribute__((unused))

/* The same test may run beside this one, and abstract names are the machine's, as are ports: what one has closed another is given, and
 * meets its clients. So each process has its own names, and a loopback address of its own for 127.0.0.1. Others are copied as they are. */
static inline const char *GO_TESTS_UNUSED own_name(const char *address, char *buffer, size_t size)
{
    unsigned pid = (unsigned)getpid();
    if (strncmp(address, "127.0.0.1:", 10) == 0) {
        (void)snprintf(buffer, size, "127.%u.%u.%u%s", 1 + (pid >> 16) % 254, (pid >> 8) % 256, pid % 256, address + 9);
    } else {
        (void)snprintf(buffer, size, address[0] == '@' ? "%s-%u" : "%s", address, pid);
    }
    return buffer;
}

/* Both ends of a connection over the loopback. */
struct pair {
    int client, server;
};

static inline struct pair GO_TESTS_UNUSED net_pair(const char *network, const char *address)
{
    struct pair p;
    char at[128];
    int listener = go_listen(network, own_name(address, at, sizeof at));
    CHECK(listener >= 0);
    CHECK(go_local_address(listener, at, sizeof at) >= 0);
    p.client = go_dial(network, at);
    CHECK(p.client >= 0);
    p.server = go_accept(listener);
    CHECK(p.server >= 0);
    CHECK(go_close(listener) == 0);
    return p;
}

static inline struct pair GO_TESTS_UNUSED tcp_pair(void)
{
    return net_pair("tcp", "127.0.0.1:0");
}

static inline void GO_TESTS_UNUSED close_pair(struct pair p)
{
    CHECK_EQUAL(go_close(p.client), 0);
    CHECK_EQUAL(go_close(p.server), 0);
}

/* Lets others run until the counter has reached n. */
static inline void GO_TESTS_UNUSED await_count(atomic_int *counter, int n)
{
    int64_t end = go_now() + 20 * GO_SECOND;
    while (atomic_load(counter) < n) {
        CHECK(go_now() < end);
        CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
    }
}

/* How many calls wait for the descriptor: to be ready, or for their turn. They wait under its lock until they have left their stacks, so
 * who is counted is parked. */
static inline int GO_TESTS_UNUSED waiters(int fd)
{
    struct go__fd *r = go__fd_peek(fd);
    int count = 0;
    if (r == NULL) {
        return 0;
    }
    go__spin_lock(&r->lock);
    for (int d = 0; d < 2; d++) {
        for (struct go__fd_waiter *w = r->ready[d]; w != NULL; w = w->next) {
            count++;
        }
        for (struct go__fd_waiter *w = r->turns[d]; w != NULL; w = w->next) {
            count++;
        }
    }
    go__spin_unlock(&r->lock);
    return count;
}

static inline void GO_TESTS_UNUSED await_waiters(int fd, int n)
{
    int64_t end = go_now() + 20 * GO_SECOND;
    while (waiters(fd) < n) {
        CHECK(go_now() < end);
        CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
    }
}

/* The number fd becomes what `by` is, which no longer has its own: closed by others and given out again, but in one step, because the
 * runtime opens descriptors too. */
static inline void GO_TESTS_UNUSED replace(int fd, int by)
{
    CHECK(dup2(by, fd) == fd && close(by) == 0);
}

/* Lets others run until every one of them is parked. */
static inline void GO_TESTS_UNUSED settle(void)
{
    int64_t end = go_now() + 20 * GO_SECOND;
    go_stats stats;
    do {
        CHECK(go_now() < end);
        CHECK(go_sleep(100 * GO_MICROSECOND) == 0);
        go_get_stats(&stats);
    } while (stats.runnable != 0 || stats.procs_idle + 1 != stats.procs);
}

#endif
