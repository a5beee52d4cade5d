/* Selects under stress: parties that select at random among a few channels, with the same channel more than once and in both
 * directions, deadlines, cancellations, closes, and threads that are not goco's. Every element has a number: one whose send
 * happened is received exactly once, any other never. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "support/stress.h"

enum { CHANNELS = 6, PARTIES = 12, TURNS = 2000, MOST_CASES = 24 };

struct party {
    struct arena *arena;
    uint32_t name;
    uint64_t random;
    go_context *ctx;
    uint64_t sent[TURNS * MOST_CASES / 64 + 1]; /* a bit for each number it used */
    uint32_t used;
};

struct arena {
    go_chan *c[CHANNELS];
    go_chan *quit;
    bool closing;
    atomic_uint received[PARTIES][TURNS * MOST_CASES]; /* by sender and number */
    go_waitgroup done;
    struct party parties[PARTIES];
};

static struct arena arena_;

static void note_received(struct arena *a, uint64_t element)
{
    uint32_t sender = (uint32_t)(element >> 32), number = (uint32_t)element;
    CHECK(sender < PARTIES && number < TURNS * MOST_CASES);
    CHECK_EQUAL(atomic_fetch_add_explicit(&a->received[sender][number], 1, memory_order_relaxed), 0);
}

/* False: the party is over. */
static bool turn(struct party *p)
{
    struct arena *a = p->arena;
    uint32_t n = 1 + stress_below(&p->random, stress_below(&p->random, 8) == 0 ? MOST_CASES : 5);
    go_case cases[MOST_CASES + 1];
    uint64_t elements[MOST_CASES + 1], quit = n;
    for (uint32_t i = 0; i < n; i++) {
        bool send = stress_below(&p->random, 2) == 0;
        elements[i] = send ? (uint64_t)p->name << 32 | p->used++ : UINT64_MAX;
        cases[i] = (go_case){stress_below(&p->random, 16) == 0 ? NULL : a->c[stress_below(&p->random, CHANNELS)], &elements[i],
                             send ? GO_DIRECTION_SEND : GO_DIRECTION_RECV, 1};
    }
    cases[n] = (go_case){a->quit, NULL, GO_DIRECTION_RECV, 1};
    int happened;
    switch (stress_below(&p->random, 4)) {
    case 0: happened = go_select_try(cases, n); break;
    case 1: happened = go_select_until(cases, n, go_now() + stress_below(&p->random, 30000)); break;
    default: happened = go_select(cases, n + 1); break;
    }
    if (happened == (int)quit) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        if ((int)i != happened) { /* what did not happen left no trace */
            CHECK_EQUAL(cases[i].result, 1);
            CHECK(cases[i].direction == GO_DIRECTION_SEND || elements[i] == UINT64_MAX);
        }
    }
    if (happened < 0) {
        CHECK(happened == -EAGAIN || happened == -ETIMEDOUT || happened == -ECANCELED);
        return true;
    }
    if (cases[happened].result == -EPIPE) {
        CHECK(a->closing && (cases[happened].direction == GO_DIRECTION_SEND || elements[happened] == 0));
        return true;
    }
    CHECK_EQUAL(cases[happened].result, 0);
    if (cases[happened].direction == GO_DIRECTION_RECV) {
        note_received(a, elements[happened]);
    } else {
        uint32_t number = (uint32_t)elements[happened];
        p->sent[number / 64] |= UINT64_C(1) << number % 64;
    }
    return true;
}

static void take_turns(struct party *p, bool goroutine)
{
    for (int i = 0; i < TURNS && turn(p); i++) {
        if (goroutine && p->ctx != NULL && (go_context_err(p->ctx) != 0 || stress_below(&p->random, 16) == 0)) {
            go_context *old = p->ctx;
            p->ctx = go_context_with_timeout(NULL, stress_below(&p->random, 100000));
            (void)go_context_bind(p->ctx);
            go_context_unref(old);
        }
    }
}

static void take_part(void *arg)
{
    struct party *p = arg;
    if (p->name % 3 == 0) {
        p->ctx = go_context_with_cancel(NULL);
        (void)go_context_bind(p->ctx);
    }
    take_turns(p, true);
    if (p->ctx != NULL) {
        (void)go_context_bind(NULL);
        go_context_unref(p->ctx);
    }
    go_waitgroup_done(&p->arena->done);
}

static void *take_part_outside(void *arg)
{
    take_turns(arg, false);
    return NULL;
}

static void settle_up(struct arena *a)
{
    for (int i = 0; i < CHANNELS; i++) {
        uint64_t element;
        while (go_chan_try_recv(a->c[i], &element) == 0) {
            note_received(a, element);
        }
        go_chan_unref(a->c[i]);
    }
    for (uint32_t s = 0; s < PARTIES; s++) {
        for (uint32_t number = 0; number < TURNS * MOST_CASES; number++) {
            bool sent = (a->parties[s].sent[number / 64] >> number % 64 & 1) != 0;
            CHECK_EQUAL(atomic_load_explicit(&a->received[s][number], memory_order_relaxed), sent);
        }
    }
}

static void one_round(uint64_t *random, bool closing, int foreign)
{
    struct arena *a = &arena_;
    pthread_t threads[PARTIES];
    memset(a, 0, sizeof *a);
    a->closing = closing;
    a->quit = go_chan_new(0, 0);
    for (int i = 0; i < CHANNELS; i++) {
        a->c[i] = go_chan_new(sizeof(uint64_t), i % 2 == 0 ? 0 : stress_below(random, 4));
    }
    go_waitgroup_add(&a->done, PARTIES - foreign);
    for (int i = 0; i < PARTIES; i++) {
        a->parties[i].arena = a;
        a->parties[i].name = (uint32_t)i;
        a->parties[i].random = stress_random(random);
        if (i < foreign) {
            CHECK_EQUAL(pthread_create(&threads[i], NULL, take_part_outside, &a->parties[i]), 0);
        } else {
            go(take_part, &a->parties[i]);
        }
    }
    int64_t end = go_now() + 20 * GO_MILLISECOND;
    while (go_now() < end && go_waitgroup_wait_until(&a->done, go_now() + GO_MILLISECOND) != 0) {
        if (closing) {
            (void)go_chan_close(a->c[stress_below(random, CHANNELS)]);
        }
    }
    CHECK_EQUAL(go_chan_close(a->quit), 0);
    go_waitgroup_wait(&a->done);
    go_block_begin();
    for (int i = 0; i < foreign; i++) {
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    }
    go_block_end();
    settle_up(a);
    go_chan_unref(a->quit);
}

static void repeat(bool closing, int foreign)
{
    uint64_t random = stress_seed();
    int64_t deadline = stress_deadline();
    do {
        one_round(&random, closing, foreign);
    } while (go_now() < deadline);
}

static void selects_among_goroutines(void)
{
    repeat(false, 0);
}

static void selects_and_closes(void)
{
    repeat(true, 0);
}

static void selects_among_goroutines_and_threads(void)
{
    repeat(false, 3);
}

static void selects_and_closes_among_goroutines_and_threads(void)
{
    repeat(true, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(selects_among_goroutines),
        BEHAVIOUR(selects_and_closes),
        BEHAVIOUR(selects_among_goroutines_and_threads),
        BEHAVIOUR(selects_and_closes_among_goroutines_and_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
