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
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <go.h>

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

/* Both ends of a connection over the loopback. */
struct pair {
    int client, server;
};

static inline struct pair GO_TESTS_UNUSED net_pair(const char *network, const char *address)
{
    struct pair p;
    char at[128];
    int listener = go_listen(network, address);
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

/* As good as certain that whoever was started is parked by now; nothing depends on it but which path is taken. */
static inline void GO_TESTS_UNUSED settle(void)
{
    for (int i = 0; i < 20; i++) {
        go_yield();
    }
    CHECK(go_sleep(2 * GO_MILLISECOND) == 0);
}

#endif
