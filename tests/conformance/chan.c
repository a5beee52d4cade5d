/* Channels, after Go's runtime (chan_test.go) and its test/chan programs. */
#include <errno.h>

#include "support/behaviour.h"

enum { CAPACITIES = 8 };

static const int64_t blink = GO_MILLISECOND;

static int64_t after(int64_t duration)
{
    return go_now() + duration;
}

static go_chan *c, *d, *done;

static void join(int n)
{
    for (int i = 0; i < n; i++) {
        CHECK_EQUAL(go_chan_recv(done, NULL), 0);
    }
}

/* --- what waits and what does not (TestChan, select3.go, nonblock.go) --- */

static void a_receive_from_an_empty_channel_waits(void)
{
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        int v = 7;
        c = go_chan_new(sizeof v, capacity);
        CHECK_EQUAL(go_chan_recv_until(c, &v, after(blink)), -ETIMEDOUT);
        CHECK_EQUAL(go_chan_try_recv(c, &v), -EAGAIN);
        CHECK_EQUAL(v, 7);
        go_chan_unref(c);
    }
}

static void a_send_to_a_full_channel_waits(void)
{
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        c = go_chan_new(sizeof(int), capacity);
        int v = 0;
        for (; (size_t)v < capacity; v++) {
            CHECK_EQUAL(v % 2 == 0 ? go_chan_send(c, &v) : go_chan_try_send(c, &v), 0);
        }
        CHECK_EQUAL(go_chan_send_until(c, &v, after(blink)), -ETIMEDOUT);
        CHECK_EQUAL(go_chan_try_send(c, &v), -EAGAIN);
        CHECK_EQUAL(go_chan_len(c), capacity);
        for (int i = 0; (size_t)i < capacity; i++) {
            CHECK_EQUAL(go_chan_recv(c, &v), 0);
            CHECK_EQUAL(v, i);
        }
        go_chan_unref(c);
    }
}

static void a_nil_channel_waits_for_ever(void)
{
    int v = 7;
    CHECK_EQUAL(go_chan_recv_until(NULL, &v, after(blink)), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_send_until(NULL, &v, after(blink)), -ETIMEDOUT);
    CHECK_EQUAL(go_chan_try_recv(NULL, &v), -EAGAIN);
    CHECK_EQUAL(go_chan_try_send(NULL, &v), -EAGAIN);
    CHECK_EQUAL(v, 7);
}

static void receive_later(void *arg)
{
    go_yield();
    CHECK_EQUAL(go_chan_recv(c, arg), 0);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void send_later(void *arg)
{
    go_yield();
    CHECK_EQUAL(go_chan_send(c, arg), 0);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void whoever_waits_is_woken_by_the_other_side(void)
{
    done = go_chan_new(0, 1);
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        int in = 1, out = 0;
        c = go_chan_new(sizeof in, capacity);
        go(send_later, &in);
        CHECK_EQUAL(go_chan_recv(c, &out), 0);
        CHECK_EQUAL(out, 1);
        join(1);
        in = 0;
        for (size_t i = 0; i < capacity; i++) {
            CHECK_EQUAL(go_chan_send(c, &in), 0);
        }
        in = 2;
        go(receive_later, &out);
        CHECK_EQUAL(go_chan_send(c, &in), 0);
        join(1);
        CHECK_EQUAL(out, capacity == 0 ? 2 : 0);
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

/* nonblock.go: on a channel without a buffer a try succeeds only against one who waits. */
static void a_try_meets_one_who_waits(void)
{
    int in = 123, out;
    done = go_chan_new(0, 1);
    c = go_chan_new(sizeof in, 0);
    CHECK_EQUAL(go_chan_try_recv(c, &out), -EAGAIN);
    go(send_later, &in);
    while (go_chan_try_recv(c, &out) != 0) {
        go_yield();
    }
    CHECK_EQUAL(out, 123);
    join(1);
    CHECK_EQUAL(go_chan_try_send(c, &in), -EAGAIN);
    in = 234;
    go(receive_later, &out);
    while (go_chan_try_send(c, &in) != 0) {
        go_yield();
    }
    join(1);
    CHECK_EQUAL(out, 234);
    go_chan_unref(c);
    go_chan_unref(done);
}

/* --- closing (TestChan, closedchan.go) --- */

static void after_a_close_what_is_inside_is_received_first(void)
{
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        int v;
        c = go_chan_new(sizeof v, capacity);
        for (v = 1; (size_t)v <= capacity; v++) {
            CHECK_EQUAL(go_chan_send(c, &v), 0);
        }
        CHECK_EQUAL(go_chan_close(c), 0);
        CHECK_EQUAL(go_chan_len(c), capacity);
        for (int i = 1; (size_t)i <= capacity; i++) {
            CHECK_EQUAL(i % 2 == 0 ? go_chan_recv(c, &v) : go_chan_try_recv(c, &v), 0);
            CHECK_EQUAL(v, i);
        }
        for (int i = 0; i < 3; i++) {
            v = 7;
            CHECK_EQUAL(i % 2 == 0 ? go_chan_recv(c, &v) : go_chan_try_recv(c, &v), -EPIPE);
            CHECK_EQUAL(v, 0);
        }
        go_chan_unref(c);
    }
}

static void receive_the_end(void *arg)
{
    int v = 7;
    (void)arg;
    CHECK_EQUAL(go_chan_recv(c, &v), -EPIPE);
    CHECK_EQUAL(v, 0);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void send_in_vain(void *arg)
{
    CHECK_EQUAL(go_chan_send(c, arg), -EPIPE);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void a_close_wakes_all_who_wait(void)
{
    done = go_chan_new(0, 0);
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        int v = 1;
        c = go_chan_new(sizeof v, capacity);
        for (int i = 0; i < 10; i++) {
            go(receive_the_end, NULL);
        }
        CHECK_EQUAL(go_sleep(blink), 0);
        CHECK_EQUAL(go_chan_close(c), 0);
        join(10);
        go_chan_unref(c);

        c = go_chan_new(sizeof v, capacity);
        for (size_t i = 0; i < capacity; i++) {
            CHECK_EQUAL(go_chan_send(c, &v), 0);
        }
        for (int i = 0; i < 10; i++) {
            go(send_in_vain, &v);
        }
        CHECK_EQUAL(go_sleep(blink), 0);
        CHECK_EQUAL(go_chan_close(c), 0);
        join(10);
        CHECK_EQUAL(go_chan_len(c), capacity); /* theirs were not taken */
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

/* Where Go panics. */
static void misuse_of_close_is_an_error(void)
{
    int v = 1;
    c = go_chan_new(sizeof v, 2);
    CHECK_EQUAL(go_chan_close(NULL), -EINVAL);
    CHECK_EQUAL(go_chan_close(c), 0);
    CHECK_EQUAL(go_chan_close(c), -EPIPE);
    CHECK_EQUAL(go_chan_send(c, &v), -EPIPE);
    CHECK_EQUAL(go_chan_try_send(c, &v), -EPIPE);
    CHECK_EQUAL(go_chan_send_until(c, &v, after(blink)), -EPIPE);
    go_chan_unref(c);
}

/* --- order and number (TestChan, fifo.go, TestMultiConsumer) --- */

enum { HUNDRED = 100 };

static void send_a_hundred(void *arg)
{
    (void)arg;
    for (int i = 0; i < HUNDRED; i++) {
        CHECK_EQUAL(go_chan_send(c, &i), 0);
    }
}

static void elements_arrive_in_order(void)
{
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        c = go_chan_new(sizeof(int), capacity);
        for (int form = 0; form < 2; form++) {
            go(send_a_hundred, NULL);
            for (int i = 0; i < HUNDRED; i++) {
                int v;
                CHECK_EQUAL(form == 0 ? go_chan_recv(c, &v) : go_chan_recv_until(c, &v, after(GO_SECOND * 60)), 0);
                CHECK_EQUAL(v, i);
            }
        }
        go_chan_unref(c);
    }
}

static int received[4][1000];

static void send_a_thousand(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_chan_send(c, &i), 0);
    }
}

static void receive_a_thousand(void *arg)
{
    int *counts = arg, v;
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_chan_recv(c, &v), 0);
        counts[v]++;
    }
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void nothing_is_lost_or_doubled_between_many(void)
{
    done = go_chan_new(0, 0);
    for (size_t capacity = 0; capacity < CAPACITIES; capacity++) {
        c = go_chan_new(sizeof(int), capacity);
        for (int i = 0; i < 4; i++) {
            for (int v = 0; v < 1000; v++) {
                received[i][v] = 0;
            }
            go(send_a_thousand, NULL);
            go(receive_a_thousand, received[i]);
        }
        join(4);
        for (int v = 0; v < 1000; v++) {
            CHECK_EQUAL(received[0][v] + received[1][v] + received[2][v] + received[3][v], 4);
        }
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

/* fifo.go, SynchFifo: each waits for its turn, which the one before gives it. */
struct turn {
    go_chan *in, *out;
    int value;
};

static void take_turn(void *arg)
{
    struct turn *t = arg;
    int v;
    CHECK_EQUAL(go_chan_recv(t->in, NULL), 0);
    CHECK_EQUAL(go_chan_recv(c, &v), 0);
    CHECK_EQUAL(v, t->value);
    CHECK_EQUAL(go_chan_send(t->out, NULL), 0);
}

static void receivers_in_a_chain_get_elements_in_order(void)
{
    static struct turn turns[10];
    static go_chan *links[11];
    c = go_chan_new(sizeof(int), 0);
    for (int i = 0; i <= 10; i++) {
        links[i] = go_chan_new(0, 0);
    }
    for (int i = 0; i < 10; i++) {
        turns[i] = (struct turn){links[i], links[i + 1], i};
        go(take_turn, &turns[i]);
    }
    CHECK_EQUAL(go_chan_send(links[0], NULL), 0);
    for (int i = 0; i < 10; i++) {
        CHECK_EQUAL(go_chan_send(c, &i), 0);
    }
    CHECK_EQUAL(go_chan_recv(links[10], NULL), 0);
    for (int i = 0; i <= 10; i++) {
        go_chan_unref(links[i]);
    }
    go_chan_unref(c);
}

static void forward_with_pauses(void *arg)
{
    int v;
    (void)arg;
    while (go_chan_recv(c, &v) == 0) {
        if (v % 7 == 0) {
            go_yield();
        }
        CHECK_EQUAL(go_chan_send(d, &v), 0);
    }
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void send_many(void *arg)
{
    static const int factors[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31};
    int64_t *sum = arg;
    for (int i = 0; i < 20000; i++) {
        int v = factors[i % (int)(sizeof factors / sizeof factors[0])];
        *sum += v;
        CHECK_EQUAL(go_chan_send(c, &v), 0);
    }
    CHECK_EQUAL(go_chan_close(c), 0);
}

static void close_when_all_are_done(void *arg)
{
    join(*(int *)arg);
    CHECK_EQUAL(go_chan_close(d), 0);
}

static void many_consumers_share_a_stream(void)
{
    int workers = 23, v, n = 0;
    int64_t expected = 0, sum = 0;
    c = go_chan_new(sizeof v, 4);
    d = go_chan_new(sizeof v, 0);
    done = go_chan_new(0, 0);
    for (int i = 0; i < workers; i++) {
        go(forward_with_pauses, NULL);
    }
    go(send_many, &expected);
    go(close_when_all_are_done, &workers);
    while (go_chan_recv(d, &v) == 0) {
        sum += v;
        n++;
    }
    CHECK_EQUAL(n, 20000);
    CHECK_EQUAL(sum, expected);
    go_chan_unref(c);
    go_chan_unref(d);
    go_chan_unref(done);
}

/* --- races with a close --- */

static void must_find_it_ready(void *arg)
{
    int v = 0;
    int result = go_chan_try_recv(arg, &v);
    CHECK(result == 0 || result == -EPIPE); /* -EPIPE: the other took it after the close */
    go_chan_unref(arg);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

/* TestNonblockRecvRace: there was never a moment at which it was open and empty. */
static void a_try_sees_the_element_or_the_close(void)
{
    done = go_chan_new(0, 0);
    for (int i = 0; i < 20000; i++) {
        int v = 1;
        c = go_chan_new(sizeof v, 1);
        CHECK_EQUAL(go_chan_send(c, &v), 0);
        go(must_find_it_ready, go_chan_ref(c));
        CHECK_EQUAL(go_chan_close(c), 0);
        int result = go_chan_recv(c, &v);
        CHECK(result == 0 || result == -EPIPE);
        join(1);
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

/* --- what an element may be (TestChanSendInterface, zerosize.go) --- */

struct large {
    int64_t words[40];
};

static void send_large(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++) {
        struct large l;
        for (int k = 0; k < 40; k++) {
            l.words[k] = i * 40 + k;
        }
        CHECK_EQUAL(go_chan_send(c, &l), 0); /* copied: l is gone afterwards */
    }
}

static void elements_are_copied_by_value(void)
{
    for (size_t capacity = 0; capacity < 4; capacity++) {
        c = go_chan_new(sizeof(struct large), capacity);
        go(send_large, NULL);
        for (int i = 0; i < 100; i++) {
            struct large l;
            CHECK_EQUAL(go_chan_recv(c, &l), 0);
            for (int k = 0; k < 40; k++) {
                CHECK_EQUAL(l.words[k], i * 40 + k);
            }
        }
        go_chan_unref(c);
    }
}

enum { DEEP = 40 };

static go_mutex depth_lock;
static int64_t depth_sum;

/* A frame of half a kilobyte for each level; the element lies in the last one. */
static __attribute__((noinline)) int64_t at_depth(int depth, int64_t value, bool sends)
{
    volatile int64_t room[64];
    room[0] = room[63] = value + depth;
    if (depth > 0) {
        int64_t below = at_depth(depth - 1, value, sends);
        CHECK(room[0] == value + depth && room[63] == value + depth);
        return below;
    }
    int64_t v = sends ? value : -1;
    CHECK_EQUAL(sends ? go_chan_send(c, &v) : go_chan_recv(c, &v), 0);
    return v;
}

static void sends_from_the_depth(void *arg)
{
    int value = (int)(intptr_t)arg;
    CHECK_EQUAL(at_depth(DEEP, 0, true), 0); /* grows, and shrinks again */
    CHECK_EQUAL(at_depth(value % DEEP, value, true), value);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void receives_into_the_depth(void *arg)
{
    int64_t sum = at_depth((int)(intptr_t)arg % DEEP, 0, false) + at_depth(DEEP, 0, false);
    go_mutex_lock(&depth_lock);
    depth_sum += sum;
    go_mutex_unlock(&depth_lock);
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

/* TestShrinkStackDuringBlockedSend: an element may lie on a stack that grew for it, while its owner waits. */
static void elements_may_lie_on_stacks_that_grew(void)
{
    enum { MANY = 100 };
    done = go_chan_new(0, 0);
    for (int turn = 0; turn < 2; turn++) {
        go_func first = turn == 0 ? sends_from_the_depth : receives_into_the_depth;
        go_func second = turn == 0 ? receives_into_the_depth : sends_from_the_depth;
        c = go_chan_new(sizeof(int64_t), 0);
        depth_sum = 0;
        for (intptr_t i = 1; i <= MANY; i++) {
            go(first, (void *)i);
        }
        CHECK_EQUAL(go_sleep(blink), 0); /* they wait by now */
        for (intptr_t i = 1; i <= MANY; i++) {
            go(second, (void *)i);
        }
        join(2 * MANY);
        CHECK_EQUAL(depth_sum, MANY * (MANY + 1) / 2);
        go_chan_unref(c);
    }
    go_chan_unref(done);
}

static void signals(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
    }
    CHECK_EQUAL(go_chan_close(c), 0);
}

static void elements_of_size_zero_are_counted(void)
{
    for (size_t capacity = 0; capacity < 4; capacity++) {
        int n = 0;
        c = go_chan_new(0, capacity);
        go(signals, NULL);
        while (go_chan_recv(c, NULL) == 0) {
            n++;
        }
        CHECK_EQUAL(n, 1000);
        go_chan_unref(c);
    }
}

static void len_and_cap_say_how_full_it_is(void)
{
    c = go_chan_new(sizeof(int), 3);
    int v = 0;
    CHECK_EQUAL(go_chan_cap(c), 3);
    for (size_t i = 0; i < 3; i++) {
        CHECK_EQUAL(go_chan_len(c), i);
        CHECK_EQUAL(go_chan_send(c, &v), 0);
    }
    CHECK_EQUAL(go_chan_len(c), 3);
    CHECK_EQUAL(go_chan_recv(c, &v), 0);
    CHECK_EQUAL(go_chan_len(c), 2);
    CHECK_EQUAL(go_chan_len(NULL), 0);
    CHECK_EQUAL(go_chan_cap(NULL), 0);
    go_chan_unref(c);
}

/* --- the memory model (go.dev/ref/mem) --- */

static int plain;

static void write_and_send(void *arg)
{
    plain = 1;
    CHECK_EQUAL(go_chan_send(arg, NULL), 0);
}

static void write_and_close(void *arg)
{
    plain = 2;
    CHECK_EQUAL(go_chan_close(arg), 0);
}

/* With a reference of its own: who learns of the close without the lock may drop his before close has returned. */
static void write_close_and_drop(void *arg)
{
    write_and_close(arg);
    go_chan_unref(arg);
}

static void write_and_receive(void *arg)
{
    plain = 3;
    CHECK_EQUAL(go_chan_recv(arg, NULL), 0);
}

static void what_comes_before_is_seen_after(void)
{
    for (int i = 0; i < 2000; i++) {
        for (size_t capacity = 0; capacity < 2; capacity++) {
            c = go_chan_new(0, capacity);
            plain = 0;
            go(write_and_send, c);
            CHECK_EQUAL(go_chan_recv(c, NULL), 0);
            CHECK_EQUAL(plain, 1);
            go(write_and_close, c);
            CHECK_EQUAL(go_chan_recv(c, NULL), -EPIPE);
            CHECK_EQUAL(plain, 2);
            go_chan_unref(c);

            plain = 0;
            c = go_chan_new(0, capacity);
            go(write_close_and_drop, go_chan_ref(c));
            while (go_chan_try_recv(c, NULL) != -EPIPE) { /* learns of it without the lock */
                go_yield();
            }
            CHECK_EQUAL(plain, 2);
            go_chan_unref(c);
        }
        c = go_chan_new(0, i % 3);
        for (int k = 0; k < i % 3; k++) {
            CHECK_EQUAL(go_chan_send(c, NULL), 0);
        }
        plain = 0;
        go(write_and_receive, c);
        CHECK_EQUAL(go_chan_send(c, NULL), 0); /* the send it makes room for */
        CHECK_EQUAL(plain, 3);
        while (i % 3 != 0 && go_chan_try_recv(c, NULL) == 0) {}
        go_chan_unref(c);
    }
}

struct bounded {
    int inside, most;
    go_mutex lock;
};

static void limited(void *arg)
{
    struct bounded *b = arg;
    for (int i = 0; i < 100; i++) {
        CHECK_EQUAL(go_chan_send(c, NULL), 0);
        go_mutex_lock(&b->lock);
        b->inside++;
        b->most = b->inside > b->most ? b->inside : b->most;
        go_mutex_unlock(&b->lock);
        go_yield();
        go_mutex_lock(&b->lock);
        b->inside--;
        go_mutex_unlock(&b->lock);
        CHECK_EQUAL(go_chan_recv(c, NULL), 0);
    }
    CHECK_EQUAL(go_chan_send(done, NULL), 0);
}

static void a_buffered_channel_is_a_semaphore(void)
{
    static struct bounded b;
    c = go_chan_new(0, 3);
    done = go_chan_new(0, 0);
    for (int i = 0; i < 10; i++) {
        go(limited, &b);
    }
    join(10);
    CHECK_EQUAL(b.inside, 0);
    CHECK(b.most >= 1 && b.most <= 3);
    go_chan_unref(c);
    go_chan_unref(done);
}

/* --- programs (sieve1.go, goroutines.go) --- */

struct filter {
    go_chan *in, *out;
    int prime;
};

static go_waitgroup sifting;

static void generate(void *arg)
{
    for (int i = 2; go_chan_send(arg, &i) == 0; i++) {}
    go_chan_unref(arg);
    go_waitgroup_done(&sifting);
}

static void sift(void *arg)
{
    struct filter f = *(struct filter *)arg;
    int v;
    while (go_chan_recv(f.in, &v) == 0) {
        if (v % f.prime != 0 && go_chan_send(f.out, &v) != 0) {
            break;
        }
    }
    CHECK_EQUAL(go_chan_close(f.in), 0); /* the one before ends too */
    go_chan_unref(f.in);
    go_chan_unref(f.out);
    go_waitgroup_done(&sifting);
}

static void a_sieve_finds_primes(void)
{
    static const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97};
    go_chan *last = go_chan_new(sizeof(int), 0);
    go_waitgroup_add(&sifting, 1);
    go(generate, go_chan_ref(last));
    for (size_t i = 0; i < sizeof primes / sizeof primes[0]; i++) {
        int prime;
        CHECK_EQUAL(go_chan_recv(last, &prime), 0);
        CHECK_EQUAL(prime, primes[i]);
        struct filter f = {last, go_chan_new(sizeof(int), 0), prime};
        last = go_chan_ref(f.out);
        go_waitgroup_add(&sifting, 1);
        go_copy(sift, &f, sizeof f);
    }
    CHECK_EQUAL(go_chan_close(last), 0);
    go_waitgroup_wait(&sifting);
    go_chan_unref(last);
}

struct link {
    go_chan *left, *right;
};

static void pass_on(void *arg)
{
    struct link *l = arg;
    int v;
    CHECK_EQUAL(go_chan_recv(l->right, &v), 0);
    v++;
    CHECK_EQUAL(go_chan_send(l->left, &v), 0);
    go_chan_unref(l->left);
    go_chan_unref(l->right);
}

#if defined(__SANITIZE_THREAD__)
enum { CHAIN = 1000 }; /* the tool has room for 8,000 goroutines */
#else
enum { CHAIN = 10000 };
#endif

static void a_long_chain_passes_on(void)
{
    go_chan *leftmost = go_chan_new(sizeof(int), 0), *left = go_chan_ref(leftmost);
    int v = 0;
    for (int i = 0; i < CHAIN; i++) {
        go_chan *right = go_chan_new(sizeof(int), 0);
        struct link l = {left, go_chan_ref(right)};
        go_copy(pass_on, &l, sizeof l);
        left = right;
    }
    CHECK_EQUAL(go_chan_send(left, &v), 0);
    go_chan_unref(left);
    CHECK_EQUAL(go_chan_recv(leftmost, &v), 0);
    CHECK_EQUAL(v, CHAIN);
    go_chan_unref(leftmost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BEHAVIOUR(a_receive_from_an_empty_channel_waits),
        BEHAVIOUR(a_send_to_a_full_channel_waits),
        BEHAVIOUR(a_nil_channel_waits_for_ever),
        BEHAVIOUR(whoever_waits_is_woken_by_the_other_side),
        BEHAVIOUR(a_try_meets_one_who_waits),
        BEHAVIOUR(after_a_close_what_is_inside_is_received_first),
        BEHAVIOUR(a_close_wakes_all_who_wait),
        BEHAVIOUR(misuse_of_close_is_an_error),
        BEHAVIOUR(elements_arrive_in_order),
        BEHAVIOUR(nothing_is_lost_or_doubled_between_many),
        BEHAVIOUR(receivers_in_a_chain_get_elements_in_order),
        BEHAVIOUR(many_consumers_share_a_stream),
        BEHAVIOUR(a_try_sees_the_element_or_the_close),
        BEHAVIOUR(elements_are_copied_by_value),
        BEHAVIOUR(elements_may_lie_on_stacks_that_grew),
        BEHAVIOUR(elements_of_size_zero_are_counted),
        BEHAVIOUR(len_and_cap_say_how_full_it_is),
        BEHAVIOUR(what_comes_before_is_seen_after),
        BEHAVIOUR(a_buffered_channel_is_a_semaphore),
        BEHAVIOUR(a_sieve_finds_primes),
        BEHAVIOUR(a_long_chain_passes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
