/* Select from inside: any number of cases, the same channel more than once, records that are left behind by those that did not
 * happen, waits that end early, runs that end. What Go's programs see is in tests/conformance/select.c. */
#include <errno.h>
#include <stdlib.h>

#include "support/behaviour.h"
#include "waiting.h"

static const int64_t forever = GO_FOREVER;

static int64_t soon(void)
{
    return go_now() + 2 * GO_MILLISECOND;
}

/* Every way in which blocks of records are had, and both sides of each limit. */
static const size_t numbers[] = {2, 3, 4, 5, 8, 15, 16, 17, 40, 63, 64, 65, 100, 1000};
enum { NUMBERS = sizeof numbers / sizeof numbers[0], MOST = 1000 };

static go_chan *chans[MOST];
static go_case cases[MOST];
static int values[MOST];

static void open_all(size_t n, size_t capacity)
{
    for (size_t i = 0; i < n; i++) {
        chans[i] = go_chan_new(sizeof(int), capacity);
        CHECK(chans[i] != NULL);
    }
}

static void receive_from_all(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = -1;
        cases[i] = (go_case){chans[i], &values[i], GO_DIRECTION_RECV, 77};
    }
}

static void send_to_all(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (int)i;
        cases[i] = (go_case){chans[i], &values[i], GO_DIRECTION_SEND, 77};
    }
}

static void nobody_waits(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK_EQUAL(receivers_of(chans[i]) + senders_of(chans[i]), 0);
    }
}

static void unref_all(size_t n)
{
    for (size_t i = 0; i < n; i++) {
        go_chan_unref(chans[i]);
    }
}

/* --- without waiting --- */

static void too_many_cases_are_refused(void **state)
{
    (void)state;
    go_case one = {NULL, NULL, GO_DIRECTION_RECV, 0};
    assert_int_equal(go_select_try(&one, 65536), -EINVAL);
    assert_int_equal(go_select_try(&one, SIZE_MAX), -EINVAL);
    assert_int_equal(go_select_until(&one, 65536, 0), -EINVAL);
    assert_int_equal(go_select(&one, 65536), -EINVAL);
}

static void as_many_cases_as_there_may_be(void)
{
    size_t n = 65535;
    go_case *all = calloc(n, sizeof *all);
    go_chan **c = calloc(n, sizeof *c);
    int v = 5;
    CHECK(all != NULL && c != NULL);
    for (size_t i = 0; i < n; i++) {
        c[i] = i % 3 == 0 ? NULL : go_chan_new(sizeof v, 1);
        all[i] = (go_case){c[i], &v, GO_DIRECTION_RECV, 77};
    }
    CHECK_EQUAL(go_select_try(all, n), -EAGAIN);
    CHECK_EQUAL(go_select_until(all, n, soon()), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_send(c[n - 1], &v), 0);
    CHECK_EQUAL(go_select(all, n), (int)n - 1);
    CHECK_EQUAL(all[n - 1].result, 0);
    for (size_t i = 0; i < n; i++) {
        go_chan_unref(c[i]);
    }
    free(c);
    free(all);
}

static void the_one_that_is_ready_happens(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        open_all(n, 1);
        for (size_t at = 0; at < n; at += n < 20 ? 1 : n / 7) {
            int v = (int)at + 1;
            receive_from_all(n);
            CHECK_EQUAL(go_select_try(cases, n), -EAGAIN);
            CHECK_EQUAL(go_chan_send(chans[at], &v), 0);
            CHECK_EQUAL(at % 2 == 0 ? go_select(cases, n) : go_select_try(cases, n), (int)at);
            CHECK_EQUAL(cases[at].result, 0);
            CHECK_EQUAL(values[at], v);
            for (size_t i = 0; i < n; i++) {
                CHECK(i == at || (values[i] == -1 && cases[i].result == 77));
            }
        }
        send_to_all(n);
        for (size_t i = 0; i < n; i++) { /* until all are full */
            int happened = go_select(cases, n);
            CHECK(happened >= 0 && (size_t)happened < n && go_chan_len(chans[happened]) == 1);
        }
        CHECK_EQUAL(go_select_try(cases, n), -EAGAIN);
        unref_all(n);
    }
}

static void null_channels_never_happen(void)
{
    int v = 3;
    go_chan *c = go_chan_new(sizeof v, 1);
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        for (size_t i = 0; i < n; i++) {
            cases[i] = (go_case){NULL, NULL, i % 2 == 0 ? GO_DIRECTION_RECV : GO_DIRECTION_SEND, 77};
        }
        CHECK_EQUAL(go_select_try(cases, n), -EAGAIN);
        CHECK_EQUAL(go_select_until(cases, n, soon()), -ETIMEDOUT);
        cases[n / 2] = (go_case){c, &v, GO_DIRECTION_SEND, 77};
        CHECK_EQUAL(go_select(cases, n), (int)(n / 2));
        cases[n / 2].direction = GO_DIRECTION_RECV;
        CHECK_EQUAL(go_select(cases, n), (int)(n / 2));
    }
    CHECK_EQUAL(go_select_try(NULL, 0), -EAGAIN);
    CHECK_EQUAL(go_select_until(NULL, 0, soon()), -ETIMEDOUT);
    go_chan_unref(c);
}

static void one_case_is_a_plain_call(void)
{
    int v = 3, w = 0;
    go_chan *c = go_chan_new(sizeof v, 1);
    go_case send[] = {{c, &v, GO_DIRECTION_SEND, 77}}, recv[] = {{c, &w, GO_DIRECTION_RECV, 77}};
    CHECK_EQUAL(go_select_try(recv, 1), -EAGAIN);
    CHECK_EQUAL(go_select_until(recv, 1, soon()), -ETIMEDOUT);
    CHECK_EQUAL(recv[0].result, 77);
    CHECK_EQUAL(go_select(send, 1), 0);
    CHECK_EQUAL(send[0].result, 0);
    CHECK_EQUAL(go_select_try(send, 1), -EAGAIN);
    CHECK_EQUAL(go_select_until(send, 1, 0), -ETIMEDOUT);
    CHECK_EQUAL(go_select(recv, 1), 0);
    CHECK_EQUAL(w, 3);
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_select(recv, 1), 0);
    CHECK_EQUAL(recv[0].result, -EPIPE);
    CHECK_EQUAL(w, 0);
    send[0].result = 77;
    CHECK_EQUAL(go_select_try(send, 1), 0);
    CHECK_EQUAL(send[0].result, -EPIPE);
    go_chan_unref(c);
}

static void a_closed_channel_is_ready(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k], at = n - 1;
        int v = 9;
        open_all(n, 1);
        CHECK_EQUAL(go_chan_send(chans[at], &v), 0);
        CHECK_EQUAL(go_chan_close(chans[at]), 0);
        receive_from_all(n);
        CHECK_EQUAL(go_select(cases, n), (int)at);
        CHECK_EQUAL(cases[at].result, 0); /* drained first */
        CHECK_EQUAL(values[at], 9);
        CHECK_EQUAL(go_select_try(cases, n), (int)at);
        CHECK_EQUAL(cases[at].result, -EPIPE);
        CHECK_EQUAL(values[at], 0);
        values[at] = 5;
        cases[at] = (go_case){chans[at], &values[at], GO_DIRECTION_SEND, 77};
        CHECK_EQUAL(go_select(cases, n), (int)at);
        CHECK_EQUAL(cases[at].result, -EPIPE);
        CHECK_EQUAL(values[at], 5);
        unref_all(n);
    }
}

static void the_choice_is_uniform(void)
{
    enum { EACH = 2000 };
    for (size_t k = 0; k < NUMBERS && numbers[k] <= 100; k++) {
        size_t n = numbers[k];
        static int times[MOST];
        int v = 0;
        open_all(n, 1);
        for (size_t i = 0; i < n; i++) {
            times[i] = 0;
            CHECK_EQUAL(go_chan_send(chans[i], &v), 0);
        }
        receive_from_all(n);
        for (size_t i = 0; i < n * EACH; i++) {
            int at = (i & 1) != 0 ? go_select(cases, n) : go_select_try(cases, n);
            times[at]++;
            CHECK_EQUAL(go_chan_send(chans[at], &v), 0);
        }
        for (size_t i = 0; i < n; i++) { /* seven standard deviations */
            CHECK(times[i] > EACH - 320 && times[i] < EACH + 320);
        }
        unref_all(n);
    }
}

/* --- waiting --- */

struct sel {
    go_case *cases;
    size_t n;
    int64_t deadline;
    go_context *ctx;
    go_chan *done;
    int happened;
};

static void selecting(void *arg)
{
    struct sel *s = arg;
    (void)go_context_bind(s->ctx);
    s->happened = go_select_until(s->cases, s->n, s->deadline);
    (void)go_context_bind(NULL);
    if (s->done != NULL) {
        CHECK_EQUAL(go_chan_send(s->done, NULL), 0);
    }
}

static void start(struct sel *s, size_t n)
{
    *s = (struct sel){cases, n, forever, NULL, go_chan_new(0, 1), -1};
    go(selecting, s);
}

static void end(struct sel *s)
{
    CHECK_EQUAL(go_chan_recv(s->done, NULL), 0);
    go_chan_unref(s->done);
}

static void the_first_to_come_happens(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        struct sel s;
        open_all(n, 0);
        for (size_t at = 0; at < n; at += n < 20 ? 1 : n / 3) {
            int v = (int)at + 1;
            receive_from_all(n);
            start(&s, n);
            until_receivers(chans[n - 1], 1);
            until_receivers(chans[0], 1);
            CHECK_EQUAL(go_chan_send(chans[at], &v), 0);
            end(&s);
            CHECK_EQUAL(s.happened, at);
            CHECK_EQUAL(values[at], v);
            nobody_waits(n);

            send_to_all(n);
            start(&s, n);
            until_senders(chans[0], 1);
            CHECK_EQUAL(go_chan_recv(chans[at], &v), 0);
            CHECK_EQUAL(v, at);
            end(&s);
            CHECK_EQUAL(s.happened, at);
            nobody_waits(n);

            receive_from_all(n);
            start(&s, n);
            until_receivers(chans[0], 1);
            CHECK_EQUAL(go_chan_close(chans[at]), 0);
            end(&s);
            CHECK_EQUAL(s.happened, at);
            CHECK_EQUAL(cases[at].result, -EPIPE);
            CHECK_EQUAL(values[at], 0);
            nobody_waits(n);
            go_chan_unref(chans[at]);
            chans[at] = go_chan_new(sizeof(int), 0);

            send_to_all(n);
            start(&s, n);
            until_senders(chans[0], 1);
            CHECK_EQUAL(go_chan_close(chans[at]), 0);
            end(&s);
            CHECK_EQUAL(s.happened, at);
            CHECK_EQUAL(cases[at].result, -EPIPE);
            CHECK_EQUAL(values[at], at);
            nobody_waits(n);
            go_chan_unref(chans[at]);
            chans[at] = go_chan_new(sizeof(int), 0);
        }
        unref_all(n);
    }
}

static void a_select_that_ends_early_leaves_nothing_behind(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        struct sel s;
        open_all(n, 0);
        receive_from_all(n);
        CHECK_EQUAL(go_select_until(cases, n, soon()), -ETIMEDOUT);
        CHECK_EQUAL(go_select_until(cases, n, 0), -ETIMEDOUT);
        nobody_waits(n);
        s = (struct sel){cases, n, forever, go_context_with_cancel(NULL), go_chan_new(0, 1), -1};
        go(selecting, &s);
        until_receivers(chans[n - 1], 1);
        go_context_cancel(s.ctx, -EIO);
        end(&s);
        CHECK_EQUAL(s.happened, -ECANCELED);
        nobody_waits(n);
        go_context_unref(s.ctx);
        for (size_t i = 0; i < n; i++) {
            CHECK(values[i] == -1 && cases[i].result == 77);
        }
        unref_all(n);
    }
}

static void a_done_context_wins_over_a_ready_case(void)
{
    int v = 1;
    open_all(2, 1);
    CHECK_EQUAL(go_chan_send(chans[0], &v), 0);
    receive_from_all(2);
    go_context *ctx = go_context_with_cancel(NULL);
    (void)go_context_bind(ctx);
    go_context_cancel(ctx, 0);
    CHECK_EQUAL(go_select(cases, 2), -ECANCELED);
    CHECK_EQUAL(go_select_until(cases, 2, 0), -ECANCELED);
    CHECK_EQUAL(go_select(cases, 1), -ECANCELED);
    CHECK_EQUAL(go_select(NULL, 0), -ECANCELED);
    CHECK_EQUAL(go_select_try(cases, 2), 0);
    (void)go_context_bind(NULL);
    go_context_unref(ctx);
    unref_all(2);
}

static void a_channel_may_stand_in_many_cases(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        struct sel s;
        int v = 6;
        open_all(1, 0);
        for (size_t i = 0; i < n; i++) {
            values[i] = -1;
            cases[i] = (go_case){chans[0], &values[i], GO_DIRECTION_RECV, 77};
        }
        CHECK_EQUAL(go_select_try(cases, n), -EAGAIN);
        start(&s, n);
        until_receivers(chans[0], (int)n);
        CHECK_EQUAL(go_chan_send(chans[0], &v), 0);
        end(&s);
        CHECK(s.happened >= 0 && (size_t)s.happened < n);
        for (size_t i = 0; i < n; i++) {
            CHECK_EQUAL(values[i], (int)i == s.happened ? 6 : -1);
        }
        nobody_waits(1);
        unref_all(1);
    }
}

static void both_sides_of_one_channel_do_not_meet_in_one_select(void)
{
    int in = 5, out = -1;
    go_chan *c = go_chan_new(sizeof in, 0);
    go_case both[] = {{c, &in, GO_DIRECTION_SEND, 77}, {c, &out, GO_DIRECTION_RECV, 77}};
    struct sel s = {both, 2, forever, NULL, go_chan_new(0, 1), -1};
    CHECK_EQUAL(go_select_try(both, 2), -EAGAIN);
    CHECK_EQUAL(go_select_until(both, 2, soon()), -ETIMEDOUT);
    go(selecting, &s);
    until_senders(c, 1);
    CHECK_EQUAL(receivers_of(c), 1);
    int v = 8;
    CHECK_EQUAL(go_chan_try_recv(c, &v), 0); /* meets its sender */
    CHECK_EQUAL(v, 5);
    CHECK_EQUAL(go_chan_recv(s.done, NULL), 0);
    CHECK_EQUAL(s.happened, 0);
    go(selecting, &s);
    until_senders(c, 1);
    v = 8;
    CHECK_EQUAL(go_chan_try_send(c, &v), 0); /* meets its receiver */
    CHECK_EQUAL(go_chan_recv(s.done, NULL), 0);
    CHECK_EQUAL(s.happened, 1);
    CHECK_EQUAL(out, 8);
    CHECK_EQUAL(receivers_of(c) + senders_of(c), 0);
    go_chan_unref(c);
    go_chan_unref(s.done);
}

static void two_selects_meet_each_other(void)
{
    go_chan *c = go_chan_new(sizeof(int), 0), *d = go_chan_new(sizeof(int), 0);
    for (int round = 0; round < 100; round++) {
        int in[2] = {1, 2}, out[2] = {-1, -1};
        go_case first[] = {{c, &in[0], GO_DIRECTION_SEND, 77}, {d, &out[0], GO_DIRECTION_RECV, 77}};
        go_case second[] = {{c, &out[1], GO_DIRECTION_RECV, 77}, {d, &in[1], GO_DIRECTION_SEND, 77}};
        struct sel s = {first, 2, forever, NULL, go_chan_new(0, 1), -1};
        go(selecting, &s);
        int happened = go_select(second, 2);
        end(&s);
        CHECK_EQUAL(s.happened, happened);
        CHECK_EQUAL(out[1], happened == 0 ? 1 : -1);
        CHECK_EQUAL(out[0], happened == 0 ? -1 : 2);
    }
    go_chan_unref(c);
    go_chan_unref(d);
}

/* One who was woken through another channel and has not taken its record out yet is passed over. */
static void a_record_that_is_out_of_date_is_passed_over(void)
{
    for (int round = 0; round < 200; round++) {
        struct sel s, t;
        int v = 1, w = 2;
        open_all(2, 0);
        receive_from_all(2);
        start(&s, 2);
        until_receivers(chans[1], 1);
        go_case one[] = {{chans[1], &values[2], GO_DIRECTION_RECV, 77}};
        t = (struct sel){one, 1, forever, NULL, go_chan_new(0, 1), -1};
        go(selecting, &t);
        until_receivers(chans[1], 2);
        CHECK_EQUAL(go_chan_send(chans[0], &v), 0); /* s may still stand before t in the other channel */
        CHECK_EQUAL(go_chan_send(chans[1], &w), 0);
        end(&s);
        end(&t);
        CHECK_EQUAL(s.happened, 0);
        CHECK_EQUAL(values[0], 1);
        CHECK_EQUAL(values[1], -1);
        CHECK_EQUAL(values[2], 2);
        unref_all(2);
    }
}

static void elements_may_be_discarded(void)
{
    int v = 4;
    open_all(2, 1);
    cases[0] = (go_case){chans[0], NULL, GO_DIRECTION_RECV, 77};
    cases[1] = (go_case){chans[1], NULL, GO_DIRECTION_RECV, 77};
    struct sel s;
    start(&s, 2);
    until_receivers(chans[1], 1);
    CHECK_EQUAL(go_chan_send(chans[1], &v), 0);
    end(&s);
    CHECK_EQUAL(s.happened, 1);
    CHECK_EQUAL(go_chan_len(chans[1]), 0);
    start(&s, 2);
    until_receivers(chans[1], 1);
    CHECK_EQUAL(go_chan_close(chans[0]), 0);
    end(&s);
    CHECK_EQUAL(s.happened, 0);
    unref_all(2);
}

/* --- runs, threads --- */

static struct sel left[2];

static int leave_selecting(void *arg)
{
    size_t n = *(size_t *)arg;
    receive_from_all(n);
    for (int i = 0; i < 2; i++) {
        left[i] = (struct sel){cases, n, i == 0 ? forever : go_now() + 1000 * GO_SECOND, NULL, NULL, -1};
        go(selecting, &left[i]);
    }
    until_receivers(chans[n - 1], 2);
    return 0;
}

static void selects_that_the_end_of_a_run_meets_are_forgotten(void **state)
{
    (void)state;
    for (size_t n = 2; n < 40; n += 9) {
        open_all(n, 0);
        assert_int_equal(go_run(leave_selecting, &n), 0);
        assert_int_equal(go_run(leave_selecting, &n), 0);
        assert_int_equal(go_chan_try_send(chans[0], &values[0]), -EAGAIN);
        unref_all(n);
    }
}

static void *select_outside(void *arg)
{
    struct sel *s = arg;
    s->happened = go_select_until(s->cases, s->n, s->deadline);
    return NULL;
}

static void foreign_threads_select(void)
{
    for (size_t k = 0; k < NUMBERS; k++) {
        size_t n = numbers[k];
        struct sel s = {cases, n, forever, NULL, NULL, -1};
        pthread_t thread;
        int v = 12;
        open_all(n, 0);
        receive_from_all(n);
        CHECK_EQUAL(pthread_create(&thread, NULL, select_outside, &s), 0);
        until_receivers(chans[0], 1);
        CHECK_EQUAL(go_chan_send(chans[n / 2], &v), 0);
        go_block_begin();
        CHECK_EQUAL(pthread_join(thread, NULL), 0);
        go_block_end();
        CHECK_EQUAL(s.happened, (int)(n / 2));
        CHECK_EQUAL(values[n / 2], 12);
        nobody_waits(n);
        unref_all(n);
    }
}

static struct sel outside;

static int leave_a_thread_selecting(void *arg)
{
    CHECK_EQUAL(pthread_create(arg, NULL, select_outside, &outside), 0);
    until_receivers(chans[1], 1);
    return 0;
}

static void the_end_of_a_run_cancels_a_foreign_select(void **state)
{
    (void)state;
    pthread_t thread;
    open_all(2, 0);
    receive_from_all(2);
    outside = (struct sel){cases, 2, forever, NULL, NULL, -1};
    assert_int_equal(go_run(leave_a_thread_selecting, &thread), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(outside.happened, -ECANCELED);
    unref_all(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(too_many_cases_are_refused),
        BEHAVIOUR(as_many_cases_as_there_may_be),
        BEHAVIOUR(the_one_that_is_ready_happens),
        BEHAVIOUR(null_channels_never_happen),
        BEHAVIOUR(one_case_is_a_plain_call),
        BEHAVIOUR(a_closed_channel_is_ready),
        BEHAVIOUR(the_choice_is_uniform),
        BEHAVIOUR(the_first_to_come_happens),
        BEHAVIOUR(a_select_that_ends_early_leaves_nothing_behind),
        BEHAVIOUR(a_done_context_wins_over_a_ready_case),
        BEHAVIOUR(a_channel_may_stand_in_many_cases),
        BEHAVIOUR(both_sides_of_one_channel_do_not_meet_in_one_select),
        BEHAVIOUR(two_selects_meet_each_other),
        BEHAVIOUR(a_record_that_is_out_of_date_is_passed_over),
        BEHAVIOUR(elements_may_be_discarded),
        cmocka_unit_test(selects_that_the_end_of_a_run_meets_are_forgotten),
        BEHAVIOUR(foreign_threads_select),
        cmocka_unit_test(the_end_of_a_run_cancels_a_foreign_select),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
