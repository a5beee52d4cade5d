/* Cancellation against everything that waits. What must hold: every wait ends, no element is lost or received twice, no lock or permit
 * stays behind, and nothing of a context is touched after its last reference. */
#include <errno.h>
#include <stdatomic.h>

#include "support/stress.h"

static go_waitgroup wg;
static int64_t stop_at;
static uint64_t seed;

/* --- elements through channels whose users are cancelled all the time --- */

enum { CHANNELS = 4, USERS = 8 };

static go_chan *channels[CHANNELS];
static _Atomic(long) sent, received;
static _Atomic(long) sent_sum, received_sum;

static go_context *current[USERS]; /* each user's context of the moment, under lock */
static go_mutex current_lock = GO_MUTEX_INIT;

static void exchange_context(int me)
{
    uint64_t random = seed ^ (uint64_t)go_now();
    go_context *ctx = stress_below(&random, 3) == 0
                          ? go_context_with_timeout(NULL, (int64_t)stress_below(&random, 200) * GO_MICROSECOND)
                          : go_context_with_cancel(NULL);
    CHECK(ctx != NULL);
    (void)go_context_bind(ctx);
    go_mutex_lock(&current_lock);
    go_context *before = current[me];
    current[me] = ctx;
    go_mutex_unlock(&current_lock);
    go_context_unref(before);
}

static int exchange_element(uint64_t *random, long value)
{
    go_chan *c = channels[stress_below(random, CHANNELS)], *d = channels[stress_below(random, CHANNELS)];
    int64_t deadline = stress_below(random, 2) == 0 ? GO_FOREVER : go_now() + (int64_t)stress_below(random, 50) * GO_MICROSECOND;
    long got = 0;
    int code, chosen;
    switch (stress_below(random, 3)) {
    case 0:
        code = go_chan_send_until(c, &value, deadline);
        chosen = code == 0 ? 0 : code;
        break;
    case 1:
        code = go_chan_recv_until(c, &got, deadline);
        chosen = code == 0 ? 1 : code;
        break;
    default: {
        go_case cases[] = {{c, &value, GO_DIRECTION_SEND, 0}, {d, &got, GO_DIRECTION_RECV, 0}};
        chosen = go_select_until(cases, 2, deadline);
        CHECK(chosen < 0 || cases[chosen].result == 0);
    }
    }
    if (chosen == 0) {
        sent++;
        sent_sum += value;
    } else if (chosen == 1) {
        received++;
        received_sum += got;
    } else {
        CHECK(chosen == -ECANCELED || chosen == -ETIMEDOUT);
    }
    return chosen;
}

static void exchange(void *arg)
{
    int me = (int)(intptr_t)arg;
    uint64_t random = seed + (uint64_t)me * 7919;
    long value = me + 1;
    while (go_now() < stop_at) {
        exchange_context(me);
        while (exchange_element(&random, value += USERS) != -ECANCELED && go_now() < stop_at) {}
    }
    (void)go_context_bind(NULL);
    go_waitgroup_done(&wg);
}

static void *foreign_exchange(void *arg)
{
    exchange(arg);
    return NULL;
}

static _Atomic(bool) cancelling;

static void cancel_somebody(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    while (cancelling) {
        go_mutex_lock(&current_lock);
        go_context *ctx = go_context_ref(current[stress_below(&random, USERS)]);
        go_mutex_unlock(&current_lock);
        if (ctx != NULL) {
            go_context_cancel(ctx, 0);
            go_context_unref(ctx);
        }
        if (stress_below(&random, 4) == 0) {
            CHECK_EQUAL(go_sleep((int64_t)stress_below(&random, 100) * GO_MICROSECOND), 0);
        } else {
            go_yield();
        }
    }
    go_waitgroup_done(&wg);
}

static void no_element_is_lost_to_a_cancel(void)
{
    pthread_t threads[2];
    seed = stress_seed();
    stop_at = stress_deadline();
    sent = received = sent_sum = received_sum = 0;
    for (int i = 0; i < CHANNELS; i++) {
        channels[i] = go_chan_new(sizeof(long), (size_t)i);
    }
    cancelling = true;
    go_waitgroup_add(&wg, USERS);
    for (int i = 2; i < USERS; i++) {
        go(exchange, (void *)(intptr_t)i);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(pthread_create(&threads[i], NULL, foreign_exchange, (void *)(intptr_t)i), 0);
    }
    go_waitgroup_add(&wg, 1);
    go(cancel_somebody, (void *)1);
    while (go_now() < stop_at) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    for (int i = 0; i < 2; i++) { /* who still waits is cancelled: the canceller goes on until all are out */
        go_block_begin();
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
        go_block_end();
    }
    while (go_count() > 2) {
        CHECK_EQUAL(go_sleep(GO_MILLISECOND), 0);
    }
    cancelling = false;
    go_waitgroup_wait(&wg);
    for (int i = 0; i < CHANNELS; i++) {
        long value;
        while (go_chan_try_recv(channels[i], &value) == 0) {
            received++;
            received_sum += value;
        }
        go_chan_unref(channels[i]);
    }
    for (int i = 0; i < USERS; i++) {
        go_context_unref(current[i]);
        current[i] = NULL;
    }
    CHECK(sent > 0);
    CHECK_EQUAL(received, sent);
    CHECK_EQUAL(received_sum, sent_sum);
}

/* --- every kind of wait, under trees that are cancelled from anywhere --- */

static go_chan *never;
static go_mutex busy = GO_MUTEX_INIT;
static go_sem permits;
static go_waitgroup open_wg;
static _Atomic(int) inside;

static int wait_somehow(uint64_t *random)
{
    int64_t deadline = stress_below(random, 2) == 0 ? GO_FOREVER : go_now() + (int64_t)stress_below(random, 300) * GO_MICROSECOND;
    go_case cases[] = {{never, NULL, GO_DIRECTION_RECV, 0}, {NULL, NULL, GO_DIRECTION_SEND, 0}};
    int code;
    switch (stress_below(random, 6)) {
    case 0: return go_sleep_until(deadline);
    case 1: return go_chan_recv_until(never, NULL, deadline);
    case 2: return go_select_until(cases, 2, deadline);
    case 3: return go_waitgroup_wait_until(&open_wg, deadline);
    case 4:
        code = go_mutex_lock_until(&busy, deadline);
        if (code == 0) {
            CHECK_EQUAL(inside++, 0);
            if (stress_below(random, 2) == 0) {
                go_yield();
            }
            CHECK_EQUAL(inside--, 1);
            go_mutex_unlock(&busy);
        }
        return code;
    default:
        code = go_sem_acquire_until(&permits, 2, deadline);
        if (code == 0) {
            go_yield();
            go_sem_release(&permits, 2);
        }
        return code;
    }
}

static void waiter(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 15485863;
    int code = 0;
    for (int i = 0; i < 10 && code != -ECANCELED; i++) {
        code = wait_somehow(&random);
        CHECK(code == 0 || code == -ECANCELED || code == -ETIMEDOUT);
    }
    go_waitgroup_done(&wg);
}

enum { NODES = 12 };

/* Grows a tree while it is being cancelled, lets goroutines wait under each node, drops the references early. */
static void grow_and_cancel(uint64_t *random)
{
    go_context *tree[NODES];
    tree[0] = go_context_with_cancel(NULL);
    for (int i = 1; i < NODES; i++) {
        go_context *parent = tree[stress_below(random, (uint32_t)i)];
        switch (stress_below(random, 3)) {
        case 0: tree[i] = go_context_with_cancel(parent); break;
        case 1: tree[i] = go_context_with_timeout(parent, (int64_t)stress_below(random, 500) * GO_MICROSECOND); break;
        default: tree[i] = go_context_with_value(parent, &wg, tree); break;
        }
        CHECK(tree[i] != NULL);
        (void)go_context_bind(tree[i]);
        go_waitgroup_add(&wg, 2);
        go(waiter, (void *)(uintptr_t)stress_random(random));
        go(waiter, (void *)(uintptr_t)stress_random(random));
        (void)go_context_bind(NULL);
        if (stress_below(random, 3) == 0) {
            go_context_cancel(tree[stress_below(random, (uint32_t)i + 1)], -EIO);
        }
        if (stress_below(random, 3) == 0) {
            (void)go_context_done(tree[i]);
        }
    }
    if (stress_below(random, 2) == 0) {
        go_yield();
    }
    go_context_cancel(tree[0], 0);
    for (int i = 0; i < NODES; i++) {
        CHECK(go_context_err(tree[i]) != 0);
        go_context_unref(tree[i]);
    }
}

static void forester(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    while (go_now() < stop_at) {
        grow_and_cancel(&random);
    }
    go_waitgroup_done(&wg);
}

static void every_wait_ends_when_its_tree_is_cancelled(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    never = go_chan_new(0, 0);
    go_sem_init(&permits, 3);
    go_waitgroup_add(&open_wg, 1);
    go_waitgroup_add(&wg, 4);
    for (int i = 0; i < 3; i++) {
        go(forester, (void *)(intptr_t)(i + 1));
    }
    pthread_t thread = stress_thread(forester, (void *)99);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK(go_sem_try_acquire(&permits, 3));
    go_sem_release(&permits, 3);
    CHECK(go_mutex_trylock(&busy));
    go_mutex_unlock(&busy);
    go_waitgroup_done(&open_wg);
    go_chan_unref(never);
}

/* --- deadlines against cancel against the last unref --- */

static go_context *slot[4];
static go_mutex slot_lock = GO_MUTEX_INIT;

static void touch_slots(void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg * 32452843;
    while (go_now() < stop_at) {
        uint32_t i = stress_below(&random, 4);
        go_mutex_lock(&slot_lock);
        go_context *ctx = go_context_ref(slot[i]);
        go_mutex_unlock(&slot_lock);
        switch (stress_below(&random, 6)) {
        case 0: {
            go_context *fresh = go_context_with_timeout(stress_below(&random, 2) == 0 ? ctx : NULL,
                                                        (int64_t)stress_below(&random, 40) * GO_MICROSECOND);
            go_mutex_lock(&slot_lock);
            go_context *before = slot[i];
            slot[i] = fresh;
            go_mutex_unlock(&slot_lock);
            go_context_unref(before);
            break;
        }
        case 1:
            if (ctx != NULL) {
                go_context_cancel(ctx, -EIO);
                CHECK(go_context_err(ctx) == -EIO || go_context_err(ctx) == -ETIMEDOUT || go_context_err(ctx) == -ECANCELED);
            }
            break;
        case 2:
            if (ctx != NULL) {
                CHECK_EQUAL(go_chan_recv_until(go_context_done(ctx), NULL, GO_FOREVER), -EPIPE); /* its deadline is near */
                CHECK(go_context_err(ctx) != 0);
            }
            break;
        case 3:
            if (ctx != NULL) {
                (void)go_context_bind(ctx);
                CHECK_EQUAL(go_sleep(GO_FOREVER), -ECANCELED);
                (void)go_context_bind(NULL);
            }
            break;
        case 4:
            if (ctx != NULL && go_context_err(ctx) != 0) {
                CHECK_EQUAL(go_chan_try_recv(go_context_done(ctx), NULL), -EPIPE);
            }
            break;
        default: go_yield();
        }
        go_context_unref(ctx);
    }
    go_waitgroup_done(&wg);
}

static void deadlines_race_with_cancel_and_unref(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    go_waitgroup_add(&wg, 7);
    for (int i = 0; i < 6; i++) {
        go(touch_slots, (void *)(intptr_t)(i + 1));
    }
    pthread_t thread = stress_thread(touch_slots, (void *)77);
    go_waitgroup_wait(&wg);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 4; i++) {
        go_context_unref(slot[i]);
        slot[i] = NULL;
    }
}

/* --- groups --- */

static int member(go_context *ctx, void *arg)
{
    uint64_t random = seed + (uint64_t)(uintptr_t)arg;
    CHECK(go_context_bound() == ctx);
    int code = stress_below(&random, 3) == 0 ? 0 : go_sleep((int64_t)stress_below(&random, 50) * GO_MICROSECOND);
    CHECK(code == 0 || (code == -ECANCELED && go_context_err(ctx) == -EIO));
    return stress_below(&random, 20) == 0 ? -EIO : 0;
}

static long group_had_room;

static void groups_again_and_again(void)
{
    seed = stress_seed();
    stop_at = stress_deadline();
    uint64_t random = seed;
    while (go_now() < stop_at) {
        go_group *group = go_group_new(NULL);
        go_context *ctx = go_context_ref(go_group_context(group));
        go_group_set_limit(group, stress_below(&random, 6));
        for (uint32_t n = stress_below(&random, 40); n > 0; n--) {
            void *arg = (void *)(uintptr_t)stress_random(&random);
            if (stress_below(&random, 2) == 0) {
                go_group_go(group, member, arg);
            } else {
                group_had_room += go_group_try_go(group, member, arg);
            }
        }
        int code = go_group_wait(group);
        CHECK(code == 0 || code == -EIO);
        CHECK_EQUAL(go_context_err(ctx), code != 0 ? code : -ECANCELED);
        go_context_unref(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(no_element_is_lost_to_a_cancel),
        BEHAVIOUR(every_wait_ends_when_its_tree_is_cancelled),
        BEHAVIOUR(deadlines_race_with_cancel_and_unref),
        BEHAVIOUR(groups_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
