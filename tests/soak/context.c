/* Cancellation of everything that waits, and groups. What must hold: every wait ends when its tree is cancelled, the first cause stays,
 * and no lock, permit or element is left behind. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "soak.h"

enum { NODES = 10 };

static int silent[2]; /* a pipe that nobody writes to */
static int full[2];   /* one that nobody reads from, full */
static go_chan *never;
static go_mutex busy, cond_mutex;
static go_cond cond;
static go_sem permits;
static go_waitgroup open_wg; /* 1 */
static atomic_int inside;

/* --- every kind of wait --- */

static int wait_for_mutex(int64_t deadline)
{
    int code = go_mutex_lock_until(&busy, deadline);
    if (code == 0) {
        MUST_EQUAL(atomic_fetch_add(&inside, 1), 0);
        go_yield();
        MUST_EQUAL(atomic_fetch_sub(&inside, 1), 1);
        go_mutex_unlock(&busy);
    }
    return code;
}

static int wait_for_permits(int64_t deadline)
{
    int code = go_sem_acquire_until(&permits, 2, deadline);
    if (code == 0) {
        go_yield();
        go_sem_release(&permits, 2);
    }
    return code;
}

static int wait_for_cond(int64_t deadline)
{
    int code = go_mutex_lock_until(&cond_mutex, deadline);
    if (code == 0) {
        code = go_cond_wait_until(&cond, &cond_mutex, deadline);
        go_mutex_unlock(&cond_mutex);
    }
    return code;
}

static int wait_to_select(int64_t deadline)
{
    go_case cases[] = {{never, NULL, GO_DIRECTION_RECV, 0}, {NULL, NULL, GO_DIRECTION_SEND, 0}};
    return go_select_until(cases, 2, deadline);
}

/* These have no deadline of their own: the context ends them. */
static int wait_to_read(void)
{
    char byte;
    return (int)go_read(silent[0], &byte, 1);
}

static int wait_to_write(void)
{
    return (int)go_write(full[1], "1", 1);
}

static int wait_somehow(uint64_t *random)
{
    int64_t deadline = soak_below(random, 2) == 0 ? GO_FOREVER : go_now() + soak_micros(random, 300);
    switch (soak_below(random, 11)) {
    case 0: return go_sleep_until(deadline);
    case 1: return go_chan_recv_until(never, NULL, deadline);
    case 2: return wait_to_select(deadline);
    case 3: return go_waitgroup_wait_until(&open_wg, deadline);
    case 4: return wait_for_mutex(deadline);
    case 5: return wait_for_permits(deadline);
    case 6: return wait_for_cond(deadline);
    case 7: return go_poll(silent[0], POLLIN, deadline);
    case 8: return wait_to_read();
    case 9: return wait_to_write();
    default: return go_chan_recv(NULL, NULL);
    }
}

static void waiter(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg;
    int code = 0;
    for (int i = 0; i < 10 && code != -ECANCELED; i++) {
        code = wait_somehow(&random);
        if (code != 0 && code != -ETIMEDOUT) {
            MUST_EQUAL(code, -ECANCELED);
        }
    }
}

/* --- trees --- */

static go_context *make_node(go_context *parent, uint64_t *random)
{
    static const int key;
    go_context *node;
    switch (soak_below(random, 3)) {
    case 0: node = go_context_with_cancel(parent); break;
    case 1: node = go_context_with_timeout(parent, soak_micros(random, 500)); break;
    default: node = go_context_with_value(parent, &key, &inside); MUST(go_context_value(node, &key) == &inside);
    }
    MUST(node != NULL);
    return node;
}

static void populate(go_context *node, go_waitgroup *wg, uint64_t *random)
{
    go_context *before = go_context_bind(node);
    MUST(go_context_bound() == node && before == NULL);
    for (int i = 0; i < 2; i++) { /* they inherit it */
        go_waitgroup_go(wg, waiter, (void *)(uintptr_t)soak_random(random));
    }
    (void)go_context_bind(before);
}

/* References are dropped before the waiters are gone, and some before the tree is cancelled. */
static void grow_and_fell(uint64_t *random)
{
    go_context *tree[NODES];
    go_waitgroup wg = GO_WAITGROUP_INIT;
    tree[0] = go_context_with_cancel(NULL);
    MUST(tree[0] != NULL);
    for (int i = 1; i < NODES; i++) {
        tree[i] = make_node(tree[soak_below(random, (uint32_t)i)], random);
        populate(tree[i], &wg, random);
        if (soak_below(random, 4) == 0) {
            go_context_cancel(tree[soak_below(random, (uint32_t)i + 1)], -EIO);
        }
        if (soak_below(random, 3) == 0) {
            (void)go_context_done(tree[i]);
        }
    }
    if (soak_below(random, 2) == 0) {
        (void)go_sleep(soak_micros(random, 600));
    }
    go_context_cancel(tree[0], -EIO);
    MUST_EQUAL(go_context_err(tree[0]), -EIO);
    MUST_EQUAL(go_chan_recv(go_context_done(tree[0]), NULL), -EPIPE);
    for (int i = 0; i < NODES; i++) {
        int cause = go_context_err(tree[i]);
        MUST(cause == -EIO || cause == -ETIMEDOUT);
        go_context_unref(tree[i]);
    }
    go_waitgroup_wait(&wg);
    soak_count(&soak_contexts, NODES);
}

static void forester(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        grow_and_fell(&random);
    }
}

static void make_pipes(void)
{
    static const char page[4096];
    MUST_EQUAL(pipe2(silent, O_CLOEXEC | O_NONBLOCK), 0);
    MUST_EQUAL(pipe2(full, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(full[1], page, sizeof page) > 0) {}
}

static void start_contexts(void)
{
    make_pipes();
    never = go_chan_new(0, 0);
    MUST(never != NULL);
    go_sem_init(&permits, 3);
    go_waitgroup_add(&open_wg, 1);
    for (int i = 0; i < 3; i++) {
        soak_go(forester, NULL);
    }
}

static void finish_contexts(void)
{
    MUST(go_sem_try_acquire(&permits, 3));
    go_sem_release(&permits, 3);
    MUST(go_mutex_trylock(&busy));
    go_mutex_unlock(&busy);
    MUST(go_mutex_trylock(&cond_mutex));
    go_mutex_unlock(&cond_mutex);
    go_waitgroup_done(&open_wg);
    go_chan_unref(never);
    for (int i = 0; i < 2; i++) {
        MUST_EQUAL(go_close(silent[i]), 0);
        MUST_EQUAL(go_close(full[i]), 0);
    }
}

struct soak_family soak_contexts = {.name = "contexts", .start = start_contexts, .finish = finish_contexts};

/* --- groups --- */

struct members {
    atomic_int started, running;
    int limit;
};

static int member(go_context *ctx, void *arg)
{
    struct members *m = arg;
    uint64_t random = soak_new_random();
    MUST(go_context_bound() == ctx);
    atomic_fetch_add(&m->started, 1);
    MUST(atomic_fetch_add(&m->running, 1) < m->limit || m->limit == 0);
    int code = soak_below(&random, 3) == 0 ? 0 : go_sleep(soak_micros(&random, 100));
    MUST(code == 0 || (code == -ECANCELED && go_context_err(ctx) == -EIO));
    atomic_fetch_sub(&m->running, 1);
    return soak_below(&random, 20) == 0 ? -EIO : 0;
}

static void one_group(uint64_t *random)
{
    struct members m = {.limit = (int)soak_below(random, 6)};
    int asked = 0;
    go_group *group = go_group_new(NULL);
    MUST(group != NULL);
    go_context *ctx = go_context_ref(go_group_context(group));
    go_group_set_limit(group, (size_t)m.limit);
    for (uint32_t n = soak_below(random, 40); n > 0; n--) {
        if (soak_below(random, 2) == 0) {
            go_group_go(group, member, &m);
            asked++;
        } else if (go_group_try_go(group, member, &m)) {
            asked++;
        }
    }
    int code = go_group_wait(group);
    MUST(code == 0 || code == -EIO);
    MUST_EQUAL(m.started, asked);
    MUST_EQUAL(m.running, 0);
    MUST_EQUAL(go_context_err(ctx), code != 0 ? code : -ECANCELED);
    go_context_unref(ctx);
}

static void groups(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        one_group(&random);
        soak_count(&soak_groups, 1);
    }
}

static void start_groups(void)
{
    soak_go(groups, NULL);
}

struct soak_family soak_groups = {.name = "groups", .start = start_groups};
