/* Select, after Go's runtime (chan_test.go) and its test/chan programs. */
#include <errno.h>

#include "support/behaviour.h"

static const int64_t blink = GO_MILLISECOND;

static go_chan *c, *d, *e, *done;

static void join(int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQUAL(go_chan_recv(done, NULL), 0);
    }
}

static void report(void)
{
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

/* Go's select with a default case, and the one without: it must wait. */
static void waits(go_case *cases, size_t count)
{
    CHECK_EQUAL(go_select_try(cases, count), -EAGAIN);
    CHECK_EQUAL(go_select_until(cases, count, go_now() + blink), -ETIMEDOUT);
}

/* --- what waits and what does not (select3.go) --- */

static void a_select_without_cases_waits(void)
{
    waits(NULL, 0);
}

static void nil_channels_are_never_ready(void)
{
    int v = 7;
    go_case cases[] = {{NULL, &v, GO_DIRECTION_RECV, 1}, {NULL, &v, GO_DIRECTION_SEND, 1}};
    waits(&cases[0], 1);
    waits(&cases[1], 1);
    waits(cases, 2);
    CHECK_EQUAL(v, 7);
}

static void channels_that_are_not_ready_wait(void)
{
    int v = 7;
    c = go_chan_new(sizeof v, 0);
    d = go_chan_new(sizeof v, 1);
    go_case cases[] = {{c, &v, GO_DIRECTION_RECV, 1}, {c, &v, GO_DIRECTION_SEND, 1}, {d, &v, GO_DIRECTION_RECV, 1}};
    waits(&cases[0], 1);
    waits(&cases[1], 1);
    waits(&cases[0], 2); /* it does not take itself for the other side */
    waits(cases, 3);
    CHECK_EQUAL(go_chan_send(d, &v), 0);
    cases[2].direction = GO_DIRECTION_SEND;
    waits(cases, 3); /* now it is full */
    go_chan_unref(c);
    go_chan_unref(d);
}

static void ready_channels_do_not_wait(void)
{
    int v = 7;
    c = go_chan_new(sizeof v, 1);
    go_case send[] = {{c, &v, GO_DIRECTION_SEND, 1}, {NULL, NULL, GO_DIRECTION_RECV, 1}};
    go_case recv[] = {{NULL, NULL, GO_DIRECTION_RECV, 1}, {c, &v, GO_DIRECTION_RECV, 1}};
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(i == 0 ? go_select(send, 2) : i == 1 ? go_select_try(send, 2) : go_select_until(send, 2, 0), 0);
        CHECK_EQUAL(send[0].result, 0);
        v = 0;
        CHECK_EQUAL(i == 0 ? go_select(recv, 2) : i == 1 ? go_select_try(recv, 2) : go_select_until(recv, 2, 0), 1);
        CHECK_EQUAL(recv[1].result, 0);
        CHECK_EQUAL(v, 7);
    }
    go_chan_unref(c);
}

static void closed_channels_are_ready(void)
{
    int v = 7;
    c = go_chan_new(sizeof v, 0);
    CHECK_EQUAL(go_chan_close(c), 0);
    go_case recv[] = {{NULL, NULL, GO_DIRECTION_RECV, 1}, {c, &v, GO_DIRECTION_RECV, 1}};
    go_case send[] = {{NULL, NULL, GO_DIRECTION_RECV, 1}, {c, &v, GO_DIRECTION_SEND, 1}};
    for (int i = 0; i < 3; i++) {
        v = 7;
        CHECK_EQUAL(i % 2 == 0 ? go_select(recv, 2) : go_select_try(recv, 2), 1);
        CHECK_EQUAL(recv[1].result, -EPIPE);
        CHECK_EQUAL(v, 0);
        CHECK_EQUAL(i % 2 == 0 ? go_select(send, 2) : go_select_try(send, 2), 1); /* where Go panics */
        CHECK_EQUAL(send[1].result, -EPIPE);
    }
    go_chan_unref(c);
}

static void close_it(void *arg)
{
    CHECK_EQUAL(go_sleep(blink), 0);
    CHECK_EQUAL(go_chan_close(arg), 0);
    report();
}

static void a_close_ends_the_wait(void)
{
    done = go_chan_new(0, 0);
    for (int i = 0; i < 4; i++) {
        int v = 7, w = 7;
        c = go_chan_new(sizeof v, 0);
        d = go_chan_new(sizeof v, 0);
        go_case cases[] = {{c, &v, GO_DIRECTION_RECV, 1}, {d, &w, GO_DIRECTION_SEND, 1}};
        go(close_it, i % 2 == 0 ? c : d);
        CHECK_EQUAL(i < 2 ? go_select(cases, 2) : go_select_until(cases, 2, go_now() + 60 * GO_SECOND), i % 2);
        CHECK_EQUAL(cases[i % 2].result, -EPIPE);
        CHECK_EQUAL(v, i % 2 == 0 ? 0 : 7);
        CHECK_EQUAL(w, 7);
        join(1);
        go_chan_unref(c);
        go_chan_unref(d);
    }
    go_chan_unref(done);
}

/* --- one who waits (select7.go) --- */

static void send_one(void *arg)
{
    int v = 42;
    CHECK_EQUAL(go_chan_send(arg, &v), 0);
    report();
}

static void receive_one(void *arg)
{
    int v;
    CHECK_EQUAL(go_chan_recv(arg, &v), 0);
    CHECK_EQUAL(v, 42);
    report();
}

static void select_one(void *arg)
{
    int v = 42;
    go_case cases[] = {{arg, &v, GO_DIRECTION_RECV, 1}, {NULL, NULL, GO_DIRECTION_RECV, 1}};
    CHECK_EQUAL(go_select(cases, 2), 0);
    CHECK_EQUAL(v, 42);
    report();
}

static void select_send(void *arg)
{
    int v = 42;
    go_case cases[] = {{NULL, NULL, GO_DIRECTION_RECV, 1}, {arg, &v, GO_DIRECTION_SEND, 1}};
    CHECK_EQUAL(go_select(cases, 2), 1);
    report();
}

static void a_select_meets_one_who_waits(void)
{
    static const go_func senders[] = {send_one, select_send}, receivers[] = {receive_one, select_one};
    done = go_chan_new(0, 0);
    for (int form = 0; form < 4; form++) {
        int v = 0;
        c = go_chan_new(sizeof v, 0);
        d = go_chan_new(sizeof v, 0);
        go_case recv[] = {{c, &v, GO_DIRECTION_RECV, 1}, {d, NULL, GO_DIRECTION_RECV, 1}};
        go(senders[form % 2], c);
        while (form >= 2 && go_select_try(recv, 2) != 0) {
            go_yield();
        }
        CHECK(form >= 2 || go_select(recv, 2) == 0);
        CHECK_EQUAL(v, 42);
        join(1);
        go_case send[] = {{d, &v, GO_DIRECTION_RECV, 1}, {c, &v, GO_DIRECTION_SEND, 1}};
        go(receivers[form % 2], c);
        while (form >= 2 && go_select_try(send, 2) != 1) {
            go_yield();
        }
        CHECK(form >= 2 || go_select(send, 2) == 1);
        join(1);
        go_chan_unref(c);
        go_chan_unref(d);
    }
    go_chan_unref(done);
}

/* --- what happened together --- */

static int found;

static void must_find_one(void *arg)
{
    int v;
    go_case cases[] = {{c, &v, GO_DIRECTION_RECV, 1}, {d, &v, GO_DIRECTION_RECV, 1}};
    (void)arg;
    found = go_select_try(cases, 2);
    report();
}

/* TestNonblockSelectRace: an element comes to one before another leaves the other, so one of them is ready at any moment. */
static void a_try_sees_all_channels_at_one_moment(void)
{
    done = go_chan_new(0, 0);
    for (int i = 0; i < 20000; i++) {
        int v = 1;
        c = go_chan_new(sizeof v, 1);
        d = go_chan_new(sizeof v, 1);
        CHECK_EQUAL(go_chan_send(c, &v), 0);
        go(must_find_one, NULL);
        CHECK_EQUAL(go_chan_send(d, &v), 0);
        (void)go_chan_try_recv(c, &v);
        join(1);
        CHECK(found >= 0);
        go_chan_unref(c);
        go_chan_unref(d);
    }
    go_chan_unref(done);
}

/* TestNonblockSelectRace2. */
static void a_try_sees_the_element_or_the_close(void)
{
    done = go_chan_new(0, 0);
    for (int i = 0; i < 20000; i++) {
        int v = 1;
        c = go_chan_new(sizeof v, 1);
        d = go_chan_new(sizeof v, 0);
        CHECK_EQUAL(go_chan_send(c, &v), 0);
        go(must_find_one, NULL);
        CHECK_EQUAL(go_chan_close(d), 0);
        (void)go_chan_try_recv(c, &v);
        join(1);
        CHECK(found >= 0);
        go_chan_unref(c);
        go_chan_unref(d);
    }
    go_chan_unref(done);
}

/* --- oneself (TestSelfSelect) --- */

static void send_and_receive(void *arg)
{
    int me = *(int *)arg;
    for (int i = 0; i < 1000; i++) {
        int out = me, in = -1;
        go_case cases[] = {{c, &out, GO_DIRECTION_SEND, 1}, {c, &in, GO_DIRECTION_RECV, 1}};
        bool swapped = (me ^ i) % 2 != 0;
        if (swapped) {
            go_case first = cases[0];
            cases[0] = cases[1];
            cases[1] = first;
        }
        int happened = go_select(cases, 2);
        CHECK(happened == 0 || happened == 1);
        if (cases[happened].direction == GO_DIRECTION_RECV && go_chan_cap(c) == 0) {
            CHECK_EQUAL(in, 1 - me); /* without a buffer, from the other one */
        }
    }
    /* The other may be left alone with half of a meeting. */
    report();
    int v;
    go_case rest[] = {{c, &v, GO_DIRECTION_RECV, 1}, {d, NULL, GO_DIRECTION_RECV, 1}, {c, &me, GO_DIRECTION_SEND, 1}};
    while (go_select(rest, 3) != 1) {}
    report();
}

static void two_selects_on_one_channel_meet_each_other(void)
{
    int names[] = {0, 1};
    done = go_chan_new(0, 0);
    for (size_t capacity = 0; capacity <= 10; capacity += 10) {
        c = go_chan_new(sizeof(int), capacity);
        d = go_chan_new(0, 0);
        go(send_and_receive, &names[0]);
        go(send_and_receive, &names[1]);
        join(2);
        CHECK_EQUAL(go_chan_close(d), 0);
        join(2);
        go_chan_unref(c);
        go_chan_unref(d);
    }
    go_chan_unref(done);
}

/* --- chance (TestSelectFairness, TestPseudoRandomSend) --- */

static void feed(void *arg)
{
    int v = 0;
    for (;;) {
        go_case cases[] = {{arg, &v, GO_DIRECTION_SEND, 1}, {d, NULL, GO_DIRECTION_RECV, 1}};
        if (go_select(cases, 2) == 1) {
            break;
        }
    }
    report();
}

/* Both are fed all the time; neither is neglected. */
static void no_case_starves(void)
{
    enum { TRIALS = 10000 };
    int times[2] = {0, 0}, v;
    go_chan *fed[2] = {go_chan_new(sizeof v, TRIALS), go_chan_new(sizeof v, TRIALS)};
    c = go_chan_new(0, 0);
    d = go_chan_new(0, 0);
    done = go_chan_new(0, 0);
    for (v = 0; v < TRIALS; v++) {
        CHECK_EQUAL(go_chan_send(fed[0], &v), 0);
        CHECK_EQUAL(go_chan_send(fed[1], &v), 0);
    }
    go(feed, fed[0]);
    go(feed, fed[1]);
    for (int i = 0; i < TRIALS; i++) {
        go_case cases[] = {{c, NULL, GO_DIRECTION_RECV, 1}, {fed[0], &v, GO_DIRECTION_RECV, 1}, {fed[1], &v, GO_DIRECTION_RECV, 1}};
        int happened = go_select(cases, 3);
        CHECK(happened == 1 || happened == 2);
        times[happened - 1]++;
    }
    CHECK(times[0] > TRIALS * 4 / 10 && times[1] > TRIALS * 4 / 10);
    CHECK_EQUAL(go_chan_close(d), 0);
    join(2);
    go_chan_unref(fed[0]);
    go_chan_unref(fed[1]);
    go_chan_unref(c);
    go_chan_unref(d);
    go_chan_unref(done);
}

static int bits[100];

static void receive_bits(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        go_yield();
        CHECK_EQUAL(go_chan_recv(c, &bits[i]), 0);
    }
    report();
}

static void sends_are_chosen_at_random(void)
{
    done = go_chan_new(0, 0);
    for (size_t capacity = 0; capacity < 4; capacity++) {
        int zero = 0, one = 1, ones = 0;
        c = go_chan_new(sizeof(int), capacity);
        go(receive_bits, NULL);
        for (int i = 0; i < 100; i++) {
            go_case cases[] = {{c, &zero, GO_DIRECTION_SEND, 1}, {c, &one, GO_DIRECTION_SEND, 1}};
            CHECK(go_select(cases, 2) >= 0);
        }
        join(1);
        for (int i = 0; i < 100; i++) {
            ones += bits[i];
        }
        CHECK(ones > 10 && ones < 90);
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

/* --- the same channel twice (TestSelectDuplicateChannel), stale queues (select6.go) --- */

static void select_twice_on_c(void *arg)
{
    go_case cases[] = {{c, NULL, GO_DIRECTION_RECV, 1}, {c, NULL, GO_DIRECTION_RECV, 1}, {d, NULL, GO_DIRECTION_RECV, 1}};
    (void)arg;
    CHECK_EQUAL(go_select(cases, 3), 2);
    CHECK_EQUAL(go_chan_send(e, NULL), 0);
}

static void receive_from_c(void *arg)
{
    (void)arg;
    CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    report();
}

static void leaving_a_queue_in_which_one_stands_twice(void)
{
    c = go_chan_new(0, 0);
    d = go_chan_new(0, 0);
    e = go_chan_new(0, 0);
    done = go_chan_new(0, 0);
    for (int i = 0; i < 50; i++) {
        go(select_twice_on_c, NULL);
        CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0); /* most probably it stands in the queue first */
        go(receive_from_c, NULL);
        CHECK_EQUAL(go_sleep(100 * GO_MICROSECOND), 0);
        CHECK_EQUAL(go_chan_send(d, NULL), 0);
        CHECK_EQUAL(go_chan_recv(e, NULL), 0);
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
        join(1);
    }
    go_chan_unref(c);
    go_chan_unref(d);
    go_chan_unref(e);
    go_chan_unref(done);
}

static void select_then_receive(void *arg)
{
    go_case cases[] = {{c, NULL, GO_DIRECTION_RECV, 1}, {d, NULL, GO_DIRECTION_RECV, 1}};
    (void)arg;
    int happened = go_select(cases, 2);
    if (happened == 1) {
        CHECK_EQUAL(go_chan_send(e, NULL), 0);
        CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    }
    report();
}

static void the_last_in_a_queue_may_leave_it(void)
{
    c = go_chan_new(0, 0);
    d = go_chan_new(0, 0);
    e = go_chan_new(0, 0);
    done = go_chan_new(0, 0);
    for (int i = 0; i < 50; i++) {
        go(receive_from_c, NULL);
        go(select_then_receive, NULL);
        CHECK_EQUAL(go_chan_send(d, NULL), 0);
        CHECK_EQUAL(go_chan_recv(e, NULL), 0);
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
        join(2);
    }
    go_chan_unref(c);
    go_chan_unref(d);
    go_chan_unref(e);
    go_chan_unref(done);
}

/* --- stacks (TestSelectStackAdjust) --- */

/* A frame of half a kilobyte for each level; the elements and the cases lie in the last one. */
static __attribute__((noinline)) int64_t select_at_depth(int depth)
{
    volatile int64_t room[64];
    room[0] = room[63] = depth;
    if (depth > 0) {
        int64_t below = select_at_depth(depth - 1);
        CHECK(room[0] == depth && room[63] == depth);
        return below;
    }
    int64_t v[2] = {-1, -1};
    go_case cases[] = {{c, &v[0], GO_DIRECTION_RECV, 1}, {d, &v[1], GO_DIRECTION_RECV, 1}};
    int happened = go_select(cases, 2);
    CHECK(happened == 0 || happened == 1);
    CHECK(cases[happened].result == 0 && v[1 - happened] == -1);
    return v[happened];
}

static void selects_at_depth(void *arg)
{
    int depth = (int)(intptr_t)arg;
    CHECK(select_at_depth(depth) > 0);
    CHECK(select_at_depth(40 - depth) > 0);
    report();
}

static void a_select_may_wait_on_a_stack_that_grew(void)
{
    enum { MANY = 40 };
    c = go_chan_new(sizeof(int64_t), 0);
    d = go_chan_new(sizeof(int64_t), 0);
    done = go_chan_new(0, MANY);
    for (intptr_t depth = 0; depth < MANY; depth++) {
        go(selects_at_depth, (void *)depth);
    }
    for (int64_t v = 1; v <= 2 * MANY; v++) {
        CHECK_EQUAL(go_chan_send(v % 3 == 0 ? d : c, &v), 0);
    }
    join(MANY);
    go_chan_unref(c);
    go_chan_unref(d);
    go_chan_unref(done);
}

/* --- programs (TestSelectStress, doubleselect.go, select.go) --- */

enum { STRESS = 10000 };

static go_chan *four[4];

static void send_to_one(void *arg)
{
    for (int i = 0; i < STRESS; i++) {
        CHECK_EQUAL(go_chan_send(arg, &i), 0);
    }
    report();
}

static void receive_from_one(void *arg)
{
    int v;
    for (int i = 0; i < STRESS; i++) {
        CHECK_EQUAL(go_chan_recv(arg, &v), 0);
    }
    report();
}

static void use_all_four(enum go_direction direction)
{
    int n[4] = {0, 0, 0, 0}, v = 0;
    go_case cases[4];
    for (int i = 0; i < 4; i++) {
        cases[i] = (go_case){four[direction == GO_DIRECTION_SEND ? 3 - i : i], &v, direction, 1};
    }
    for (int i = 0; i < 4 * STRESS; i++) {
        int happened = go_select(cases, 4);
        CHECK(happened >= 0 && cases[happened].result == 0);
        if (++n[happened] == STRESS) {
            cases[happened].chan = NULL;
        }
    }
    report();
}

static void send_to_all(void *arg)
{
    (void)arg;
    use_all_four(GO_DIRECTION_SEND);
}

static void receive_from_all(void *arg)
{
    (void)arg;
    use_all_four(GO_DIRECTION_RECV);
}

static void selects_sends_and_receives_mix(void)
{
    static const size_t capacities[] = {0, 0, 2, 3};
    done = go_chan_new(0, 0);
    for (int i = 0; i < 4; i++) {
        four[i] = go_chan_new(sizeof(int), capacities[i]);
        go(send_to_one, four[i]);
        go(receive_from_one, four[i]);
    }
    go(send_to_all, NULL);
    go(receive_from_all, NULL);
    join(10);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(go_chan_len(four[i]), 0);
        go_chan_unref(four[i]);
    }
    go_chan_unref(done);
}

static void send_each_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < STRESS; i++) {
        go_case cases[4];
        for (int k = 0; k < 4; k++) {
            cases[k] = (go_case){four[k], &i, GO_DIRECTION_SEND, 1};
        }
        CHECK(go_select(cases, 4) >= 0);
    }
    for (int k = 0; k < 4; k++) {
        CHECK_EQUAL(go_chan_close(four[k]), 0);
    }
}

static void mux(void *arg)
{
    int v;
    while (go_chan_recv(arg, &v) == 0) {
        CHECK_EQUAL(go_chan_send(c, &v), 0);
    }
    report();
}

static void close_c_at_the_end(void *arg)
{
    (void)arg;
    join(4);
    CHECK_EQUAL(go_chan_close(c), 0);
}

static void a_select_sends_once(void)
{
    static bool seen[STRESS];
    int v, n = 0;
    c = go_chan_new(sizeof v, 0);
    done = go_chan_new(0, 0);
    for (int k = 0; k < 4; k++) {
        four[k] = go_chan_new(sizeof v, 0);
    }
    go(send_each_once, NULL);
    for (int k = 0; k < 4; k++) {
        go(mux, four[k]);
    }
    go(close_c_at_the_end, NULL);
    while (go_chan_recv(c, &v) == 0) {
        CHECK(v >= 0 && v < STRESS && !seen[v]);
        seen[v] = true;
        n++;
    }
    CHECK_EQUAL(n, STRESS);
    for (int k = 0; k < 4; k++) {
        go_chan_unref(four[k]);
    }
    go_chan_unref(c);
    go_chan_unref(done);
}

/* select.go: cases are switched on and off by giving them a channel or none. */
static void send_numbers(void *arg)
{
    int a = 1, b = 2;
    (void)arg;
    while (a < 100 || b < 200) {
        go_case cases[] = {{a < 100 ? c : NULL, &a, GO_DIRECTION_SEND, 1}, {b < 200 ? d : NULL, &b, GO_DIRECTION_SEND, 1}};
        int happened = go_select(cases, 2);
        if (happened == 0) {
            a++;
        } else {
            CHECK_EQUAL(happened, 1);
            b += 2;
        }
    }
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_chan_close(d), 0);
}

static void cases_are_switched_off_by_nil(void)
{
    int next_c = 1, next_d = 2, v, w, open = 2;
    c = go_chan_new(sizeof v, 0);
    d = go_chan_new(sizeof w, 0);
    go_case cases[] = {{c, &v, GO_DIRECTION_RECV, 1}, {d, &w, GO_DIRECTION_RECV, 1}};
    go(send_numbers, NULL);
    while (open > 0) {
        int happened = go_select(cases, 2);
        if (cases[happened].result == -EPIPE) {
            cases[happened].chan = NULL;
            open--;
        } else if (happened == 0) {
            CHECK_EQUAL(v, next_c++);
        } else {
            CHECK_EQUAL(w, next_d);
            next_d += 2;
        }
    }
    CHECK_EQUAL(next_c, 100);
    CHECK_EQUAL(next_d, 200);
    go_chan_unref(c);
    go_chan_unref(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_select_without_cases_waits),
        BEHAVIOUR(nil_channels_are_never_ready),
        BEHAVIOUR(channels_that_are_not_ready_wait),
        BEHAVIOUR(ready_channels_do_not_wait),
        BEHAVIOUR(closed_channels_are_ready),
        BEHAVIOUR(a_close_ends_the_wait),
        BEHAVIOUR(a_select_meets_one_who_waits),
        BEHAVIOUR(a_try_sees_all_channels_at_one_moment),
        BEHAVIOUR(a_try_sees_the_element_or_the_close),
        BEHAVIOUR(two_selects_on_one_channel_meet_each_other),
        BEHAVIOUR(no_case_starves),
        BEHAVIOUR(sends_are_chosen_at_random),
        BEHAVIOUR(leaving_a_queue_in_which_one_stands_twice),
        BEHAVIOUR(the_last_in_a_queue_may_leave_it),
        BEHAVIOUR(a_select_may_wait_on_a_stack_that_grew),
        BEHAVIOUR(selects_sends_and_receives_mix),
        BEHAVIOUR(a_select_sends_once),
        BEHAVIOUR(cases_are_switched_off_by_nil),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
