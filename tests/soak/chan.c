/* Channels. What must hold: every element that was sent is received once and unchanged, in its sender's order; close comes last. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "soak.h"

/* --- pipelines: producers, movers, consumers --- */

enum { MOST_BYTES = 304, MOST_PRODUCERS = 5 };

struct pipeline {
    go_chan *first, *second;
    size_t words; /* of an element */
    uint32_t each, movers;
    go_waitgroup producing, moving, consuming;
    atomic_ullong sent, received, count;
};

union element {
    uint64_t words[MOST_BYTES / 8];
};

static void fill(const struct pipeline *p, union element *e, uint64_t producer, uint64_t number)
{
    e->words[0] = producer << 32 | number;
    for (size_t i = 1; i < p->words; i++) {
        e->words[i] = e->words[i - 1] * 31 + i;
    }
}

static void verify(const struct pipeline *p, const union element *e)
{
    for (size_t i = 1; i < p->words; i++) {
        MUST(e->words[i] == e->words[i - 1] * 31 + i);
    }
}

static void send_somehow(go_chan *c, const union element *e, uint64_t *random)
{
    int code;
    switch (soak_below(random, 3)) {
    case 0: code = go_chan_send(c, e); break;
    case 1:
        while ((code = go_chan_send_until(c, e, go_now() + soak_micros(random, 100))) == -ETIMEDOUT) {}
        break;
    default:
        if ((code = go_chan_try_send(c, e)) == -EAGAIN) { /* those who only try never meet without a buffer */
            go_yield();
            code = go_chan_send(c, e);
        }
    }
    MUST_EQUAL(code, 0);
}

static int receive_somehow(go_chan *c, union element *e, uint64_t *random)
{
    int code;
    switch (soak_below(random, 3)) {
    case 0: return go_chan_recv(c, e);
    case 1:
        while ((code = go_chan_recv_until(c, e, go_now() + soak_micros(random, 100))) == -ETIMEDOUT) {}
        return code;
    default:
        if ((code = go_chan_try_recv(c, e)) == -EAGAIN) {
            go_yield();
            code = go_chan_recv(c, e);
        }
        return code;
    }
}

struct producer {
    struct pipeline *pipeline;
    uint64_t number, random;
};

static void produce(void *arg)
{
    struct producer *me = arg;
    struct pipeline *p = me->pipeline;
    union element e;
    for (uint32_t i = 1; i <= p->each; i++) {
        fill(p, &e, me->number, i);
        atomic_fetch_add_explicit(&p->sent, e.words[0], memory_order_relaxed);
        send_somehow(p->first, &e, &me->random);
    }
    go_waitgroup_done(&p->producing);
}

static void move(void *arg)
{
    struct producer *me = arg;
    struct pipeline *p = me->pipeline;
    union element e;
    int code;
    while ((code = receive_somehow(p->first, &e, &me->random)) == 0) {
        verify(p, &e);
        send_somehow(p->second, &e, &me->random);
    }
    MUST_EQUAL(code, -EPIPE);
    go_waitgroup_done(&p->moving);
}

/* With one mover and one consumer nothing overtakes. */
static void consume(void *arg)
{
    struct producer *me = arg;
    struct pipeline *p = me->pipeline;
    uint64_t last[MOST_PRODUCERS] = {0};
    union element e;
    int code;
    while ((code = receive_somehow(p->second, &e, &me->random)) == 0) {
        uint64_t from = e.words[0] >> 32, number = e.words[0] & UINT32_MAX;
        verify(p, &e);
        MUST(from < MOST_PRODUCERS);
        MUST(p->movers > 1 || number > last[from]);
        last[from] = number;
        atomic_fetch_add_explicit(&p->received, e.words[0], memory_order_relaxed);
        atomic_fetch_add_explicit(&p->count, 1, memory_order_relaxed);
    }
    MUST_EQUAL(code, -EPIPE);
    MUST_EQUAL(e.words[0], 0); /* zeroed */
    go_waitgroup_done(&p->consuming);
}

static void start_stage(struct pipeline *p, go_func fn, go_waitgroup *wg, uint32_t count, uint64_t *random)
{
    go_waitgroup_add(wg, (int)count);
    for (uint32_t i = 0; i < count; i++) {
        struct producer one = {p, i, soak_random(random)};
        go_copy(fn, &one, sizeof one);
    }
}

static void run_pipeline(uint64_t *random)
{
    static const size_t words[] = {1, 2, 8, MOST_BYTES / 8};
    struct pipeline p = {.each = soak_below(random, 400), .movers = 1 + soak_below(random, 4)};
    uint32_t producers = 1 + soak_below(random, MOST_PRODUCERS);
    p.words = words[soak_below(random, 4)];
    p.first = go_chan_new(p.words * 8, soak_below(random, 3) == 0 ? 0 : soak_below(random, 40));
    p.second = go_chan_new(p.words * 8, soak_below(random, 3) == 0 ? 0 : soak_below(random, 40));
    MUST(p.first != NULL && p.second != NULL);
    start_stage(&p, consume, &p.consuming, p.movers, random);
    start_stage(&p, move, &p.moving, p.movers, random);
    start_stage(&p, produce, &p.producing, producers, random);
    go_waitgroup_wait(&p.producing);
    MUST_EQUAL(go_chan_close(p.first), 0);
    go_waitgroup_wait(&p.moving);
    MUST_EQUAL(go_chan_close(p.second), 0);
    MUST_EQUAL(go_chan_close(p.second), -EPIPE);
    go_waitgroup_wait(&p.consuming);
    MUST_EQUAL(p.count, producers * p.each);
    MUST_EQUAL(p.received, p.sent);
    go_chan_unref(p.first);
    go_chan_unref(p.second);
    soak_count(&soak_pipelines, producers * p.each * 2ull + 1);
}

static void pipelines(void *arg)
{
    uint64_t random = soak_new_random();
    (void)arg;
    while (soak_goes_on()) {
        run_pipeline(&random);
    }
}

static void start_pipelines(void)
{
    soak_go(pipelines, NULL);
    soak_go(pipelines, NULL);
}

struct soak_family soak_pipelines = {.name = "pipelines", .start = start_pipelines};

/* --- select: everybody sends and receives on the same few channels --- */

enum { CHANNELS = 5, MOST_CASES = 6, SELECTORS = 8 };

static go_chan *shared[CHANNELS];
static atomic_ullong selected_sent, selected_received;

struct choice {
    go_case cases[MOST_CASES + 1];
    uint64_t elements[MOST_CASES + 1];
    uint32_t count;
};

static void offer(struct choice *choice, uint64_t *random)
{
    choice->count = 1 + soak_below(random, MOST_CASES);
    for (uint32_t i = 0; i < choice->count; i++) {
        bool sends = soak_below(random, 2) == 0;
        choice->elements[i] = soak_random(random);
        choice->cases[i].chan = soak_below(random, 20) == 0 ? NULL : shared[soak_below(random, CHANNELS)];
        choice->cases[i].elem = &choice->elements[i];
        choice->cases[i].direction = sends ? GO_DIRECTION_SEND : GO_DIRECTION_RECV;
    }
}

/* Some never wait without end, or a moment would come when all of them do. */
static int choose(struct choice *choice, bool patient, uint64_t *random)
{
    switch (soak_below(random, patient ? 3 : 2)) {
    case 0: return go_select_try(choice->cases, choice->count);
    case 1: return go_select_until(choice->cases, choice->count, go_now() + soak_micros(random, 300));
    default:
        choice->cases[choice->count] = (go_case){soak_stopped, NULL, GO_DIRECTION_RECV, 0};
        return go_select(choice->cases, choice->count + 1);
    }
}

static void settle(const struct choice *choice, int chosen)
{
    if (chosen == -EAGAIN || chosen == -ETIMEDOUT) {
        return;
    }
    MUST(chosen >= 0 && chosen <= (int)choice->count);
    if (chosen == (int)choice->count) {
        MUST_EQUAL(choice->cases[chosen].result, -EPIPE);
        return;
    }
    MUST_EQUAL(choice->cases[chosen].result, 0);
    MUST(choice->cases[chosen].chan != NULL);
    atomic_fetch_add_explicit(choice->cases[chosen].direction == GO_DIRECTION_SEND ? &selected_sent : &selected_received,
                              choice->elements[chosen], memory_order_relaxed);
    soak_count(&soak_selects, 1);
}

static void selector(void *arg)
{
    uint64_t random = soak_new_random();
    struct choice choice;
    bool patient = arg != NULL;
    while (soak_goes_on()) {
        offer(&choice, &random);
        settle(&choice, choose(&choice, patient, &random));
        if (soak_below(&random, 100) == 0) {
            go_yield(); /* tries alone would never give way */
        }
    }
}

static void start_selects(void)
{
    selected_sent = selected_received = 0;
    for (size_t i = 0; i < CHANNELS; i++) {
        shared[i] = go_chan_new(sizeof(uint64_t), i < 2 ? 0 : i * i);
        MUST(shared[i] != NULL);
    }
    for (int i = 0; i < SELECTORS; i++) {
        soak_go(selector, i % 2 == 0 ? &shared : NULL);
    }
}

static void finish_selects(void)
{
    for (int i = 0; i < CHANNELS; i++) {
        uint64_t left;
        while (go_chan_try_recv(shared[i], &left) == 0) {
            selected_received += left;
        }
        go_chan_unref(shared[i]);
    }
    MUST_EQUAL(selected_received, selected_sent);
}

struct soak_family soak_selects = {.name = "select", .start = start_selects, .finish = finish_selects};
