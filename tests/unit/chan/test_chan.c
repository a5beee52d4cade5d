/* Channels from inside: copies of every size, the ring, the queues of waiters, what is left when a wait ends early, runs that end
 * while somebody waits, threads that are not goco's. What Go's programs see is in tests/conformance/chan.c. */
#include <errno.h>
#include <string.h>

#include "support/behaviour.h"
#include "waiting.h"

static const int64_t forever = GO_FOREVER;

static int64_t soon(void)
{
    return go_now() + 2 * GO_MILLISECOND;
}

/* --- making --- */

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    assert_null(go_chan_new(SIZE_MAX, 2));
    assert_null(go_chan_new(2, SIZE_MAX));
    assert_null(go_chan_new(SIZE_MAX / 2, 3));
    assert_null(go_chan_new(1, SIZE_MAX - 8));
}

static void everything_without_a_wait_works_without_a_run(void **state)
{
    (void)state;
    int v = 5;
    go_chan *c = go_chan_new(sizeof v, 2);
    assert_non_null(c);
    assert_ptr_equal(go_chan_ref(c), c);
    go_chan_unref(c);
    assert_int_equal(go_chan_cap(c), 2);
    assert_int_equal(go_chan_try_recv(c, &v), -EAGAIN);
    assert_int_equal(go_chan_send(c, &v), 0);
    v = 6;
    assert_int_equal(go_chan_try_send(c, &v), 0);
    assert_int_equal(go_chan_try_send(c, &v), -EAGAIN);
    assert_int_equal(go_chan_len(c), 2);
    assert_int_equal(go_chan_recv(c, &v), 0);
    assert_int_equal(v, 5);
    go_case cases[] = {{NULL, NULL, GO_DIRECTION_RECV, 0}, {c, &v, GO_DIRECTION_RECV, 0}};
    assert_int_equal(go_select_try(cases, 2), 1);
    assert_int_equal(v, 6);
    assert_int_equal(go_chan_close(c), 0);
    assert_int_equal(go_chan_close(c), -EPIPE);
    assert_int_equal(go_chan_send(c, &v), -EPIPE);
    assert_int_equal(go_chan_recv(c, &v), -EPIPE);
    assert_int_equal(v, 0);
    go_chan_unref(c);
}

static void null_channels_are_harmless(void **state)
{
    (void)state;
    assert_null(go_chan_ref(NULL));
    go_chan_unref(NULL);
    assert_int_equal(go_chan_len(NULL), 0);
    assert_int_equal(go_chan_cap(NULL), 0);
    assert_int_equal(go_chan_close(NULL), -EINVAL);
    assert_int_equal(go_chan_try_send(NULL, NULL), -EAGAIN);
    assert_int_equal(go_chan_try_recv(NULL, NULL), -EAGAIN);
}

static void the_last_reference_frees_what_is_left_inside(void **state)
{
    (void)state;
    go_chan *c = go_chan_new(1000, 10);
    static const char elem[1000];
    assert_int_equal(go_chan_try_send(c, elem), 0);
    go_chan_ref(c);
    go_chan_unref(c);
    assert_int_equal(go_chan_len(c), 1);
    go_chan_unref(c); /* the leak checker sees to the rest */
}

/* --- elements --- */

enum { LARGEST = 2000, EDGE = 16 };

struct buffer {
    unsigned char before[EDGE], elem[LARGEST], after[EDGE];
};

static void fill(struct buffer *b, size_t size, unsigned seed)
{
    memset(b, 0xEE, sizeof *b);
    for (size_t i = 0; i < size; i++) {
        b->elem[i] = (unsigned char)(i * 7 + seed);
    }
}

static bool same(const struct buffer *b, size_t size, unsigned seed)
{
    static struct buffer expected;
    fill(&expected, size, seed);
    return memcmp(b, &expected, sizeof *b) == 0;
}

struct transfer {
    go_chan *c;
    struct buffer *b;
};

static void send_one(void *arg)
{
    struct transfer *t = arg;
    CHECK_EQUAL(go_chan_send(t->c, t->b->elem), 0);
}

static void recv_one(void *arg)
{
    struct transfer *t = arg;
    CHECK_EQUAL(go_chan_recv(t->c, t->b->elem), 0);
}

static void each_way(size_t size)
{
    static struct buffer in, in2, out;
    go_chan *rendezvous = go_chan_new(size, 0), *buffered = go_chan_new(size, 1);
    fill(&in, size, 3);

    struct transfer to = {rendezvous, &out};
    fill(&out, 0, 0);
    go(recv_one, &to); /* to a receiver that waits */
    until_receivers(rendezvous, 1);
    CHECK_EQUAL(go_chan_send(rendezvous, in.elem), 0);
    while (!same(&out, size, 3)) {
        go_yield();
    }

    struct transfer from = {rendezvous, &in};
    fill(&out, 0, 0);
    go(send_one, &from); /* from a sender that waits */
    until_senders(rendezvous, 1);
    CHECK_EQUAL(go_chan_recv(rendezvous, out.elem), 0);
    CHECK(same(&out, size, 3));

    fill(&in2, size, 9);
    struct transfer second = {buffered, &in2};
    fill(&out, 0, 0);
    CHECK_EQUAL(go_chan_send(buffered, in.elem), 0);
    go(send_one, &second); /* from a sender that waits into the buffer */
    until_senders(buffered, 1);
    CHECK_EQUAL(go_chan_recv(buffered, out.elem), 0);
    CHECK(same(&out, size, 3));
    CHECK_EQUAL(go_chan_len(buffered), 1);
    fill(&out, 0, 0);
    CHECK_EQUAL(go_chan_recv(buffered, out.elem), 0);
    CHECK(same(&out, size, 9));
    CHECK_EQUAL(go_chan_try_recv(buffered, out.elem), -EAGAIN);
    CHECK(same(&out, size, 9)); /* untouched */

    CHECK_EQUAL(go_chan_close(buffered), 0);
    fill(&in, 0, 0);
    memset(in.elem, 0, size);
    CHECK_EQUAL(go_chan_recv(buffered, out.elem), -EPIPE);
    CHECK(memcmp(&out, &in, sizeof out) == 0); /* zeroed, and not a byte more */
    go_chan_unref(rendezvous);
    go_chan_unref(buffered);
}

static void elements_of_every_size_arrive_whole(void)
{
    for (size_t size = 0; size <= 72; size++) {
        each_way(size);
    }
    static const size_t larger[] = {100, 127, 128, 255, 256, 257, 264, 1000, 1999, LARGEST};
    for (size_t i = 0; i < sizeof larger / sizeof larger[0]; i++) {
        each_way(larger[i]);
    }
}

static void the_ring_goes_round(void)
{
    for (size_t capacity = 1; capacity <= 9; capacity++) {
        go_chan *c = go_chan_new(sizeof(int), capacity);
        int in = 0, out = 0, v;
        for (int round = 0; round < 50; round++) {
            for (size_t i = 0; i <= (size_t)round % capacity; i++) {
                CHECK_EQUAL(go_chan_send(c, &in), 0);
                in++;
            }
            CHECK_EQUAL(go_chan_len(c), in - out);
            while (go_chan_try_recv(c, &v) == 0) {
                CHECK_EQUAL(v, out);
                out++;
            }
            CHECK_EQUAL(in, out);
        }
        go_chan_unref(c);
    }
}

static void signals_are_counted(void)
{
    go_chan *c = go_chan_new(0, 1000000000000);
    CHECK(c != NULL);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
    }
    CHECK_EQUAL(go_chan_len(c), 1000);
    CHECK_EQUAL(go_chan_close(c), 0);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    }
    CHECK_EQUAL(go_chan_recv(c, NULL), -EPIPE);
    go_chan_unref(c);
}

static void null_discards(void)
{
    go_chan *c = go_chan_new(sizeof(int), 2), *r = go_chan_new(4, 0);
    int v = 1;
    CHECK_EQUAL(go_chan_send(c, &v), 0);
    v = 2;
    CHECK_EQUAL(go_chan_send(c, &v), 0);
    CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), 0);
    struct transfer from = {r, &(struct buffer){{0}, {0}, {0}}};
    go(send_one, &from);
    until_senders(r, 1);
    CHECK_EQUAL(go_chan_recv(r, NULL), 0); /* from a sender */
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_chan_recv(c, NULL), -EPIPE);
    CHECK_EQUAL(go_chan_try_recv(c, NULL), -EPIPE);
    go_chan_unref(c);
    go_chan_unref(r);
}

/* --- waits that end early --- */

static void a_wait_that_times_out_leaves_nothing_behind(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0);
    int v = 42;
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(go_chan_recv_until(c, &v, soon()), -ETIMEDOUT);
        CHECK_EQUAL(v, 42);
        CHECK_EQUAL(go_chan_send_until(c, &v, soon()), -ETIMEDOUT);
    }
    CHECK_EQUAL(go_chan_recv_until(c, &v, 0), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_recv_until(c, &v, INT64_MIN), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_send_until(c, &v, go_now()), -ETIMEDOUT);
    CHECK_EQUAL(receivers_of(c), 0);
    CHECK_EQUAL(senders_of(c), 0);
    go_chan_unref(c);
}

static void a_deadline_in_the_past_is_a_try(void)
{
    go_chan *c = go_chan_new(sizeof(int), 1);
    int v = 1;
    CHECK_EQUAL(go_chan_send_until(c, &v, 0), 0);
    CHECK_EQUAL(go_chan_send_until(c, &v, 0), -ETIMEDOUT);
    v = 0;
    CHECK_EQUAL(go_chan_recv_until(c, &v, 0), 0);
    CHECK_EQUAL(v, 1);
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_chan_recv_until(c, &v, 0), -EPIPE);
    CHECK_EQUAL(go_chan_send_until(c, &v, 0), -EPIPE);
    go_chan_unref(c);
}

static void a_null_channel_waits_for_its_deadline(void)
{
    int v = 3;
    CHECK_EQUAL(go_chan_recv_until(NULL, &v, soon()), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_send_until(NULL, &v, soon()), -ETIMEDOUT);
    CHECK_EQUAL(v, 3);
}

struct call {
    go_chan *c, *done;
    go_context *ctx;
    int64_t deadline;
    bool send;
    int elem, result;
};

static void calling(void *arg)
{
    struct call *call = arg;
    if (call->ctx != NULL) {
        (void)go_context_bind(call->ctx);
    }
    call->result = call->send ? go_chan_send_until(call->c, &call->elem, call->deadline)
                              : go_chan_recv_until(call->c, &call->elem, call->deadline);
    (void)go_context_bind(NULL);
    CHECK_EQUAL(go_chan_send(call->done, NULL), 0);
}

static void join(go_chan *done, int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQUAL(go_chan_recv(done, NULL), 0);
    }
}

static void cancelling_ends_a_wait(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0), *done = go_chan_new(0, 4);
    for (int round = 0; round < 4; round++) {
        go_context *ctx = go_context_with_cancel(NULL);
        struct call call = {(round & 2) != 0 ? NULL : c, done, ctx, forever, (round & 1) != 0, 7, 1};
        go(calling, &call);
        if (round == 0) {
            until_receivers(c, 1);
        } else if (round == 1) {
            until_senders(c, 1);
        } else {
            go_yield();
        }
        go_context_cancel(ctx, 0);
        join(done, 1);
        CHECK_EQUAL(call.result, -ECANCELED);
        CHECK_EQUAL(call.elem, 7);
        CHECK_EQUAL(receivers_of(c) + senders_of(c), 0);
        go_context_unref(ctx);
    }
    go_chan_unref(c);
    go_chan_unref(done);
}

static void a_done_context_wins_over_success(void)
{
    go_chan *c = go_chan_new(sizeof(int), 2);
    int v = 1;
    CHECK_EQUAL(go_chan_send(c, &v), 0);
    go_context *ctx = go_context_with_cancel(NULL);
    (void)go_context_bind(ctx);
    CHECK_EQUAL(go_chan_send(c, &v), 0);
    CHECK_EQUAL(go_chan_recv(c, &v), 0);
    go_context_cancel(ctx, -EIO);
    CHECK_EQUAL(go_chan_recv(c, &v), -ECANCELED);
    CHECK_EQUAL(go_chan_send(c, &v), -ECANCELED);
    CHECK_EQUAL(go_chan_send(NULL, &v), -ECANCELED);
    CHECK_EQUAL(go_chan_recv_until(c, &v, 0), -ECANCELED);
    CHECK_EQUAL(go_chan_try_recv(c, &v), 0);
    CHECK_EQUAL(go_chan_try_send(c, &v), 0);
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_chan_recv(c, &v), -ECANCELED);
    CHECK_EQUAL(go_chan_send(c, &v), -ECANCELED);
    CHECK_EQUAL(go_chan_try_recv(c, &v), 0);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    go_chan_unref(c);
}

static void a_bound_context_does_not_hinder_a_delivery(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0), *done = go_chan_new(0, 1);
    go_context *ctx = go_context_with_cancel(NULL);
    struct call call = {c, done, ctx, forever, false, 0, 1};
    int v = 9;
    go(calling, &call);
    until_receivers(c, 1);
    CHECK_EQUAL(go_chan_send(c, &v), 0);
    go_context_cancel(ctx, 0); /* too late: the element is on its way */
    join(done, 1);
    CHECK_EQUAL(call.result, 0);
    CHECK_EQUAL(call.elem, 9);
    go_context_unref(ctx);
    go_chan_unref(c);
    go_chan_unref(done);
}

/* --- several waiters --- */

enum { CALLS = 20 };

static void those_who_wait_are_served_in_turn(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0), *done = go_chan_new(0, CALLS);
    static struct call calls[CALLS];
    for (int i = 0; i < CALLS; i++) {
        calls[i] = (struct call){c, done, NULL, i % 2 != 0 ? go_now() + GO_SECOND * 1000 : forever, false, 0, 1};
        go(calling, &calls[i]);
        until_receivers(c, i + 1);
    }
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQUAL(go_chan_send(c, &i), 0);
    }
    join(done, CALLS);
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQUAL(calls[i].result, 0);
        CHECK_EQUAL(calls[i].elem, i);
        calls[i] = (struct call){c, done, NULL, i % 2 != 0 ? go_now() + GO_SECOND * 1000 : forever, true, i, 1};
        go(calling, &calls[i]);
        until_senders(c, i + 1);
    }
    for (int i = 0; i < CALLS; i++) {
        int v;
        CHECK_EQUAL(go_chan_recv(c, &v), 0);
        CHECK_EQUAL(v, i);
    }
    join(done, CALLS);
    go_chan_unref(c);
    go_chan_unref(done);
}

static void one_who_leaves_the_middle_is_passed_over(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0), *done = go_chan_new(0, CALLS);
    static struct call calls[CALLS];
    static go_context *ctx[CALLS];
    for (int i = 0; i < CALLS; i++) {
        ctx[i] = go_context_with_cancel(NULL);
        calls[i] = (struct call){c, done, ctx[i], forever, false, 0, 1};
        go(calling, &calls[i]);
        until_receivers(c, i + 1);
    }
    for (int i = 0; i < CALLS; i += 3) { /* the first, some in the middle, the last but one */
        go_context_cancel(ctx[i], 0);
    }
    for (int i = 0; i < CALLS; i++) {
        if (i % 3 != 0) {
            CHECK_EQUAL(go_chan_send(c, &i), 0);
        }
    }
    join(done, CALLS);
    for (int i = 0; i < CALLS; i++) {
        CHECK_EQUAL(calls[i].result, i % 3 != 0 ? 0 : -ECANCELED);
        CHECK_EQUAL(calls[i].elem, i % 3 != 0 ? i : 0);
        go_context_unref(ctx[i]);
    }
    CHECK_EQUAL(receivers_of(c), 0);
    go_chan_unref(c);
    go_chan_unref(done);
}

static void closing_wakes_everybody(void)
{
    for (int send = 0; send < 2; send++) {
        go_chan *c = go_chan_new(sizeof(int), 0), *done = go_chan_new(0, CALLS);
        static struct call calls[CALLS];
        for (int i = 0; i < CALLS; i++) {
            calls[i] = (struct call){c, done, NULL, i % 2 != 0 ? go_now() + GO_SECOND * 1000 : forever, send != 0, 5, 1};
            go(calling, &calls[i]);
        }
        if (send != 0) {
            until_senders(c, CALLS);
        } else {
            until_receivers(c, CALLS);
        }
        CHECK_EQUAL(go_chan_close(c), 0);
        CHECK_EQUAL(receivers_of(c) + senders_of(c), 0);
        join(done, CALLS);
        for (int i = 0; i < CALLS; i++) {
            CHECK_EQUAL(calls[i].result, -EPIPE);
            CHECK_EQUAL(calls[i].elem, send != 0 ? 5 : 0);
        }
        go_chan_unref(c);
        go_chan_unref(done);
    }
}

/* --- runs that end, threads that are not goco's --- */

static go_chan *kept, *never;

static int leave_waiting(void *arg)
{
    static struct call calls[3];
    bool send = *(const bool *)arg;
    for (int i = 0; i < 3; i++) {
        calls[i] = (struct call){kept, never, NULL, i == 1 ? go_now() + 1000 * GO_SECOND : forever, send, 1, 1};
        go(calling, &calls[i]);
    }
    if (send) {
        until_senders(kept, 3);
    } else {
        until_receivers(kept, 3);
    }
    return 0;
}

static int use_again(void *arg)
{
    int v = *(int *)arg, w = 0;
    go_chan *done = go_chan_new(0, 1);
    CHECK_EQUAL(go_chan_try_recv(kept, &w), -EAGAIN);
    CHECK_EQUAL(go_chan_try_send(kept, &v), -EAGAIN);
    struct call call = {kept, done, NULL, forever, false, 0, 1};
    go(calling, &call);
    until_receivers(kept, 1);
    CHECK_EQUAL(go_chan_try_send(kept, &v), 0);
    join(done, 1);
    CHECK_EQUAL(call.elem, v);
    go_chan_unref(done);
    return 0;
}

static void those_who_wait_at_the_end_of_a_run_are_forgotten(void **state)
{
    (void)state;
    int v = 11;
    never = go_chan_new(0, 0);
    for (int round = 0; round < 4; round++) {
        bool send = (round & 1) != 0;
        kept = go_chan_new(sizeof(int), 0);
        assert_int_equal(go_run(leave_waiting, &send), 0);
        if (round < 2) {
            assert_int_equal(go_chan_try_recv(kept, &v), -EAGAIN);
            assert_int_equal(go_chan_try_send(kept, &v), -EAGAIN);
        }
        assert_int_equal(go_run(use_again, &v), 0);
        assert_int_equal(go_run(leave_waiting, &send), 0);
        if (round < 2) {
            assert_int_equal(go_chan_close(kept), 0);
        }
        go_chan_unref(kept); /* nobody waits any more */
    }
    go_chan_unref(never);
}

static void *call_outside(void *arg)
{
    struct call *call = arg;
    call->result = call->send ? go_chan_send_until(call->c, &call->elem, call->deadline)
                              : go_chan_recv_until(call->c, &call->elem, call->deadline);
    return NULL;
}

static void foreign_threads_wait_as_goroutines_do(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0);
    for (int round = 0; round < 6; round++) {
        struct call call = {c, NULL, NULL, round == 5 ? soon() : forever, (round & 1) != 0, 4, 1};
        pthread_t thread;
        CHECK_EQUAL(pthread_create(&thread, NULL, call_outside, &call), 0);
        int v = 8;
        if (round == 5) {
        } else if (call.send) {
            until_senders(c, 1);
            CHECK_EQUAL(go_chan_recv(c, &v), 0);
            CHECK_EQUAL(v, 4);
        } else {
            until_receivers(c, 1);
            CHECK_EQUAL(round < 4 ? go_chan_send(c, &v) : go_chan_close(c), 0);
        }
        go_block_begin();
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        go_block_end();
        static const int expected[] = {0, 0, 0, 0, -EPIPE, -EPIPE};
        CHECK_EQUAL(call.result, expected[round]);
        CHECK_EQUAL(call.elem, round == 4 ? 0 : call.send ? 4 : 8);
    }
    go_chan_unref(c);
}

static struct call outside;

static int leave_a_thread_waiting(void *arg)
{
    CHECK_EQUAL(pthread_create(arg, NULL, call_outside, &outside), 0);
    if (outside.send) {
        until_senders(outside.c, 1);
    } else {
        until_receivers(outside.c, 1);
    }
    return 0;
}

static void the_end_of_a_run_cancels_foreign_threads(void **state)
{
    (void)state;
    for (int round = 0; round < 4; round++) {
        pthread_t thread;
        outside = (struct call){go_chan_new(sizeof(int), 0), NULL, NULL, forever, (round & 1) != 0, 4, 1};
        assert_int_equal(go_run(leave_a_thread_waiting, &thread), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(outside.result, -ECANCELED);
        assert_int_equal(outside.elem, 4);
        go_chan_unref(outside.c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(everything_without_a_wait_works_without_a_run),
        cmocka_unit_test(null_channels_are_harmless),
        cmocka_unit_test(the_last_reference_frees_what_is_left_inside),
        BEHAVIOUR(elements_of_every_size_arrive_whole),
        BEHAVIOUR(the_ring_goes_round),
        BEHAVIOUR(signals_are_counted),
        BEHAVIOUR(null_discards),
        BEHAVIOUR(a_wait_that_times_out_leaves_nothing_behind),
        BEHAVIOUR(a_deadline_in_the_past_is_a_try),
        BEHAVIOUR(a_null_channel_waits_for_its_deadline),
        BEHAVIOUR(cancelling_ends_a_wait),
        BEHAVIOUR(a_done_context_wins_over_success),
        BEHAVIOUR(a_bound_context_does_not_hinder_a_delivery),
        BEHAVIOUR(those_who_wait_are_served_in_turn),
        BEHAVIOUR(one_who_leaves_the_middle_is_passed_over),
        BEHAVIOUR(closing_wakes_everybody),
        cmocka_unit_test(those_who_wait_at_the_end_of_a_run_are_forgotten),
        BEHAVIOUR(foreign_threads_wait_as_goroutines_do),
        cmocka_unit_test(the_end_of_a_run_cancels_foreign_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
