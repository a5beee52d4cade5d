/* Channels under stress: what was sent is received exactly once and in order, whatever the form of the call, the number of
 * waiters, the capacity, deadlines, cancellations, closes, and threads that are not goco's. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "support/stress.h"

enum { SENDERS = 6, RECEIVERS = 6, BATCH = 2000 };

/* Elements are larger than a word, so that a torn one shows. */
struct element {
    uint32_t sender, number;
    uint64_t check[3];
};

static void make(struct element *e, uint32_t sender, uint32_t number)
{
    e->sender = sender;
    e->number = number;
    for (int i = 0; i < 3; i++) {
        e->check[i] = ((uint64_t)number << 32 | sender) * UINT64_C(0x9E3779B97F4A7C15) + (uint64_t)i;
    }
}

static bool whole(const struct element *e)
{
    struct element expected;
    make(&expected, e->sender, e->number);
    return memcmp(e, &expected, sizeof expected) == 0;
}

struct party {
    struct round *round;
    uint32_t name;
    uint64_t random;
    go_context *ctx;
};

struct round {
    go_chan *c;
    bool impatient; /* calls may end without success */
    atomic_uint sending;
    atomic_uint received[SENDERS][BATCH];
    atomic_ulong taken; /* elements whose send said 0 */
    atomic_ulong given; /* elements received */
    go_waitgroup done;
    struct party parties[SENDERS + RECEIVERS];
};

static struct round round_;

/* 0, -EPIPE, or something else if the call may give up. */
static int send_somehow(struct party *p, const struct element *e)
{
    go_chan *c = p->round->c;
    go_case cases[] = {{c, (void *)(uintptr_t)e, GO_DIRECTION_SEND, 1}, {NULL, NULL, GO_DIRECTION_RECV, 1}};
    int happened;
    switch (stress_below(&p->random, p->round->impatient ? 6 : 3)) {
    case 0:
    case 1: return go_chan_send(c, e);
    case 2: happened = go_select(cases, 2); return happened == 0 ? cases[0].result : happened;
    case 3: return go_chan_send_until(c, e, go_now() + stress_below(&p->random, 20000));
    case 4: return go_chan_try_send(c, e);
    default:
        happened = go_select_until(cases, 2, go_now() + stress_below(&p->random, 20000));
        return happened == 0 ? cases[0].result : happened;
    }
}

static int recv_somehow(struct party *p, struct element *e)
{
    go_chan *c = p->round->c;
    go_case cases[] = {{NULL, NULL, GO_DIRECTION_RECV, 1}, {c, e, GO_DIRECTION_RECV, 1}};
    int happened;
    switch (stress_below(&p->random, p->round->impatient ? 6 : 3)) {
    case 0:
    case 1: return go_chan_recv(c, e);
    case 2: happened = go_select(cases, 2); return happened == 1 ? cases[1].result : happened;
    case 3: return go_chan_recv_until(c, e, go_now() + stress_below(&p->random, 20000));
    case 4: return go_chan_try_recv(c, e);
    default:
        happened = go_select_until(cases, 2, go_now() + stress_below(&p->random, 20000));
        return happened == 1 ? cases[1].result : happened;
    }
}

/* On goroutines only: a context of its own that somebody cancels now and then. */
static void renew(struct party *p)
{
    if (p->ctx != NULL && (go_context_err(p->ctx) != 0 || stress_below(&p->random, 16) == 0)) {
        go_context *old = p->ctx;
        p->ctx = go_context_with_timeout(NULL, stress_below(&p->random, 100000));
        (void)go_context_bind(p->ctx);
        go_context_unref(old);
    }
}

static void send_batch(struct party *p)
{
    for (uint32_t number = 0; number < BATCH; number++) {
        struct element e;
        int result;
        make(&e, p->name, number);
        do {
            renew(p);
            result = send_somehow(p, &e);
        } while (result != 0 && result != -EPIPE);
        if (result == -EPIPE) {
            break;
        }
        atomic_fetch_add_explicit(&p->round->taken, 1, memory_order_relaxed);
        if (stress_below(&p->random, 64) == 0) {
            go_yield();
        }
    }
    if (atomic_fetch_sub(&p->round->sending, 1) == 1) {
        (void)go_chan_close(p->round->c);
    }
}

static void recv_all(struct party *p)
{
    int64_t last[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        last[i] = -1;
    }
    for (;;) {
        struct element e;
        renew(p);
        int result = recv_somehow(p, &e);
        if (result == -EPIPE) {
            CHECK(e.sender == 0 && e.number == 0 && e.check[0] == 0 && e.check[2] == 0);
            return;
        }
        if (result == 0) {
            CHECK(e.sender < SENDERS && e.number < BATCH && whole(&e));
            CHECK(last[e.sender] < (int64_t)e.number); /* one sender's elements keep their order */
            last[e.sender] = e.number;
            CHECK_EQUAL(atomic_fetch_add_explicit(&p->round->received[e.sender][e.number], 1, memory_order_relaxed), 0);
            atomic_fetch_add_explicit(&p->round->given, 1, memory_order_relaxed);
        } else {
            CHECK(p->round->impatient && (result == -EAGAIN || result == -ETIMEDOUT || result == -ECANCELED));
            go_yield();
        }
    }
}

static void take_part(void *arg)
{
    struct party *p = arg;
    if (p->round->impatient && stress_below(&p->random, 2) == 0) {
        p->ctx = go_context_with_cancel(NULL);
        (void)go_context_bind(p->ctx);
    }
    if (p->name < SENDERS) {
        send_batch(p);
    } else {
        recv_all(p);
    }
    if (p->ctx != NULL) {
        (void)go_context_bind(NULL);
        go_context_unref(p->ctx);
    }
    go_waitgroup_done(&p->round->done);
}

static void *take_part_outside(void *arg)
{
    struct party *p = arg;
    if (p->name < SENDERS) {
        send_batch(p);
    } else {
        recv_all(p);
    }
    return NULL;
}

/* foreign: one sender and one receiver are threads. */
static void one_round(uint64_t *random, bool impatient, bool foreign, bool close_early)
{
    struct round *r = &round_;
    pthread_t threads[2];
    memset(r, 0, sizeof *r);
    r->c = go_chan_new(sizeof(struct element), stress_below(random, 2) == 0 ? 0 : stress_below(random, 40));
    r->impatient = impatient;
    atomic_store(&r->sending, SENDERS);
    go_waitgroup_add(&r->done, SENDERS + RECEIVERS - (foreign ? 2 : 0));
    for (uint32_t i = 0; i < SENDERS + RECEIVERS; i++) {
        r->parties[i] = (struct party){r, i, stress_random(random), NULL};
        if (foreign && (i == 0 || i == SENDERS)) {
            CHECK_EQUAL(pthread_create(&threads[i != 0], NULL, take_part_outside, &r->parties[i]), 0);
        } else {
            go(take_part, &r->parties[i]);
        }
    }
    if (close_early) {
        CHECK_EQUAL(go_sleep(stress_below(random, 3000000)), 0);
        (void)go_chan_close(r->c);
    }
    if (foreign) {
        go_block_begin(); /* they use goco late, perhaps: nobody shall call this a deadlock */
        CHECK_EQUAL(pthread_join(threads[0], NULL), 0);
        CHECK_EQUAL(pthread_join(threads[1], NULL), 0);
        go_block_end();
    }
    go_waitgroup_wait(&r->done);
    CHECK_EQUAL(atomic_load(&r->taken), atomic_load(&r->given));
    CHECK(close_early || atomic_load(&r->taken) == SENDERS * BATCH);
    CHECK_EQUAL(go_chan_len(r->c), 0);
    go_chan_unref(r->c);
}

static void repeat(bool impatient, bool foreign, bool close_early)
{
    uint64_t random = stress_seed();
    int64_t deadline = stress_deadline();
    do {
        one_round(&random, impatient, foreign, close_early);
    } while (go_now() < deadline);
}

static void patient_parties(void)
{
    repeat(false, false, false);
}

static void parties_that_give_up(void)
{
    repeat(true, false, false);
}

static void patient_parties_and_threads(void)
{
    repeat(false, true, false);
}

static void parties_that_give_up_and_threads(void)
{
    repeat(true, true, false);
}

static void a_close_in_the_middle(void)
{
    repeat(true, true, true);
}

/* --- whoever receives may give up the last reference but the sender's at once --- */

struct question {
    go_chan *answer;
    uint32_t value;
};

static go_chan *questions;

static void answer_them(void *arg)
{
    struct question q;
    (void)arg;
    while (go_chan_recv(questions, &q) == 0) {
        q.value++;
        CHECK_EQUAL(go_chan_send(q.answer, &q.value), 0);
        go_chan_unref(q.answer);
    }
}

static void ask(void *arg)
{
    uint64_t random = *(uint64_t *)arg;
    for (int i = 0; i < 1000; i++) {
        struct question q = {go_chan_new(sizeof(uint32_t), stress_below(&random, 2)), (uint32_t)i};
        uint32_t v = 0;
        (void)go_chan_ref(q.answer);
        CHECK_EQUAL(go_chan_send(questions, &q), 0);
        CHECK_EQUAL(go_chan_recv(q.answer, &v), 0);
        CHECK_EQUAL(v, i + 1);
        go_chan_unref(q.answer);
    }
}

struct asker {
    go_waitgroup *done;
    uint64_t random;
};

static void ask_and_tell(void *arg)
{
    struct asker *a = arg;
    ask(&a->random);
    go_waitgroup_done(a->done);
}

static void channels_that_are_freed_at_once(void)
{
    uint64_t random = stress_seed();
    int64_t deadline = stress_deadline();
    do {
        go_waitgroup asking = GO_WAITGROUP_INIT, answering = GO_WAITGROUP_INIT;
        questions = go_chan_new(sizeof(struct question), stress_below(&random, 4));
        go_waitgroup_add(&asking, 8);
        for (int i = 0; i < 8; i++) {
            struct asker a = {&asking, stress_random(&random)};
            go_copy(ask_and_tell, &a, sizeof a);
            go_waitgroup_go(&answering, answer_them, NULL);
        }
        go_waitgroup_wait(&asking);
        CHECK_EQUAL(go_chan_close(questions), 0);
        go_waitgroup_wait(&answering);
        go_chan_unref(questions);
    } while (go_now() < deadline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(patient_parties),
        BEHAVIOUR(parties_that_give_up),
        BEHAVIOUR(patient_parties_and_threads),
        BEHAVIOUR(parties_that_give_up_and_threads),
        BEHAVIOUR(a_close_in_the_middle),
        BEHAVIOUR(channels_that_are_freed_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
